"""The stack that each command of `certificates` works on."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import moto
import pytest
from botocore.retries.standard import ExponentialBackoff

from develop.environment import REGION
from develop.local.aws import serve_aws
from develop.local.resources import create_queues, create_resources
from develop.local.stack import make_stack, serving
from develop.template import ROOT, Stack
from operate.stack import find_local
from tests.support.operator import Operator, deploy, json_lines, run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Give either --stack NAME or --local."),
        (("--local", "--stack", "a"), "Give either --stack NAME or --local."),
        (("--stack", "a", "--port", "3000"), "--port needs --local."),
        (("--local", "--region", "eu-west-1"), "--region needs --stack."),
        (("--stack", ""), "Give either --stack NAME or --local."),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("archive", "reconcile"),
        ("archive", "verify"),
        ("archive", "status"),
        ("evidence", "0f8fad5b-d9cb-469f-a165-000000000001", "--out", "out"),
        ("keys", "list"),
        ("keys", "create", "--project", "a"),
        ("keys", "revoke", "a"),
    ],
)
def test_each_command_takes_one_stack(command: tuple[str, ...], options: tuple[str, ...], message: str) -> None:
    result = run(*command, *options)
    assert (result.exit_code, result.stdout, result.stderr.splitlines()[-1]) == (2, "", f"Error: {message}")


def test_a_stack_that_does_not_exist_is_named(operate: Operator) -> None:
    assert operate
    result = run("archive", "status", "--stack", "none")
    advice = "Run `aws cloudformation describe-stacks` to list the stacks."
    message = f"Error: No stack none in {REGION}. {advice}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)
    result = run("archive", "status", "--stack", operate.stack.name, "--region", "eu-west-1")
    message = f"Error: No stack {operate.stack.name} in eu-west-1. {advice}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


@pytest.mark.usefixtures("operate")
def test_a_stack_of_something_else_is_refused() -> None:
    deploy("other", {"Url": "https://example.com"})
    result = run("archive", "status", "--stack", "other")
    words = "has no output ArchiveQueueUrl: is it a stack of this project, deployed with this version?"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: Stack other {words}\n")


def test_missing_credentials_are_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    result = run("keys", "list", "--stack", "a")
    message = "Error: No AWS credentials found. Sign in, or set AWS_PROFILE.\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


def set_hostile_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config").write_text("[profile malformed\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "config"))
    monkeypatch.setenv("AWS_PROFILE", "elsewhere")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")


def test_a_local_service_that_does_not_run_is_reported_in_one_line_whatever_the_users_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_hostile_configuration(tmp_path, monkeypatch)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but not listening: no other process gets this port
        port = closed.getsockname()[1] - 1
        result = run("archive", "status", "--local", "--port", str(port))
    message = f"Error: No local service runs on port {port}. Give its --port, or start it: make run PORT={port}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


@pytest.fixture
def local_stack() -> Iterator[tuple[Stack, int]]:
    """The local stack without its functions, and its port."""
    stack = make_stack(provider_port=1)
    server = serve_aws(stack, "127.0.0.1", 0, {})
    with moto.mock_aws(), serving(server):
        url = f"http://127.0.0.1:{server.port}"
        create_resources(stack, "secret", boto3.Session(), url)
        create_queues(stack, boto3.Session(), url)
        yield stack, server.port - 1


def test_the_local_service_is_found_by_its_port_whatever_the_users_configuration(
    local_stack: tuple[Stack, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, port = local_stack
    set_hostile_configuration(tmp_path, monkeypatch)
    made = run("keys", "create", "--project", "prj_1", "--local", "--port", str(port))
    listed = run("keys", "list", "--json", "--local", "--port", str(port))
    dry_run = run("archive", "reconcile", "--dry-run", "--local", "--port", str(port))
    assert [result.exit_code for result in (made, listed, dry_run)] == [0, 0, 0]
    assert [key["prefix"] for key in json_lines(listed.stdout)] == [made.stdout[:13]]
    assert find_local(port).parameters == stack.parameters


def test_the_local_service_has_no_logs_about_a_certificate(local_stack: tuple[Stack, int], tmp_path: Path) -> None:
    stack, port = local_stack
    operate, out = Operator(stack), tmp_path / "out"
    id_ = operate.seed(1)
    operate.archive(1)
    result = run("evidence", id_, "--out", str(out), "--local", "--port", str(port))
    line = "not determined: The log lines could not be read: the local stack has no logs."
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-2:] == [line, f"Contradictions: 0. The evidence is in {out}."]


def test_the_installed_program_loads_nothing_that_only_development_needs(local_stack: tuple[Stack, int]) -> None:
    _, port = local_stack
    program = Path(sys.executable).with_name("certificates")
    result = subprocess.run(
        [sys.executable, "-X", "importtime", program, "archive", "status", "--local", "--port", str(port), "--json"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(result.stdout)["waiting"] == 0
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "operate.commands.archive" in loaded
    development = ("develop.local", "develop.template", "samtranslator", "moto", "rich", "pyhanko", "fpdf")
    assert {name for name in loaded if name.startswith(development)} == set()
