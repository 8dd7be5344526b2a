"""Links, files, commands and tests that Markdown files and comments name exist."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from develop.local.seeds import ARCHIVE_SITUATIONS, REFRESH_EVENT, SITUATIONS
from develop.template import ROOT
from tests.support.commands import parse

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SOURCES = [*PAGES, ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("*.yaml"), *ROOT.glob("docs/*.yaml")]
SOURCES += [
    file for one in ("functions", "layers", "operate", "develop", "tests") for file in ROOT.glob(f"{one}/**/*.py")
]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(
    r"(?<![\w/.-])((?:docs|tests|operate|develop|functions|layers|events)/[\w/.-]*\.(?:md|py|svg|yaml|json|txt))\b"
)


def typed(program: str) -> list[str]:
    """The program's arguments in code blocks, with a word for each <placeholder> and without comments."""
    blocks = "\n".join(block for page in PAGES for block in FENCE.findall(page.read_text()))
    return re.findall(rf"^(?:\w+=\$\()?{program} ([^#)\n]+)", re.sub("<[^>]*>", "X", blocks), re.MULTILINE)


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of the headings as GitHub creates them. It numbers duplicates, which no link here needs."""
    headings = re.findall(r"^#{1,6} (.+?)\s*$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_broken(page: Path, link: str) -> bool:
    if "://" in link:
        return not link.startswith("https://")
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


def test_no_link_is_broken() -> None:
    prose = {page: re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text())) for page in PAGES}
    links = [(page, link) for page in PAGES for link in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose[page])]
    assert len(links) > 100
    assert [(page.name, link) for page, link in links if is_broken(page, link)] == []
    for link in ("docs/run.md#Alarms", "docs/lost", "#where-to-loo", "http://example.com"):
        assert is_broken(ROOT / "README.md", link)


def test_every_file_that_pages_and_comments_name_exists() -> None:
    named = {path for source in SOURCES for path in NAMED.findall(source.read_text())}
    assert {"docs/decisions.md", "tests/service/artifact/test_package.py"} <= named
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_command_of_a_page_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(typed("certificates")) > 5
    for arguments in typed("certificates"):
        parse(f"certificates {arguments}", monkeypatch)
    paths = {path for arguments in typed("python -m pytest") for path in arguments.split() if path.startswith("tests")}
    assert len(paths) >= 5
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_every_event_has_its_situation_and_the_readme_shows_the_first() -> None:
    first = SITUATIONS[0]
    assert sorted([*(one.event for one in SITUATIONS), *ARCHIVE_SITUATIONS, REFRESH_EVENT]) == sorted(
        path.stem for path in (ROOT / "events").iterdir()
    )
    assert f"\n# {first.status}  {first.words}\ncurl -sS -o certificate.pdf -H " in (ROOT / "README.md").read_text()
