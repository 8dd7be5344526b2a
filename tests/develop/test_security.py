"""The claims of docs/security.md about this repository: each threat has tests; locks and licences are in order."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from develop.template import ROOT
from tests.support.locks import DEPLOYED, installed, locked, requirements
from tests.support.markers import ids_marked

THREATS = re.findall(r"^- `([\w-]+)` ", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = [DEPLOYED, *ROOT.glob("requirements*.txt"), *ROOT.glob("develop/bench/peers/*/requirements.txt")]
PINNED = re.compile(
    r"(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==(?P<version>[a-z0-9.]+)( ; [^\\\n/]+)?"
    r"( \\\n    --hash=sha256:[0-9a-f]{64})+"
)

PERMISSIVE = {
    "Apache Software License",
    "Apache-2.0",
    "BSD License",
    "MIT",
    "MIT License",
    "MIT No Attribution License (MIT-0)",
    "PSF-2.0",
}
"""Licences that require attribution only."""

SILENCED = {"delays.py: S311", "records.py: S311", "settings.py: S105"}
"""Random pauses need no secrecy, and `{secret}` is a placeholder."""


def installed_in(environment: str) -> set[tuple[str, str]]:
    return installed(*(ROOT / environment).glob("lib/python*/site-packages"))


def licences(package: str) -> set[str]:
    said = importlib.metadata.metadata(package)
    classifiers = [line for line in said.get_all("Classifier", []) if line.startswith("License :: ")]
    words = [said["License-Expression"]] if "License-Expression" in said else classifiers or [said["License"]]
    return {word.removeprefix("License :: OSI Approved :: ") for word in words}


def test_each_threat_has_a_test() -> None:
    assert sorted(THREATS) == sorted(ids_marked("threat"))


def test_the_owasp_api_security_top_ten_is_among_the_threats() -> None:
    assert {f"API{number}" for number in range(1, 11)} <= set(THREATS)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
@pytest.mark.threat("supply-chain")
def test_a_lock_pins_each_package_by_version_and_hash_and_names_no_host(lock: Path) -> None:
    assert [line for line in requirements(lock) if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize(
    ("environment", "project"),
    [
        (".venv", {(PROJECT["name"], PROJECT["version"])}),
        (".checkov", set()),
        (".ministack", set()),
    ],
    ids=["venv", "checkov", "ministack"],
)
@pytest.mark.threat("supply-chain")
def test_an_environment_holds_what_its_lock_says_and_nothing_else(
    environment: str, project: set[tuple[str, str]]
) -> None:
    lock = f"requirements-{'dev' if environment == '.venv' else environment[1:]}.txt"
    if not (ROOT / environment).exists():
        pytest.skip("run make lint first")
    assert installed_in(environment) == locked(ROOT / lock) | project


def test_the_uv_that_installs_them_is_locked() -> None:
    """Python's own pip installs uv and nothing else."""
    of_python = {"pip", "setuptools"}
    found = {(name, version) for name, version in installed_in(".uv") if name not in of_python}
    assert found == locked(ROOT / "requirements-uv.txt")


@pytest.mark.threat("supply-chain")
def test_what_is_deployed_has_a_permissive_licence() -> None:
    pinned = [PINNED.fullmatch(line) for line in requirements(DEPLOYED)]
    packages = {one["name"]: one["version"] for one in pinned if one}
    assert {name: importlib.metadata.version(name) for name in packages} == packages
    assert {name for name in packages if licences(name) - PERMISSIVE} == set()


@pytest.mark.threat("supply-chain")
def test_no_security_rule_is_silenced_in_deployed_code_but_where_it_does_not_fit() -> None:
    sources = [path for folder in ("functions", "layers/certificates") for path in (ROOT / folder).rglob("*.py")]
    silenced = {f"{path.name}: {rule}" for path in sources for rule in re.findall(r"noqa:.* (S\d+)", path.read_text())}
    assert silenced == SILENCED
