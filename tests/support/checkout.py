"""A folder in which tests run recipes of the Makefile."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from develop.template import ROOT


@dataclass(frozen=True)
class Checkout:
    folder: Path

    def copy(self, *names: str) -> None:
        for name in names:
            shutil.copy(ROOT / name, self.folder)

    def write(self, name: str, text: str = "", mode: int = 0o644) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a program with these variables, `PATH`, `HOME` and an index of packages only."""
        index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.folder / "index")}
        return subprocess.run(
            [str(shutil.which(command[0])), *command[1:]],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **index, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
