"""Parses the command lines of `certificates` without running them."""

import shlex

import click
import pytest

from operate.cli import main


def parse(line: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Returns the command in a line, after click has parsed its options and arguments. Ignores what feeds a pipe."""
    path, *words = shlex.split(line.rpartition(" | ")[2])
    while "=" in path:
        monkeypatch.setenv(*path.split("=", 1))
        path, *words = words
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
        path += f" {command.name}"
    if words != ["--help"]:
        command.make_context(path, words)
    return path
