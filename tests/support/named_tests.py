"""Finds the tests that documents name as evidence."""

import ast
import re
from functools import cache

from tools.template import ROOT


def named_in(row: str) -> set[str]:
    """Returns the tests that a line of a document names: `test_…` in backticks."""
    return set(re.findall(r"`(test_\w+)`", row))


@cache
def all_tests() -> set[str]:
    """Every test function of the suite, by its name."""
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
