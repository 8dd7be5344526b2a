"""Measures what the service costs beside other ways to build it, under the Lambda runtime.

AWS is a stub on this machine that answers after set delays. Contenders take turns, round after round. Run `make bench`
first, which builds and installs what is measured.
"""

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tools.bench import measuring
from tools.bench.contenders import contenders, unzipped_bytes
from tools.bench.results import Results, goals
from tools.bench.stub import Delays, in_a_process
from tools.bench.tables import console, goals_table, peers_table

PARTS = ("cold", "warm")


def _parts(_context: click.Context, _parameter: click.Parameter, text: str) -> set[str]:
    parts = {part.strip() for part in text.split(",")}
    if parts - set(PARTS):
        raise click.BadParameter(f"no such part: {', '.join(sorted(parts - set(PARTS)))}")
    return parts


@click.command(help=__doc__)
@click.option("--rounds", default=15, show_default=True, type=click.IntRange(min=1), help="How often each is measured.")
@click.option("--only", "parts", default=",".join(PARTS), show_default=True, callback=_parts, help="What to measure.")
def main(rounds: int, parts: set[str]) -> None:
    with in_a_process(Delays()) as url, _progress() as progress:
        all_ = contenders(url)

        def steps(words: str, total: int) -> measuring.Advance:
            task = progress.add_task(words, total=total)
            return lambda: progress.advance(task)

        results = Results(
            unzipped={contender.name: unzipped_bytes(contender.package) for contender in all_},
            cold=measuring.cold_starts(all_, rounds, steps("cold", rounds + 1)) if "cold" in parts else None,
            warm=measuring.warm_requests(all_, rounds, steps("warm", rounds + 1)) if "warm" in parts else None,
        )
    console.print(peers_table(results))
    console.print(goals_table(goals(results)))


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


if __name__ == "__main__":
    main()
