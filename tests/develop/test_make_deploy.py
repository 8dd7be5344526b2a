"""`make build` and `make deploy`, run in a temporary folder with stand-ins for `sam` and `certificates`."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from samcli.lib.config.samconfig import SamConfig

from develop.template import ROOT, TEMPLATE, Stack
from tests.support.stack import PARAMETERS

SAM = """\
# Records its arguments. `build` writes the template as the real command does, `deploy` keeps what it was given.
echo "$*" >>asked
case $1 in
build) mkdir -p .aws-sam/build; cp built.yaml .aws-sam/build/template.yaml;;
deploy) cp .aws-sam/build/template.yaml deployed.yaml;;
esac
"""
BUILT = """\
Parameters:
  Architecture:
    Type: String
    Default: arm64
    AllowedValues:
    - arm64
    - x86_64
    Description: Processor architecture of the functions and their layers.
  DownloadSnapStart:
    Type: String
    Default: PublishedVersions
Globals:
  Function:
    Environment:
      Variables:
        RELEASE: unnamed
        PYDANTIC_DISABLE_PLUGINS: '1'
"""
ANSWERS = {
    "as sam writes them": r"""
[default.deploy.parameters]
parameter_overrides = "SignaturesTableName=\"\" Architecture=\"x86_64\" AlarmEmail=\"a@e.com\""
""",
    "as people write them": """
