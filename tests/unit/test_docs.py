"""What Markdown files and comments point at exists."""

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tools.template import ROOT

FILES = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True, text=True).stdout.splitlines()  # noqa: S607
PAGES = [name for name in FILES if name.endswith(".md")]
TEXTS = [name for name in FILES if name.endswith((".py", ".yaml", ".toml")) or name == "Makefile"]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?<![\w/.-])((?:docs|tests|tools|functions|layers|events)/[\w/.-]*\.(?:md|py|svg|yaml|json|txt))\b")


def prose(page: str) -> str:
    return FENCE.sub("", (ROOT / page).read_text())


def links(page: str) -> list[str]:
    return LINK.findall(re.sub(r"`[^`]*`", "", prose(page)))


@cache
def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them: in lower case, spaces as hyphens, other marks left out, doubles numbered."""
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
    is_known = any(name == str(target.relative_to(ROOT)) for name in FILES)
    return not is_known or bool(anchor and anchor not in anchors(target))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_broken_link(page: str) -> None:
    assert [link for link in links(page) if is_broken(page, link)] == []


@pytest.mark.parametrize(
    ("link", "is_wrong"),
    [
        ("operations.md#how-long-a-message-is-tried", False),
        ("decisions.md#2026-11-22--a-304-counts-as-served", False),
        ("../README.md", False),
        ("dashboard.svg", False),
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


@pytest.mark.parametrize("name", [*PAGES, *TEXTS])
def test_every_file_that_is_named_exists(name: str) -> None:
    if name != "tests/unit/test_docs.py":
        assert {path for path in NAMED.findall((ROOT / name).read_text()) if not (ROOT / path).exists()} == set()
