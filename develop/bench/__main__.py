"""Compares the cost of the service with other ways to build it, under the Lambda runtime.

AWS is a stub on this machine that answers after fixed delays. Contenders take turns in each round. `make bench` builds
and installs all contenders, then measures everything, which takes about ten minutes.
"""

import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import rich.table
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from develop.bench import measuring
from develop.bench.contenders import archiver, contenders, is_built, restored, unzipped_bytes
from develop.bench.machine import this_machine
from develop.bench.page import render_page
from develop.bench.plots import draw_contenders, draw_growth
from develop.bench.results import Results
from develop.bench.stub import Delays, in_a_process
from develop.bench.tables import Table, tables
from develop.template import ROOT

CONSOLE = Console(force_terminal=sys.stdout.isatty())  # with FORCE_COLOR, rich assumes a terminal
if not CONSOLE.is_terminal:
    CONSOLE.width = 120
PARTS = {
    "cold": "first response of a new execution environment",
    "restored": "first request after a SnapStart snapshot",
    "warm": "time, CPU and memory of one of many requests",
    "first": "time and CPU of one of many first downloads",
    "growth": "the same for certificates from 10 KB to 4.4 MB",
    "archiving": "a batch of one and a batch of ten",
    "endurance": "memory over many requests in one environment",
}
# click does not wrap a paragraph that begins with \b.
HELP = "\n".join([__doc__, "\b", *(f"{part:<10} {words}" for part, words in PARTS.items())])


def _parts(_context: click.Context, _parameter: click.Parameter, text: str) -> set[str]:
    parts = {part.strip() for part in text.split(",")}
    if parts - set(PARTS):
        raise click.BadParameter(f"no such part: {', '.join(sorted(parts - set(PARTS)))}")
    return parts


@click.command(
    help=HELP,
    epilog="Example: python -m develop.bench --only cold,warm --rounds 5",
)
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(1), help="Rounds; a third for growth.")
@click.option("--requests", default=10_000, show_default=True, type=click.IntRange(10), help="Requests for endurance.")
@click.option("--only", "parts", default=",".join(PARTS), show_default=True, callback=_parts, help="What to measure.")
@click.option(
    "--docs",
    default=ROOT / "docs",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder for benchmarks.md and its plots, written if everything was measured.  [default: docs]",
)
def main(rounds: int, requests: int, parts: set[str], docs: Path) -> None:
    if not is_built():
        raise click.ClickException("Nothing is built yet. Run `make bench`.")
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.default_int_handler)  # ends every execution environment
    results = _measure(rounds, requests, parts)
    for table in tables(results):
        _print(table)
    if parts == set(PARTS):
        _write(results, docs)


def _measure(rounds: int, requests: int, parts: set[str]) -> Results:
    with (
        in_a_process(Delays()) as url,
        in_a_process(Delays(0, 0, 0)) as url_without_delays,
        in_a_process(Delays(provider=50)) as url_of_first,
        Progress(console=CONSOLE, disable=not CONSOLE.is_terminal) as progress,
    ):

        def measure[T](part: str, steps: int, work: Callable[[measuring.Advance], T]) -> T | None:
            if part not in parts:
                return None
            task = progress.add_task(part, total=steps)
            return work(lambda: progress.advance(task))

        all_, undelayed = contenders(url), contenders(url_without_delays)[0]
        primed, archive = restored(url), archiver(url)
        ours_and_floor = [contender for contender in all_ if contender.name in {"ours", "floor"}]
        firsts = [contender for contender in contenders(url_of_first) if contender.name in {"ours", "floor"}]
        steps, thirds = rounds + 1, max(1, rounds // 3)
        batches = steps * len(measuring.ARCHIVING_SIZES)
        return Results(
            rounds=rounds,
            unzipped={contender.name: unzipped_bytes(contender.package) for contender in all_},
            cold=measure("cold", steps, lambda advance: measuring.cold_starts(all_, rounds, advance)),
            restored=measure("restored", steps, lambda advance: measuring.restored(primed, rounds, advance)),
            warm=measure("warm", steps, lambda advance: measuring.warm_requests(all_, rounds, advance)),
            first=measure("first", steps, lambda advance: measuring.first_downloads(firsts, rounds, advance)),
            growth=measure("growth", thirds + 1, lambda advance: measuring.growth(ours_and_floor, thirds, advance)),
            archiving=measure("archiving", batches, lambda advance: measuring.archiving(archive, rounds, advance)),
            endurance=measure("endurance", 10, lambda advance: measuring.endurance(undelayed, requests, advance)),
        )


def _print(table: Table) -> None:
    printed = rich.table.Table(title=table.title, caption=table.words or None, box=SIMPLE_HEAD, pad_edge=False)
    printed.title_justify = printed.caption_justify = "left"
    for number, column in enumerate(table.columns):
        # Titles may wrap; numbers only if a column would be lost otherwise.
        width = max(len(row[number]) for row in table.rows) if CONSOLE.width >= 110 else None
        printed.add_column(column, justify="right" if number else "left", vertical="bottom", min_width=width)
    for row in table.rows:
        printed.add_row(*(Text(cell, {"met": "green", "missed": "red"}.get(cell, "")) for cell in row))
    CONSOLE.print(printed)


def _write(results: Results, docs: Path) -> None:
    (docs / "benchmarks.md").write_text(render_page(results, this_machine(), datetime.now(UTC).date()))
    if results.cold and results.warm:
        draw_contenders(results.cold, results.warm, docs / "benchmarks.svg")
    if results.growth:
        draw_growth(results.growth, docs / "benchmarks-growth.svg")


if __name__ == "__main__":
    main()
