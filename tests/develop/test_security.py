"""The claims of docs/security.md about packages: locks and licences are in order."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from develop.template import ROOT
from tests.support.locks import DEPLOYED, requirements

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


def licences(package: str) -> set[str]:
    said = importlib.metadata.metadata(package)
    classifiers = [line for line in said.get_all("Classifier", []) if line.startswith("License :: ")]
    words = [said["License-Expression"]] if "License-Expression" in said else classifiers or [said["License"]]
    return {word.removeprefix("License :: OSI Approved :: ") for word in words}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
@pytest.mark.threat("supply-chain")
def test_a_lock_pins_each_package_by_version_and_hash_and_names_no_host(lock: Path) -> None:
    assert [line for line in requirements(lock) if not PINNED.fullmatch(line)] == []


@pytest.mark.threat("supply-chain")
def test_what_is_deployed_has_a_permissive_licence() -> None:
    pinned = [PINNED.fullmatch(line) for line in requirements(DEPLOYED)]
    packages = {one["name"]: one["version"] for one in pinned if one}
    assert {name: importlib.metadata.version(name) for name in packages} == packages
    assert {name for name in packages if licences(name) - PERMISSIVE} == set()
