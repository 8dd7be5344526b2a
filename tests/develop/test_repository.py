"""The files that serve contributors agree with each other: workflows, hooks, locks, versions."""

import re
import subprocess
import tomllib

import pytest
from samtranslator.yaml_helper import yaml_parse

from certificates.models import STATUSES
from develop.template import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = {path.name: yaml_parse(path.read_text()) for path in (GITHUB / "workflows").iterdir()}
ACTIONS = {path.parent: yaml_parse(path.read_text()) for path in GITHUB.glob("actions/*/action.yml")}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
MAKE = re.compile(r"\bmake ([a-z-]+)\b")


def run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


ROOMS = {
    "layers": {"certificates"},
    "functions": {"certificates", "functions"},
    "operate": {"certificates", "functions", "operate"},
    "develop": {"certificates", "functions", "develop"},
}
"""Which packages of this repository the code of each room may import."""


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    found = {path: path.read_text() for path in (ROOT / room).rglob("*.py")}
    assert found
    packages = {
        (name, path)
        for path, code in found.items()
        for name in re.findall(
            r"^\s*(?:from|import) (certificates|functions|operate|develop|tests)\b", code, re.MULTILINE
        )
    }
    assert [(name, path) for name, path in packages if name not in ROOMS[room]] == []


def test_statuses_are_named_in_their_table_alone_and_explained_in_the_api_reference() -> None:
    """A status is added in one place; the reference says whether its certificate may follow."""
    modules = [path for folder in ("functions", "layers/certificates") for path in (ROOT / folder).rglob("*.py")]
    named = re.compile(f"[\"']({'|'.join(STATUSES)})[\"']")
    assert [path.name for path in modules if named.search(path.read_text())] == ["models.py"]
    text = (ROOT / "docs" / "openapi.yaml").read_text().partition("\n    Conflict:\n")[2].partition("headers:")[0]
    for part, may_follow in zip(text.split("Without `Retry-After`"), (True, False), strict=True):
        explained = set(re.findall("`([a-z]+)`", part))
        assert explained == {status for status, follows in STATUSES.items() if follows is may_follow}


def scripts() -> str:
    """What workflows and actions run, one line for each value of a matrix of targets."""
    jobs = [job for workflow in WORKFLOWS.values() for job in workflow["jobs"].values()]
    steps = [step for job in jobs for step in job.get("steps", [])]
    steps += [step for action in ACTIONS.values() for step in action["runs"]["steps"]]
    targets = [target for job in jobs for target in job.get("strategy", {}).get("matrix", {}).get("target", [])]
    return "\n".join([*(step.get("run", "") for step in steps), *(f"make {target}" for target in targets)])


def test_workflows_and_pages_name_targets_of_the_makefile() -> None:
    called = set(MAKE.findall(scripts()))
    assert {"check", "deploy", "docs", "fuzz", "lock", "smoke", "stress", "unit"} <= called
    pages = {page.read_text() for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))} - {CHANGELOG}
    named = {name for page in pages for name in re.findall(r"(?:`|^)make ([a-z-]+)", page, re.MULTILINE)}
    assert (called | named) - TARGETS == set()


def test_only_tags_are_deployed_to_environments_of_samconfig_and_none_waits_for_another() -> None:
    jobs = WORKFLOWS["deploy.yml"]["jobs"]
    assert "startsWith(github.ref, 'refs/tags/v')" in jobs["check"]["if"]
    assert "concurrency" not in WORKFLOWS["deploy.yml"]
    deployed = {
        name: (job["environment"], job["steps"][-1]["with"]["environment"], job["concurrency"])
        for name, job in jobs.items()
        if "environment" in job
    }
    assert deployed == {name: (name, name, {"group": f"deploy-{name}"}) for name in ("staging", "production")}
    assert deployed.keys() <= tomllib.loads((ROOT / "samconfig.toml").read_text()).keys()


def test_only_the_step_that_deploys_gets_credentials() -> None:
    """What is built and tested before, and what checks the deployment, could read them in the environment."""
    (action,) = ACTIONS.values()
    build, credentials, deploy, smoke = action["runs"]["steps"]
    assert credentials["with"].items() >= {"output-credentials": True, "output-env-credentials": False}.items()
    assert MAKE.findall(build["run"] + deploy["run"] + smoke["run"]) == ["build", "deploy", "smoke"]
    assert [step for step in (build, smoke) if "steps.credentials" in str(step)] == []


def test_every_lock_is_updated_and_none_of_them_builds_a_package() -> None:
    """A build would run the package's code, in a workflow that may push."""
    commands = run("make", "--dry-run", "lock")
    (peers,) = re.findall(r"for peer in (.*?);", commands)
    written = {lock.replace("$peer", peer) for lock in re.findall(r"-o (\S+\.txt)", commands) for peer in peers.split()}
    assert written == set(run("git", "ls-files", "*requirements*.txt").split())
    assert "make lock" in scripts()
    compiled = [line for line in commands.splitlines() if " pip compile " in line]
    assert all(" --only-binary :all: " in line for line in compiled)
    assert compiled


def test_the_versions_agree_and_each_has_its_link() -> None:
    described = yaml_parse((ROOT / "docs" / "openapi.yaml").read_text())["info"]["version"]
    released = re.findall(r"^## \[(\d.*)\] - \d{4}-\d\d-\d\d$", CHANGELOG, re.MULTILINE)
    assert (described, released[0]) == (VERSION, VERSION)
    headings = re.findall(r"^## \[(.+?)\]", CHANGELOG, re.MULTILINE)
    links = dict(re.findall(r"^\[(.+?)\]: (\S+)$", CHANGELOG, re.MULTILINE))
    assert list(links) == headings
    assert links["Unreleased"] == f"../../compare/v{VERSION}...HEAD"
