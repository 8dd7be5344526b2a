"""Writes results to standard output, and the progress bar and remarks to standard error.

Names, ids and messages come from outside and may hold control characters: this module makes every text printable;
`command_line.Program` does so for errors.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click


class Output:
    """Writes for people, or as JSON, one object a line. Not for several threads at once."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._has_bar = False

    def write(self, line: str) -> None:
        self._echo(line, err=False)

    def remark(self, line: str) -> None:
        self._echo(line, err=True)

    def write_table(self, rows: Sequence[Sequence[str]]) -> None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def write_finding(self, finding: Mapping[str, object]) -> None:
        """Writes one line, for people like `problem=missing  projectId=prj_1`, without what is None. json.dumps escapes
        everything but printable ASCII."""
        words = "  ".join(f"{name}={value}" for name, value in finding.items() if value is not None)
        self.write(json.dumps(finding, default=str) if self._as_json else words)

    def write_numbers(self, numbers: Mapping[str, int | None], statement: Mapping[str, object] | None = None) -> None:
        """Writes one line of JSON, or for people a line for each number, with `inFlight` as "in flight", and the
        sentence of the statement."""
        if self._as_json:
            self.write_finding({**numbers, **(statement or {})})
            return
        words = [re.sub("[A-Z]", lambda capital: f" {capital[0].lower()}", name) for name in numbers]
        texts = ["unknown" if number is None else f"{number:,}" for number in numbers.values()]
        self.write_table([(word, text.rjust(max(map(len, texts)))) for word, text in zip(words, texts, strict=True)])
        if statement:
            self.write(str(statement["statement"]))

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Shows a bar, on terminals only, and yields the function that advances it. `total` is approximate."""
        if not sys.stderr.isatty():
            yield lambda _: None
            return
        with click.progressbar(range(total), label=label, show_pos=True, width=0, file=sys.stderr) as bar:
            self._has_bar = True
            yield bar.update
        self._has_bar = False

    def _echo(self, line: str, *, err: bool) -> None:
        if self._has_bar:
            click.echo("\r\x1b[K", err=True, nl=False)  # erases the bar; its next step draws it again
        click.echo(make_printable(line), err=err)


def make_printable(text: str) -> str:
    """Replaces control characters, escape sequences, line breaks and marks that change the direction of text."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