[default.deploy.parameters.parameter_overrides]
Architecture = "x86_64"
""",
}


CHECK = "provider check --parameters samconfig.local.toml --env"
DEPLOY = "deploy --config-file samconfig.local.toml --config-env"


@dataclass(frozen=True)
class Clone:
    folder: Path

    def make(self, *arguments: str, **environment: str) -> str:
        result = self.run(*arguments, **environment)
        result.check_returncode()
        return result.stdout

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", **environment}
        command = ["make", "PYTHON=true", *arguments]
        return subprocess.run(command, cwd=self.folder, env=variables, check=False, capture_output=True, text=True)

    def add_program(self, name: str, script: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{script}")
        (self.folder / name).chmod(0o755)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def asked(self) -> list[str]:
        return self.read("asked").splitlines()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    for name in ("Makefile", "samconfig.toml", "template.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("functions", "layers/dependencies", "develop/build", ".uv", ".venv"):
        (tmp_path / name).mkdir(parents=True)
    # What `make build` needs; the environments, which it would create, are the newest.
    needed = (
        "requirements-uv.txt",
        "requirements-dev.txt",
        "pyproject.toml",
        ".python-version",
        "layers/dependencies/requirements.txt",
    )
    (tmp_path / ".uv" / "ready").write_text(str(tmp_path.resolve()))
    for name in (*needed, "develop/build/trim.py", ".uv/ready", ".venv/ready"):
        (tmp_path / name).touch()
    (tmp_path / "built.yaml").write_text(BUILT)
    clone = Clone(tmp_path)
    clone.add_program("sam", SAM)
    clone.add_program("certificates", 'echo "$*" >>asked')
    return clone


def built_for(architecture: str, other: str) -> str:
    return BUILT.replace("Default: arm64", f"Default: {architecture}").replace(f"    - {other}\n", "")


def release(template: str) -> str:
    (name,) = re.findall(r"^        RELEASE: (.*)$", template, re.MULTILINE)
    return str(name)


@pytest.mark.parametrize(("architecture", "other"), [("arm64", "x86_64"), ("x86_64", "arm64")])
def test_the_built_template_accepts_only_the_architecture_it_was_built_for(
    clone: Clone, architecture: str, other: str
) -> None:
    clone.make("build", f"ARCH={architecture}")
    assert clone.asked() == [f"build --parameter-overrides Architecture={architecture}"]
    assert clone.read(".aws-sam/build/template.yaml") == built_for(architecture, other)


@pytest.mark.parametrize(
    ("arguments", "architecture"), [((), "arm64"), (("ARCH=x86_64",), "x86_64")], ids=["default", "x86_64"]
)
def test_the_first_deployment_asks_for_the_parameters_and_keeps_the_answers_out_of_git(
    clone: Clone, arguments: tuple[str, ...], architecture: str
) -> None:
    clone.make("deploy", *arguments)
    assert clone.asked() == [
        f"build --parameter-overrides Architecture={architecture}",
        f"{DEPLOY} default --guided --no-execute-changeset",
        f"{CHECK} default",
        f"{DEPLOY} default",
    ]
    assert clone.read("samconfig.local.toml") == clone.read("samconfig.toml")
    ignored = subprocess.run(["git", "check-ignore", "--quiet", "samconfig.local.toml"], cwd=ROOT, check=False)  # noqa: S607
    assert ignored.returncode == 0


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize(
    ("variables", "option"), [({}, ""), ({"CI": "true"}, "--no-confirm-changeset")], ids=["terminal", "CI"]
)
def test_later_deployments_build_for_the_saved_architecture_and_ask_for_no_parameter(
    clone: Clone, variables: dict[str, str], option: str, answers: str
) -> None:
    (clone.folder / "samconfig.local.toml").write_text(answers)
    clone.make("deploy", **variables)
    assert clone.asked() == [
        "build --parameter-overrides Architecture=x86_64",
        f"{CHECK} default",
        f"{DEPLOY} default {option}".strip(),
    ]


def test_the_environments_have_stacks_of_their_own() -> None:
    config = SamConfig(ROOT, "samconfig.toml")
    parameters = {env: config.get_all(["deploy"], "parameters", env) for env in ("default", "staging", "production")}
    assert parameters == {
        env: {
            "stack_name": f"craftkit-certificates{suffix}",
            "capabilities": "CAPABILITY_IAM",
            "resolve_s3": True,
            "tags": f"service=craftkit-certificates{tag}",
        }
        for env, suffix, tag in (
            ("default", "", ""),
            ("staging", "-staging", " environment=staging"),
            ("production", "-production", " environment=production"),
        )
    }


@pytest.mark.parametrize(("answered", "other"), [("staging", "default"), ("default", "staging"), ("staging", "stag")])
def test_a_deployment_uses_only_the_answers_that_sam_saved_for_its_environment(
    clone: Clone, answered: str, other: str
) -> None:
    shutil.copy(clone.folder / "samconfig.toml", clone.folder / "samconfig.local.toml")
    config = SamConfig(clone.folder, "samconfig.local.toml")
    parameters = 'SignaturesTableName="" Architecture="x86_64" AlarmEmail="a@e.com"'
    config.put(["deploy"], "parameters", "parameter_overrides", parameters, answered)
    config.flush()
    for env in (answered, other):
        clone.make("deploy", f"ENV={env}")
    assert clone.asked() == [
        *("build --parameter-overrides Architecture=x86_64", f"{CHECK} {answered}", f"{DEPLOY} {answered}"),
        *("build --parameter-overrides Architecture=arm64", f"{DEPLOY} {other} --guided --no-execute-changeset"),
        *(f"{CHECK} {other}", f"{DEPLOY} {other}"),
    ]


def test_an_answer_with_which_a_function_would_not_start_stops_the_deployment(clone: Clone) -> None:
    clone.add_program("certificates", f'exec {Path(sys.executable).with_name("certificates")} "$@"')
    answers = Stack("s", PARAMETERS | {"ProviderAuthHeader": "Authorization: canary"}).parameters
    table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in answers.items())
    config = clone.read("samconfig.toml") + f"[staging.deploy.parameters.parameter_overrides]\n{table}"
    (clone.folder / "samconfig.local.toml").write_text(config)
    result = clone.run("deploy", "ENV=staging")
    words = 'ProviderAuthHeader: must have the form "Name: value" with {secret} in the value.'
    assert result.stderr.startswith(f"Error: {words} Set it in samconfig.local.toml (staging).\nmake: *** ")
    assert (result.returncode, "canary" in result.stdout + result.stderr) == (2, False)
    assert clone.asked() == ["build --parameter-overrides Architecture=arm64"]


def test_the_shells_variable_env_names_no_environment(clone: Clone) -> None:
    clone.make("deploy", ENV="/home/user/.shrc")
    assert "--config-env default" in clone.asked()[1]


def test_each_deployment_of_one_build_has_its_own_release(clone: Clone) -> None:
    releases = []
    for date in ("2026-11-25T04:30:00Z", "2026-11-26T04:30:00Z"):
        clone.add_program("date", f"echo {date}")
        clone.make("deploy")
        releases.append(release(clone.read("deployed.yaml")))
    assert releases == ["'2026-11-25T04:30:00Z'", "'2026-11-26T04:30:00Z'"]
    assert [line for line in clone.asked() if line.startswith("build")] == [
        "build --parameter-overrides Architecture=arm64"
    ]


def test_a_deployment_then_deletes_old_versions_of_its_own_stack(clone: Clone) -> None:
    *_, last = clone.make("--dry-run", "deploy", "ENV=staging").splitlines()
    assert last == "true -m develop.build.old_versions samconfig.local.toml staging"


def test_the_template_has_the_line_that_make_deploy_replaces() -> None:
    assert release(TEMPLATE.read_text()) == "unnamed"
