"""`make release`, in a repository of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from develop.template import ROOT

COMMIT = ["commit", "--quiet", "--message=All"]
PERSON = {"NAME": "A", "EMAIL": "a@example.com"}
# Without the user's settings, and without a repository that a hook of git has set.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    **{f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in PERSON.items()},
}
PYPROJECT = '[project]\nname = "a"\nversion = "1.10.0"\nrequires-python = "==3.13.*"\n'
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.10.0] - 2026-11-25\n\n## [1.9.0] - 2026-11-24\n"


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "Makefile", folder)
        for name in ("functions", "layers"):  # where the Makefile looks for sources
            (folder / name).mkdir()
        self.write("pyproject.toml", PYPROJECT)
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git(*COMMIT)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments, check=True).stdout

    def commit(self, changelog: str) -> None:
        self.write("CHANGELOG.md", changelog)
        self.git("add", "CHANGELOG.md")
        self.git(*COMMIT)

    def release(self) -> tuple[int, str]:
        """Returns the exit code and the first line of the errors."""
        result = self.run("make", "release", check=False)
        return result.returncode, result.stderr.partition("\n")[0]

    def run(self, *command: str, check: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, env=ENVIRONMENT, check=check, capture_output=True, text=True)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_release_tags_the_version(repository: Repository) -> None:
    repository.commit(CHANGELOG)
    assert repository.release() == (0, "")
    shown = repository.git("for-each-ref", "--format=%(objecttype) %(subject) %(refname) %(*objectname)")
    head = repository.git("rev-parse", "HEAD").strip()
    assert f"tag Version 1.10.0 refs/tags/v1.10.0 {head}\n" in shown
    assert repository.release() == (2, "fatal: tag 'v1.10.0' already exists")


@pytest.mark.parametrize(
    ("changelog", "latest"),
    [
        (CHANGELOG.replace("## [1.10.0] - 2026-11-25\n\n", ""), "1.9.0"),
        (CHANGELOG.replace("[1.10.0] -", "[1.1000] -"), "1.1000"),
        (CHANGELOG.replace("[1.10.0] - 2026-11-25", "[1.10.0]"), "1.9.0"),
    ],
    ids=["without the version", "with another version", "without a date"],
)
def test_a_version_that_the_changelog_lacks_is_not_tagged(repository: Repository, changelog: str, latest: str) -> None:
    repository.commit(changelog)
    message = f"The version is 1.10.0 in pyproject.toml and {latest} in CHANGELOG.md."
    assert repository.release() == (2, message)
    assert repository.git("tag") == ""


@pytest.mark.parametrize("name", ["CHANGELOG.md", "new.py"])
def test_nothing_is_tagged_while_something_is_not_committed(repository: Repository, name: str) -> None:
    repository.commit(CHANGELOG)
    repository.write(name, f"{CHANGELOG}\n")
    assert repository.release() == (2, "Commit or delete first what git status shows.")
    assert repository.git("tag") == ""
