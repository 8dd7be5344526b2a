"""`make release`, in a repository of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from develop.template import ROOT

PERSON = {"NAME": "A", "EMAIL": "a@example.com"}
# Without the user's settings, and without a repository that a hook of git has set.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    **{f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in PERSON.items()},
}
PYPROJECT = '[project]\nname = "a"\nversion = "1.10.0"\nrequires-python = "==3.13.*"\n'
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.10.0] - 2026-11-25\n\n## [1.9.0] - 2026-11-24\n"


class Repository:
    """A commit of the Makefile and this changelog."""

    def __init__(self, folder: Path, changelog: str) -> None:
        self.folder = folder
        shutil.copy(ROOT / "Makefile", folder)
        for name in ("functions", "layers"):  # where the Makefile looks for sources
            (folder / name).mkdir()
        for name, text in (("pyproject.toml", PYPROJECT), ("CHANGELOG.md", changelog)):
            (folder / name).write_text(text)
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message=All")

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments, check=True).stdout

    def release(self) -> tuple[int, str]:
        """Returns the exit code and the first line of the errors."""
        result = self.run("make", "release", check=False)
        return result.returncode, result.stderr.partition("\n")[0]

    def run(self, *command: str, check: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, check=check, capture_output=True, text=True)


def test_a_release_tags_the_version_once_all_is_committed(tmp_path: Path) -> None:
    repository = Repository(tmp_path, CHANGELOG)
    (tmp_path / "new.py").touch()
    assert repository.release() == (2, "Commit or delete first what git status shows.")
    assert repository.git("tag") == ""
    (tmp_path / "new.py").unlink()
    assert repository.release() == (0, "")
    shown = repository.git("for-each-ref", "--format=%(objecttype) %(subject) %(refname) %(*objectname)")
    head = repository.git("rev-parse", "HEAD").strip()
    assert f"tag Version 1.10.0 refs/tags/v1.10.0 {head}\n" in shown
    assert repository.release() == (2, "fatal: tag 'v1.10.0' already exists")


@pytest.mark.parametrize(
    ("changelog", "latest"),
    [
        (CHANGELOG.replace("[1.10.0] -", "[1.1000] -"), "1.1000"),
        (CHANGELOG.replace("[1.10.0] - 2026-11-25", "[1.10.0]"), "1.9.0"),
    ],
    ids=["another version", "without a date"],
)
def test_a_version_that_the_changelog_lacks_is_not_tagged(tmp_path: Path, changelog: str, latest: str) -> None:
    repository = Repository(tmp_path, changelog)
    message = f"The version is 1.10.0 in pyproject.toml and {latest} in CHANGELOG.md."
    assert repository.release() == (2, message)
    assert repository.git("tag") == ""
