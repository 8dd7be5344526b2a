"""`make build` and `make deploy`, run in a temporary folder with stand-ins for `sam` and `certificates`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from samcli.lib.config.samconfig import SamConfig

from develop.template import ROOT, TEMPLATE, Stack
from tests.support.checkout import Checkout
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
CHECK = "provider check --parameters samconfig.local.toml --env"
DEPLOY = "deploy --config-file samconfig.local.toml --config-env"


@pytest.fixture
def clone(checkout: Checkout) -> Checkout:
    """What `make build` needs. The environments, which it would create, are the newest."""
    checkout.copy("samconfig.toml", "template.yaml")
    needed = ["requirements-uv.txt", "requirements-dev.txt", "pyproject.toml", ".python-version"]
    needed += ["layers/dependencies/requirements.txt", "develop/build/trim.py"]
    files = dict.fromkeys(needed, "") | {"built.yaml": BUILT, ".uv/ready": str(checkout.folder.resolve())}
    for name, text in (files | {".venv/ready": ""}).items():
        checkout.write(name, text)
    add_program(checkout, "sam", SAM)
    add_program(checkout, "certificates", 'echo "$*" >>asked')
    return checkout


def add_program(clone: Checkout, name: str, script: str) -> None:
    clone.write(name, f"#!/bin/sh\n{script}", 0o755)


def run(clone: Checkout, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{clone.folder}{os.pathsep}{os.environ['PATH']}"
    return clone.run("make", "PYTHON=true", *arguments, PATH=path, **environment)


def make(clone: Checkout, *arguments: str, **environment: str) -> str:
    result = run(clone, *arguments, **environment)
    result.check_returncode()
    return result.stdout


def asked(clone: Checkout) -> list[str]:
    return clone.read("asked").splitlines()


def release(template: str) -> str:
    (name,) = re.findall(r"^        RELEASE: (.*)$", template, re.MULTILINE)
    return str(name)


def test_the_built_template_accepts_only_the_architecture_it_was_built_for(clone: Checkout) -> None:
    for architecture, other in (("arm64", "x86_64"), ("x86_64", "arm64")):
        make(clone, "build", f"ARCH={architecture}")
        template = BUILT.replace("Default: arm64", f"Default: {architecture}").replace(f"    - {other}\n", "")
        assert clone.read(".aws-sam/build/template.yaml") == template
    assert asked(clone) == [f"build --parameter-overrides Architecture={one}" for one in ("arm64", "x86_64")]


@pytest.mark.parametrize(("arguments", "architecture"), [((), "arm64"), (("ARCH=x86_64",), "x86_64")], ids=str)
def test_the_first_deployment_asks_for_the_parameters_and_deletes_old_versions(
    clone: Checkout, arguments: tuple[str, ...], architecture: str
) -> None:
    """A shell may have a variable ENV, the name of its start-up file."""
    *_, last = make(clone, "deploy", "PYTHON=echo", *arguments, ENV="/home/user/.shrc").splitlines()
    assert last == "-m develop.build.old_versions samconfig.local.toml default"
    assert asked(clone) == [
        f"build --parameter-overrides Architecture={architecture}",
        f"{DEPLOY} default --guided --no-execute-changeset",
        f"{CHECK} default",
        f"{DEPLOY} default",
    ]
    assert clone.read("samconfig.local.toml") == clone.read("samconfig.toml")
    ignored = subprocess.run(["git", "check-ignore", "--quiet", "samconfig.local.toml"], cwd=ROOT, check=False)  # noqa: S607
    assert ignored.returncode == 0


ANSWERS = {
    "as sam writes them": r'''parameter_overrides = "AlarmEmail=\"\" Architecture=\"x86_64\" A=\"\""''',
    "as people write them": '[{env}.deploy.parameters.parameter_overrides]\nArchitecture = "x86_64"',
}


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize(("env", "other"), [("staging", "default"), ("default", "staging"), ("staging", "stag")])
def test_later_deployments_use_the_saved_answers_of_their_environment_alone(
    clone: Checkout, env: str, other: str, answers: str
) -> None:
    table = f"[{env}.deploy.parameters]\n{answers.format(env=env)}\n"
    clone.write("samconfig.local.toml", table)
    make(clone, "deploy", f"ENV={env}")
    make(clone, "deploy", f"ENV={env}", CI="true")
    make(clone, "deploy", f"ENV={other}")
    build = "build --parameter-overrides Architecture"
    assert asked(clone) == [
        *(f"{build}=x86_64", f"{CHECK} {env}", f"{DEPLOY} {env}"),
        *(f"{CHECK} {env}", f"{DEPLOY} {env} --no-confirm-changeset"),
        *(f"{build}=arm64", f"{DEPLOY} {other} --guided --no-execute-changeset", f"{CHECK} {other}"),
        f"{DEPLOY} {other}",
    ]


def test_the_environments_have_stacks_of_their_own() -> None:
    config = SamConfig(ROOT, "samconfig.toml")
    for env, suffix, tag in (
        ("default", "", ""),
        ("staging", "-staging", " environment=staging"),
        ("production", "-production", " environment=production"),
    ):
        assert config.get_all(["deploy"], "parameters", env) == {
            "stack_name": f"craftkit-certificates{suffix}",
            "capabilities": "CAPABILITY_IAM",
            "resolve_s3": True,
            "tags": f"service=craftkit-certificates{tag}",
        }


def test_an_answer_with_which_a_function_would_not_start_stops_the_deployment(clone: Checkout) -> None:
    add_program(clone, "certificates", f'exec {Path(sys.executable).with_name("certificates")} "$@"')
    answers = Stack("s", PARAMETERS | {"ProviderAuthHeader": "Authorization: canary"}).parameters
    table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in answers.items())
    config = clone.read("samconfig.toml") + f"[staging.deploy.parameters.parameter_overrides]\n{table}"
    clone.write("samconfig.local.toml", config)
    result = run(clone, "deploy", "ENV=staging")
    words = 'ProviderAuthHeader: must have the form "Name: value" with {secret} in the value.'
    assert result.stderr.startswith(f"Error: {words} Set it in samconfig.local.toml (staging).\nmake: *** ")
    assert (result.returncode, "canary" in result.stdout + result.stderr) == (2, False)
    assert asked(clone) == ["build --parameter-overrides Architecture=arm64"]


def test_each_deployment_of_one_build_has_its_own_release(clone: Checkout) -> None:
    releases = [release(TEMPLATE.read_text())]
    for date in ("2026-11-25T04:30:00Z", "2026-11-26T04:30:00Z"):
        add_program(clone, "date", f"echo {date}")
        make(clone, "deploy")
        releases.append(release(clone.read("deployed.yaml")))
    assert releases == ["unnamed", "'2026-11-25T04:30:00Z'", "'2026-11-26T04:30:00Z'"]
    assert [line for line in asked(clone) if line.startswith("build")] == [
        "build --parameter-overrides Architecture=arm64"
    ]
