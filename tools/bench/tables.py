"""The results on a terminal."""

from collections.abc import Mapping, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from tools.bench.results import Goal, Results, Rounds

console = Console()


def peers_table(results: Results) -> Table:
    """Medians of all rounds."""
    columns: dict[str, Mapping[str, str]] = {}
    if results.cold:
        columns |= {"cold, ms": _medians(results.cold.milliseconds), "cold CPU, ms": _medians(results.cold.cpu)}
    if results.warm:
        columns |= {
            "warm, ms": _medians(results.warm.milliseconds),
            "warm CPU, ms": _medians(results.warm.cpu),
            "peak memory, MB": {name: f"{peak / 1e6:.1f}" for name, peak in results.warm.peak.items()},
        }
    columns |= {"unzipped, MiB": {name: f"{size / 2**20:.1f}" for name, size in results.unzipped.items()}}
    table = Table("contender", title="Certificate of 200 KB")
    for column in columns:
        table.add_column(column, justify="right")
    for name in results.unzipped:
        table.add_row(name, *(values[name] for values in columns.values()))
    return table


def _medians(values: Mapping[str, Rounds]) -> Mapping[str, str]:
    return {name: _median(rounds) for name, rounds in values.items()}


def _median(rounds: Rounds) -> str:
    middle = median(rounds)
    return f"{middle:,.0f}" if middle >= 100 else f"{middle:.1f}"


def goals_table(goals: Sequence[Goal]) -> Table:
    table = Table("goal", title="Goals")
    for column in ("measured", "at most", "verdict"):
        table.add_column(column, justify="right")
    for goal in goals:
        verdict = "[green]met[/green]" if goal.is_met else "[red]missed[/red]"
        table.add_row(
            goal.words, f"{goal.value:.2f} {goal.unit}".strip(), f"{goal.limit:g} {goal.unit}".strip(), verdict
        )
    return table
