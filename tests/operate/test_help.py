"""docs/commands.md is the current help of every command, and its examples can be typed."""

import re

import pytest

from develop.local import seeds
from develop.template import ROOT
from operate.help_page import render_page
from tests.support.commands import parse

COMMANDS = re.findall(r"^## (.+)\n\n```\n((?:.+\n|\n)+?)```$", render_page(), re.MULTILINE)


def examples(text: str) -> list[str]:
    """One line each: a backslash joins two."""
    return text.partition("\n  Examples:\n")[2].partition("\n\n")[0].replace("\\\n", "").splitlines()


def test_the_page_of_commands_is_current() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == render_page(), "run make docs"


@pytest.mark.parametrize(("command", "text"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_help_cuts_no_sentence_and_has_examples_that_can_be_typed(
    command: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not re.search(r"\w\.\.\.$", text, re.MULTILINE)
    assert examples(text)
    for line in examples(text):
        assert parse(line, monkeypatch).startswith(command)


def test_the_example_of_smoke_is_of_the_local_service() -> None:
    (line,) = examples(dict(COMMANDS)["certificates smoke"])
    assert f"KEY={seeds.KEY} " in line
    assert f"--id {seeds.signature_id('download_archived')}" in line
