"""`make release`, in a repository of its own."""

from tests.support.checkout import Checkout

PERSON = {
    f"GIT_{role}_{name}": value
    for role in ("AUTHOR", "COMMITTER")
    for name, value in {"NAME": "A", "EMAIL": "a@example.com"}.items()
}
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.10.0] - 2026-11-25\n\n## [1.9.0] - 2026-11-24\n"


def test_a_release_tags_the_latest_version_of_the_changelog_once_all_is_committed(checkout: Checkout) -> None:
    def git(*command: str) -> str:
        return checkout.run("git", *command, **PERSON).stdout

    def release(changelog: str = "") -> tuple[int, str]:
        """Commits the changelog, if any. Returns the exit code and the first line of the errors."""
        if changelog:
            checkout.write("CHANGELOG.md", changelog)
            git("add", ".")
            git("commit", "--quiet", "--message=All")
        result = checkout.run("make", "release", **PERSON)
        return result.returncode, result.stderr.partition("\n")[0]

    checkout.write("pyproject.toml", '[project]\nname = "a"\nversion = "1.10.0"\nrequires-python = "==3.13.*"\n')
    git("init", "--quiet")
    message = "The version is 1.10.0 in pyproject.toml and {} in CHANGELOG.md."
    assert release(CHANGELOG.replace("[1.10.0]", "[1.1000]")) == (2, message.format("1.1000"))
    assert release(CHANGELOG.replace("[1.10.0] - 2026-11-25", "[1.10.0]")) == (2, message.format("1.9.0"))
    assert release(CHANGELOG) == (0, "")
    shown = git("for-each-ref", "--format=%(objecttype) %(subject) %(refname) %(*objectname)", "refs/tags")
    assert shown == f"tag Version 1.10.0 refs/tags/v1.10.0 {git('rev-parse', 'HEAD')}"
    assert release() == (2, "fatal: tag 'v1.10.0' already exists")
    checkout.write("new.py")
    assert release() == (2, "Commit or delete first what git status shows.")
