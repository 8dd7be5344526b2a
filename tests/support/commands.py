"""Parses the command lines of this project without running them."""

import shlex

import click
import pytest

from operate.cli import main as certificates

PROGRAMS = {"certificates": certificates}


def parse(line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns the path of the command in a line, after click has parsed its options and arguments. Ignores what feeds
    a pipe."""
    words = shlex.split(line.rpartition(" | ")[2])
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    (program,) = [name for name in PROGRAMS if words[: len(name.split())] == name.split()]
    path, arguments = [program], words[len(program.split()) :]
    command: click.Command = PROGRAMS[program]
    while isinstance(command, click.Group):
        path.append(arguments.pop(0))
        command = command.commands[path[-1]]
    if arguments != ["--help"]:
        command.make_context(path[-1], arguments)
    return path
