"""Reads the markers by which tests name what they show."""

import re

from develop.template import ROOT


def ids_marked(name: str) -> set[str]:
    """Returns the ids that tests name in `@pytest.mark.<name>(…)`."""
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    arguments = re.findall(rf"^@pytest\.mark\.{name}\((.*)\)$", sources, re.MULTILINE)
    return set(re.findall(r'"([^"]+)"', "".join(arguments)))
