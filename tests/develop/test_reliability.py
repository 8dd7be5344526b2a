"""docs/reliability.md has a row for every fault that is tested, and no other."""

import re
from collections.abc import Iterator
from types import FunctionType, ModuleType

import pytest

from develop.template import ROOT
from tests.service.artifact import test_execution_environment_faults, test_faults, test_provider_faults
from tests.support.markers import ids_marked

MODULES = [test_faults, test_provider_faults, test_execution_environment_faults]
ROWS = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE)


def faults(test: FunctionType) -> Iterator[str]:
    """Yields the ids of a test: its marker's, or its parameters. A range or a condition meets the same fault."""
    for mark in getattr(test, "pytestmark", []):
        names = mark.args[1] if mark.name == "parametrize" else mark.args if mark.name == "fault" else ()
        yield from (re.sub("-(range|condition)$", "", name) for name in names)


def collect_tests(module: ModuleType) -> list[FunctionType]:
    return [test for name, test in vars(module).items() if name.startswith("test_")]


def test_each_row_has_its_own_tested_fault() -> None:
    tested = {fault for module in MODULES for test in collect_tests(module) for fault in faults(test)}
    assert sorted(ROWS) == sorted(tested | ids_marked("fault"))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_test_of_these_modules_names_a_fault(module: ModuleType) -> None:
    assert [test.__name__ for test in collect_tests(module) if not set(faults(test))] == []
