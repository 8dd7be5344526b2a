"""`--help` of every command: what it does, and examples that can be typed."""

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from develop.local import seeds
from tests.support.commands import PROGRAMS, parse


def walk(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from walk((*path, name), one)


COMMANDS = [path for program, command in PROGRAMS.items() for path in walk((program,), command)]


def help_of(path: tuple[str, ...]) -> str:
    program, *names = path
    result = CliRunner().invoke(PROGRAMS[program], [*names, "--help"], prog_name=program)
    assert result.exit_code == 0
    return result.output


def examples(path: tuple[str, ...]) -> list[str]:
    """One line each: a backslash joins two."""
    block = help_of(path).partition("\n  Examples:\n")[2].partition("\n\n")[0].replace("\\\n", "")
    return block.splitlines()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_in_80_columns_what_a_command_does_and_cuts_no_sentence(path: tuple[str, ...]) -> None:
    text = help_of(path)
    assert text.split("\n\n")[1].strip()
    assert not re.search(r"\w\.\.\.$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_examples_that_can_be_typed(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in examples(path) if line.strip() != "make bench"]
    assert lines
    for line in lines:
        assert parse(line, monkeypatch)[: len(path)] == list(path)


def test_the_example_of_smoke_is_of_the_local_service() -> None:
    (line,) = examples(("certificates", "smoke"))
    assert f"KEY={seeds.KEY} " in line
    assert f"--id {seeds.signature_id('download_archived')}" in line
