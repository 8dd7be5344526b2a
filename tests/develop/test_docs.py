"""Links, files, commands and tests that Markdown files and comments name exist."""

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from develop.local.seeds import SITUATIONS
from develop.template import ROOT
from tests.support.commands import parse

PAGES = sorted(str(path.relative_to(ROOT)) for glob in ("*.md", "docs/**/*.md") for path in ROOT.glob(glob))
SOURCES = [ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("*.yaml"), *ROOT.glob("docs/*.yaml")]
SOURCES += [
    path for folder in ("functions", "layers", "operate", "develop", "tests") for path in (ROOT / folder).rglob("*.py")
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(
    r"(?<![\w/.-])((?:docs|tests|operate|develop|functions|layers|events)/[\w/.-]*\.(?:md|py|svg|yaml|json|txt))\b"
)


def prose(page: str) -> str:
    return FENCE.sub("", (ROOT / page).read_text())


def typed(page: str, program: str) -> list[str]:
    """The arguments of the program in code blocks, with a word for each <placeholder> and without comments."""
    lines = "\n".join(FENCE.findall((ROOT / page).read_text()))
    return re.findall(rf"^(?:\w+=\$\()?{program} ([^#)\n]+)", re.sub("<[^>]*>", "X", lines), re.MULTILINE)


def links(page: str) -> list[str]:
    return LINK.findall(re.sub(r"`[^`]*`", "", prose(page)))


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of the headings as GitHub creates them: lower case, hyphens for spaces, duplicates numbered."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+?)\s*$", prose(str(page.relative_to(ROOT))), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")
        numbered = (f"{slug}-{number}" for number in range(1, 100))
        found.add(slug if slug not in found else next(one for one in numbered if one not in found))
    return found


def is_broken(page: str, link: str) -> bool:
    if "://" in link:
        return not link.startswith("https://")
    path, _, anchor = unquote(link).partition("#")
    target = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_broken_link(page: str) -> None:
    assert [link for link in links(page) if is_broken(page, link)] == []


@pytest.mark.parametrize(
    ("link", "is_wrong"),
    [
        ("operations.md#how-long-a-message-is-tried", False),
        ("decisions.md#2026-11-22--a-304-counts-as-served", False),
        ("../README.md", False),
        ("benchmarks.md", False),
        ("#what-it-costs", False),
        ("https://example.com/a#b", False),
        ("operations.md#How-long-a-message-is-tried", True),
        ("README.md", True),
        ("#what-it-cost", True),
        ("http://example.com", True),
    ],
)
def test_a_link_is_resolved_as_on_github(link: str, is_wrong: bool) -> None:  # noqa: FBT001
    assert is_broken("docs/operations.md", link) == is_wrong


def test_the_table_of_the_readme_names_what_exists() -> None:
    table = prose("README.md").partition("## Where things are")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    folder, missing = "", []
    for place, _ in rows:
        names = re.findall(r"`([^`]+)`", place)
        folder = folder if names[0].startswith("…") else str(Path(names[0]).parent)
        paths = [names[0].replace("…", folder), *(f"{folder}/{name.removeprefix('…/')}" for name in names[1:])]
        missing += [path for path in paths if not (ROOT / path).exists()]
    assert len(rows) > 20
    assert missing == []


def test_every_file_that_pages_and_comments_name_exists() -> None:
    named = {path for source in (*map(ROOT.joinpath, PAGES), *SOURCES) for path in NAMED.findall(source.read_text())}
    assert {"docs/decisions.md", "tests/service/artifact/test_package.py"} <= named
    assert {path for path in named if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md", "docs/providers.md"])
def test_a_command_of_a_page_can_be_typed(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = typed(page, "certificates")
    assert commands
    for command in commands:
        parse(f"certificates {command}", monkeypatch)
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {command.split()[0] for command in typed(page, "make")} <= targets


def test_the_tests_that_contributors_run_exist() -> None:
    paths = [path for command in typed("CONTRIBUTING.md", "python -m pytest") for path in command.split()]
    assert len(paths) == 4
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_the_readme_shows_what_make_run_prints() -> None:
    first = SITUATIONS[0]
    assert f"\n# {first.status}  {first.words}\ncurl -sS -o certificate.pdf -H " in (ROOT / "README.md").read_text()


def test_the_shell_client_keeps_its_line_ends_in_a_clone_on_windows() -> None:
    attributes = subprocess.run(
        ["git", "check-attr", "text", "eol", "--", "docs/clients/certificate.sh"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert [line.rpartition(": ")[2] for line in attributes.stdout.splitlines()] == ["set", "lf"]
