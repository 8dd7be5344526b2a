"""Results go to standard output; the progress bar and what is said besides go to standard error. Colours and bars are
for terminals only."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

import click
from rich.console import Console
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

_PLAIN_WIDTH = 1000
"""Of a line that nobody sees on a terminal, so that none is folded."""

_SPEED_SECONDS = 300
"""What the remaining time is reckoned from: pages come in bursts, one of each segment."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever reads has had enough. The exit code is what shells give: 128 + SIGPIPE."""
        with suppress(SystemExit):
            super().on_broken_pipe()
        raise click.exceptions.Exit(141)


class Output:
    def __init__(self) -> None:
        self._started = time.monotonic()
        self._results = _console(stderr=False)
        self._remarks = _console(stderr=True)
        self._bar = self._results if self._results.is_terminal else self._remarks

    def result(self, line: str | Table, style: str = "") -> None:
        # The style belongs to the text: given to print(), it would colour the bar too.
        self._results.print(Text(line, style) if isinstance(line, str) else line, soft_wrap=isinstance(line, str))

    def remark(self, line: str, style: str = "") -> None:
        # Only the console of the bar knows how to write above it.
        console = self._bar if self._remarks.is_terminal else self._remarks
        console.print(Text(line, style), soft_wrap=True)

    def table(self, headings: Sequence[str], rows: Sequence[tuple[Sequence[str], str]]) -> None:
        """Each row with its style. Where columns would break words, each cell gets a line of its own."""
        table = Table(*headings, box=None, pad_edge=False, header_style="bold")
        for cells, style in rows:
            table.add_row(*(Text(cell) for cell in cells), style=style)
        unbounded = self._results.options.update(max_width=_PLAIN_WIDTH)
        if Measurement.get(self._results, unbounded, table).minimum <= self._results.width:
            self.result(table)
            return
        for cells, style in rows:
            block = Table.grid(padding=(0, 2))
            for heading, cell in zip(headings, cells, strict=True):
                block.add_row(heading, Text(cell, overflow="fold"), style=style)
            self.result(block)
            self.result("")

    def row(self, *cells: str, style: str) -> None:
        """One of a table that is not known yet: the last cell is as long as it is, the others fill their columns.
        Where it would not fit, each cell gets a line of its own."""
        line = "  ".join(cells)
        self.result(line if len(line) <= self._results.width else "\n  ".join(cell.rstrip() for cell in cells), style)

    def seconds(self) -> float:
        """Since the command began."""
        return time.monotonic() - self._started

    def numbers(self, values: Mapping[str, int]) -> None:
        """What long work ends with."""
        self.summary({**values, "this run took": str(timedelta(seconds=round(self.seconds())))})

    def summary(self, values: Mapping[str, int | str]) -> None:
        table = Table.grid(padding=(0, 2))
        table.add_column()
        table.add_column(justify="right", style="bold")
        for name, value in values.items():
            table.add_row(name, value if isinstance(value, str) else f"{value:,}")
        self.result(table)

    @contextmanager
    def progress(self, words: str, total: int, completed: int = 0) -> Iterator[Callable[[int], None]]:
        """A bar, and what moves it on. `total` is approximate; 0 says that it is not known."""
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._bar,
            speed_estimate_period=_SPEED_SECONDS,
            disable=not self._bar.is_terminal,
            # Redirected, standard output would go where the bar is.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        task = bar.add_task(words, total=total or None, completed=completed)
        with bar:
            yield lambda steps: bar.advance(task, steps)


def _console(*, stderr: bool) -> Console:
    console = _Console(stderr=stderr)
    # rich takes FORCE_COLOR for a terminal, bar and all.
    return console if console.file.isatty() else _Console(stderr=stderr, force_terminal=False, width=_PLAIN_WIDTH)


def printable(text: object) -> str:
    """Without anything that a terminal would obey: names and ids are whatever their writers chose."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))
