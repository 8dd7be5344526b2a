"""Results go to standard output; the progress bar and remarks go to standard error. Colours and bars are for terminals
only.

Names, ids and messages come from outside, and a terminal obeys some characters: every text that is written becomes
printable here, or in `failures.Command` if it is an error's.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

import click
from rich.console import Console, OverflowMethod
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

    def result(self, line: str, style: str = "") -> None:
        # The style belongs to the text: given to print(), it would colour the bar too.
        self._results.print(_text(line, style), soft_wrap=True)

    def document(self, value: object) -> None:
        """A result as JSON: json.dumps escapes what is not printable ASCII."""
        self._results.print(Text(json.dumps(value, indent=2, default=str)), soft_wrap=True)

    def remark(self, line: str, style: str = "") -> None:
        # Only the console of the bar knows how to write above it.
        console = self._bar if self._remarks.is_terminal else self._remarks
        console.print(_text(line, style), soft_wrap=True)

    def confirm(self, question: str) -> bool:
        """Asks on standard error. Raises click.Abort where nobody answers."""
        return click.confirm(printable(question), err=True)

    def table(self, headings: Sequence[str], rows: Sequence[tuple[Sequence[str], str]]) -> None:
        """Each row with its style. Where columns would break words, each cell gets a line of its own."""
        table = Table(*headings, box=None, pad_edge=False, header_style="bold")
        for cells, style in rows:
            table.add_row(*map(_text, cells), style=style)
        unbounded = self._results.options.update(max_width=_PLAIN_WIDTH)
        if Measurement.get(self._results, unbounded, table).minimum <= self._results.width:
            self._results.print(table)
            return
        for cells, style in rows:
            block = Table.grid(padding=(0, 2))
            for heading, cell in zip(headings, cells, strict=True):
                block.add_row(heading, _text(cell, overflow="fold"), style=style)
            self._results.print(block)
            self.result("")

    def row(self, *cells: str, style: str) -> None:
        """One of a table that is not known yet: the last cell is as long as it is, the others fill their columns.
        Where it would not fit, each cell gets a line of its own."""
        line = "  ".join(cells)
        if len(line) <= self._results.width:
            self.result(line, style)
            return
        first, *others = (cell.rstrip() for cell in cells)
        for part in (first, *(f"  {cell}" for cell in others)):
            self.result(part, style)

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
            table.add_row(name, _text(value if isinstance(value, str) else f"{value:,}"))
        self._results.print(table)

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


def printable(text: str) -> str:
    """One line without control characters, escape sequences or marks that change the direction of text."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _text(text: str, style: str = "", *, overflow: OverflowMethod | None = None) -> Text:
    return Text(printable(text), style, overflow=overflow)
