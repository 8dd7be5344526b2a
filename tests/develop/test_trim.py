"""How `make build` trims the layer of dependencies; tests/service/artifact/test_package.py checks what is left."""

import os
import shutil
from importlib.resources import files
from pathlib import Path

from develop.build.trim import OPERATIONS, trim


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_hard_links_of_a_trimmed_file_keep_their_bytes(tmp_path: Path) -> None:
    """Installers make hard links from their cache."""
    shared, python = tmp_path / "shared", tmp_path / "python"
    data = Path(str(files("botocore"))) / "data"
    (shared / "botocore" / "data").mkdir(parents=True)
    for name in ("endpoints.json", *OPERATIONS):
        (shutil.copytree if (data / name).is_dir() else shutil.copy)(data / name, shared / "botocore" / "data" / name)
    before = contents(shared)
    shutil.copytree(shared, python, copy_function=os.link)
    trim(python)
    assert contents(shared) == before
    assert len((python / "botocore" / "data" / "endpoints.json").read_bytes()) < len(
        before["botocore/data/endpoints.json"]
    )
