"""`make release`, in a repository of its own."""

import os
import shutil
import subprocess
from pathlib import Path

from develop.template import ROOT

PERSON = {"NAME": "A", "EMAIL": "a@example.com"}
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    **{f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in PERSON.items()},
}
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.10.0] - 2026-11-25\n\n## [1.9.0] - 2026-11-24\n"


def test_a_release_tags_the_latest_version_of_the_changelog_once_all_is_committed(tmp_path: Path) -> None:
    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, check=False, capture_output=True, text=True)

    def release(changelog: str = "") -> tuple[int, str]:
        """Commits the changelog, if any. Returns the exit code and the first line of the errors."""
        if changelog:
            (tmp_path / "CHANGELOG.md").write_text(changelog)
            run("git", "add", ".")
            run("git", "commit", "--quiet", "--message=All")
        result = run("make", "release")
        return result.returncode, result.stderr.partition("\n")[0]

    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("functions", "layers"):  # where the Makefile looks for sources
        (tmp_path / name).mkdir()
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "a"\nversion = "1.10.0"\nrequires-python = "==3.13.*"\n'
    )
    run("git", "init", "--quiet")
    message = "The version is 1.10.0 in pyproject.toml and {} in CHANGELOG.md."
    assert release(CHANGELOG.replace("[1.10.0]", "[1.1000]")) == (2, message.format("1.1000"))
    assert release(CHANGELOG.replace("[1.10.0] - 2026-11-25", "[1.10.0]")) == (2, message.format("1.9.0"))
    assert release(CHANGELOG) == (0, "")
    shown = run(
        "git", "for-each-ref", "--format=%(objecttype) %(subject) %(refname) %(*objectname)", "refs/tags"
    ).stdout
    head = run("git", "rev-parse", "HEAD").stdout.strip()
    assert shown == f"tag Version 1.10.0 refs/tags/v1.10.0 {head}\n"
    assert release() == (2, "fatal: tag 'v1.10.0' already exists")
    (tmp_path / "new.py").touch()
    assert release() == (2, "Commit or delete first what git status shows.")
