"""Results go to standard output; the progress bar and what is said besides go to standard error. Colours and bars are
for terminals only."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
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


class Output:
    def __init__(self) -> None:
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
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_PLAIN_WIDTH)


def printable(text: object) -> str:
    """Without anything that a terminal would obey: names and ids are whatever their writers chose."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))
