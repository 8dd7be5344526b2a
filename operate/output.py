"""Writes results to standard output, and the progress bar and remarks to standard error. Not for several threads.

Names, ids and messages come from outside and may hold control characters: this module makes every text printable;
`command_line.Program` does so for errors.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click

AS_JSON = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=lambda context, _, value: context.meta.update(json=value),
    help="Write one JSON object per line.",
)
"""The option of commands that write findings or numbers: for people, or for programs."""


def write(line: str, *, err: bool = False) -> None:
    context = click.get_current_context(silent=True)  # none in other threads
    if context and context.meta.get("bar"):
        click.echo("\r\x1b[K", err=True, nl=False)  # erases the bar; its next step draws it again
    click.echo(make_printable(line), err=err)


def remark(line: str) -> None:
    write(line, err=True)


def write_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def write_finding(finding: Mapping[str, object]) -> None:
    """Writes one line, for people like `problem=missing  projectId=prj_1`, without what is None. json.dumps escapes
    everything but printable ASCII."""
    words = "  ".join(f"{name}={value}" for name, value in finding.items() if value is not None)
    write(json.dumps(finding, default=str) if is_json() else words)


def write_numbers(numbers: Mapping[str, int], statement: Mapping[str, object] | None = None) -> None:
    """Writes one line of JSON, or for people a line for each number, with `inFlight` as "in flight", and the sentence
    of the statement."""
    if is_json():
        write_finding({**numbers, **(statement or {})})
        return
    words = [re.sub("[A-Z]", lambda capital: f" {capital[0].lower()}", name) for name in numbers]
    width = max(len(f"{number:,}") for number in numbers.values())
    write_table([(word, f"{number:{width},}") for word, number in zip(words, numbers.values(), strict=True)])
    if statement:
        write(str(statement["statement"]))


def is_json() -> bool:
    return bool(click.get_current_context().meta.get("json"))


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar, on terminals only, and yields the function that advances it. `total` is approximate."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    meta = click.get_current_context().meta
    with click.progressbar(range(total), label=label, show_pos=True, width=0, file=sys.stderr) as bar:
        meta["bar"] = True
        yield bar.update
    meta["bar"] = False


def make_printable(text: str) -> str:
    """Replaces control characters, escape sequences, line breaks and marks that change the direction of text."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
