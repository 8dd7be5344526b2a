"""docs/reliability.md names every test of a fault, and every test that it names exists."""

import re
from types import ModuleType

import pytest

from tests.e2e import test_archive_faults, test_execution_environment_faults, test_faults, test_provider_faults
from tests.support.named_tests import all_tests
from tools.template import ROOT

MODULES = [test_archive_faults, test_faults, test_provider_faults, test_execution_environment_faults]
FAULTS = {
    *test_faults.FAULTS,
    *test_provider_faults.FAULTS,
    *test_execution_environment_faults.KILLED,
    *test_archive_faults.LATER,
    *test_archive_faults.DONE,
}
ROWS = [line for line in (ROOT / "docs" / "reliability.md").read_text().splitlines() if line.startswith("| ")]
NAMED = {name for row in ROWS for name in re.findall(r"`([\w-]+)`", row.split("|")[-2])}


def unparametrised(module: ModuleType) -> set[str]:
    """Without the tests that run once for each fault."""
    return {name for name, test in vars(module).items() if name.startswith("test_") and not hasattr(test, "pytestmark")}


def test_every_row_names_existing_tests() -> None:
    assert NAMED - all_tests() == FAULTS


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_test_of_a_fault_has_a_row(module: ModuleType) -> None:
    assert unparametrised(module) - NAMED == set()
