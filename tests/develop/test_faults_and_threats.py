"""docs/reliability.md names every fault that is tested, and docs/security.md every threat, and no other."""

import re
from collections.abc import Iterator
from types import FunctionType

from develop.template import ROOT
from tests.service.artifact import test_execution_environment_faults, test_faults, test_provider_faults

MODULES = [test_faults, test_provider_faults, test_execution_environment_faults]
FAULTS = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE)
THREATS = re.findall(r"^- `([\w-]+)` ", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)


def ids_marked(name: str) -> set[str]:
    """Returns the ids that tests name in `@pytest.mark.<name>(…)`."""
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    arguments = re.findall(rf"^@pytest\.mark\.{name}\((.*)\)$", sources, re.MULTILINE)
    return set(re.findall(r'"([^"]+)"', "".join(arguments)))


def faults(test: FunctionType) -> Iterator[str]:
    """Yields the ids of a test: its marker's, or its parameters. A range or a condition meets the same fault."""
    for mark in getattr(test, "pytestmark", []):
        names = mark.args[1] if mark.name == "parametrize" else mark.args if mark.name == "fault" else ()
        yield from (re.sub("-(range|condition)$", "", name) for name in names)


def test_each_row_has_its_own_tested_fault_and_each_test_of_these_modules_names_one() -> None:
    tests = [test for module in MODULES for name, test in vars(module).items() if name.startswith("test_")]
    assert [test.__name__ for test in tests if not set(faults(test))] == []
    assert sorted(FAULTS) == sorted({fault for test in tests for fault in faults(test)} | ids_marked("fault"))


def test_each_threat_has_a_test_and_the_owasp_api_security_top_ten_are_among_them() -> None:
    assert sorted(THREATS) == sorted(ids_marked("threat"))
    assert {f"API{number}" for number in range(1, 11)} <= set(THREATS)
