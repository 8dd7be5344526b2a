"""Lists the packages of locks and of environments, with their versions."""

import importlib.metadata
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from develop.template import ROOT

DEPLOYED = ROOT / "layers" / "dependencies" / "requirements.txt"


def requirements(lock: Path) -> list[str]:
    return re.split(r"\n(?! )", lock.read_text().strip()) if lock.stat().st_size else []


def locked(lock: Path) -> set[tuple[str, str]]:
    """Returns what the lock installs on this machine."""
    pinned = [Requirement(line.partition("\\")[0]) for line in requirements(lock)]
    return {
        (canonicalize_name(one.name), str(one.specifier).removeprefix("=="))
        for one in pinned
        if one.marker is None or one.marker.evaluate()
    }


def installed(*folders: Path) -> set[tuple[str, str]]:
    """Returns what is installed in folders like site-packages."""
    distributions = importlib.metadata.distributions(path=[str(folder) for folder in folders])
    return {(canonicalize_name(one.name), one.version) for one in distributions}
