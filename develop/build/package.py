"""Writes a folder as one file, the same bytes for the same content: python -m develop.build.package FOLDER FILE.

It is not compressed, because compressors differ between machines.
"""

import sys
import zipfile
from pathlib import Path


def write_package(folder: Path, file: Path) -> None:
    with zipfile.ZipFile(file, "w") as package:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())  # dated 1980, the format's first year
            entry.external_attr = (path.stat().st_mode & 0o111 | 0o100644) << 16
            package.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    write_package(Path(sys.argv[1]), Path(sys.argv[2]))
