"""Writes results to standard output, and the progress bar and remarks to standard error. Only terminals get colours and
bars.

Names, ids and messages come from outside and may hold control characters: this module makes every text printable;
`failures.Command` does so for errors.
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
"""The line width outside a terminal, where no line should wrap."""

_SPEED_SECONDS = 300
"""The period that the remaining time is estimated from: pages come in bursts, one per segment."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The reader closed the pipe. The exit code follows the shells: 128 + SIGPIPE."""
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
        # The style is the text's: given to print(), it would colour the bar too.
        self._results.print(_text(line, style), soft_wrap=True)

    def document(self, value: object) -> None:
        """Writes a result as JSON. json.dumps escapes everything but printable ASCII."""
        self._results.print(Text(json.dumps(value, indent=2, default=str)), soft_wrap=True)

    def remark(self, line: str, style: str = "") -> None:
        # Only the console of the bar knows how to write above it.
        console = self._bar if self._remarks.is_terminal else self._remarks
        console.print(_text(line, style), soft_wrap=True)

    def confirm(self, question: str) -> bool:
        """Asks on standard error. Raises click.Abort if there is no answer."""
        return click.confirm(make_printable(question), err=True)

    def table(self, headings: Sequence[str], rows: Sequence[tuple[Sequence[str], str]]) -> None:
        """Writes rows, each with its style. If columns would break words, each cell gets its own line."""
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
        """Writes one row of a table whose other rows are not known yet. The last cell may be of any length; the caller
        pads the others. If the row does not fit, each cell gets its own line."""
        line = "  ".join(cells)
        if len(line) <= self._results.width:
            self.result(line, style)
            return
        first, *others = (cell.rstrip() for cell in cells)
        for part in (first, *(f"  {cell}" for cell in others)):
            self.result(part, style)

    def seconds(self) -> float:
        """Returns the seconds since the command began."""
        return time.monotonic() - self._started

    def numbers(self, values: Mapping[str, int]) -> None:
        """Writes the final numbers of a long run, with its duration."""
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
        """Shows a bar and yields the function that advances it. `total` is approximate; 0 means unknown."""
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._bar,
            speed_estimate_period=_SPEED_SECONDS,
            disable=not self._bar.is_terminal,
            # Otherwise standard output would go to the bar's console.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        task = bar.add_task(words, total=total or None, completed=completed)
        with bar:
            yield lambda steps: bar.advance(task, steps)


def _console(*, stderr: bool) -> Console:
    console = _Console(stderr=stderr)
    # With FORCE_COLOR, rich assumes a terminal and draws the bar.
    return console if console.file.isatty() else _Console(stderr=stderr, force_terminal=False, width=_PLAIN_WIDTH)


def make_printable(text: str) -> str:
    """Replaces control characters, escape sequences, line breaks and marks that change the direction of text."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _text(text: str, style: str = "", *, overflow: OverflowMethod | None = None) -> Text:
    return Text(make_printable(text), style, overflow=overflow)
