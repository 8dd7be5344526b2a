"""The stack that each command of `certificates` works on."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.retries.standard import ExponentialBackoff

from develop.environment import REGION
from develop.fakes.server import ScriptedServer, reply
from operate.evidence.logs import LogsUnavailable, read_logs
from operate.stack import find_local
from tests.support.operator import Operator, deploy, json_lines, local_operator, run

ONE_STACK = "Error: Give either --stack NAME, maybe with --region, or --local, maybe with --port."


@pytest.mark.parametrize(
    "options",
    [(), ("--local", "--stack", "a"), ("--stack", "a", "--port", "1"), ("--local", "--region", "a"), ("--stack", "")],
)
def test_a_command_takes_one_stack(options: tuple[str, ...]) -> None:
    result = run("archive", "status", *options)
    assert (result.exit_code, result.stdout, result.stderr.splitlines()[-1]) == (2, "", ONE_STACK)


def test_a_stack_that_does_not_exist_or_is_another_projects_is_named(operate: Operator) -> None:
    deploy("other", {"Url": "https://example.com"})
    words = "has no output ArchiveQueueUrl: is it a stack of this project, deployed with this version?"
    refused = "AWS refused DescribeStacks: Stack with id {} does not exist. Check the name, --region {!r}, {}."
    rest = "AWS_DEFAULT_REGION and AWS_ENDPOINT_URL"
    name = operate.stack.name
    for options, message in [
        (("other",), f"Stack other {words}"),
        (("none",), refused.format("none", REGION, rest)),
        ((name, "--region", "eu-west-1"), refused.format(name, "eu-west-1", rest)),
    ]:
        result = run("archive", "status", "--stack", *options)
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {message}\n")


def set_hostile_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config").write_text("[profile malformed\n")
    variables = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), str(folder / "config"))
    variables |= dict.fromkeys(("AWS_ENDPOINT_URL", "HTTP_PROXY"), "http://127.0.0.1:1")
    for name, value in (variables | {"AWS_PROFILE": "elsewhere", "AWS_USE_FIPS_ENDPOINT": "true"}).items():
        monkeypatch.setenv(name, value)


def test_a_local_service_that_does_not_run_is_reported_in_one_line_whatever_the_users_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_hostile_configuration(tmp_path, monkeypatch)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with socket.socket() as closed, ScriptedServer(reply(404, b"not found\n")) as other:
        closed.bind(("127.0.0.1", 0))  # bound, but not listening: no other process gets this port
        ports = closed.getsockname()[1] - 1, other.port - 1
        results = [run("archive", "status", "--local", "--port", str(port)) for port in ports]
    for port, result in zip(ports, results, strict=True):
        message = f"Error: No local service runs on port {port}. Give its --port, or start it: make run PORT={port}\n"
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)
    assert len(other.requests) == 1


def test_the_local_service_is_found_by_its_port_whatever_the_users_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with local_operator() as (operate, local):
        set_hostile_configuration(tmp_path, monkeypatch)
        made = run("keys", "create", "--project", "prj_1", *local)
        listed = run("keys", "list", "--json", *local)
        dry_run = run("archive", "reconcile", "--dry-run", *local)
        found = find_local(int(local[-1]))
    assert [result.exit_code for result in (made, listed, dry_run)] == [0, 0, 0]
    assert [key["prefix"] for key in json_lines(listed.stdout)] == [made.stdout[:13]]
    assert found.parameters == operate.stack.parameters
    with pytest.raises(LogsUnavailable, match="the local stack has no logs"):
        read_logs(found, "", None)


def test_a_command_loads_nothing_that_only_development_or_the_evidence_needs() -> None:
    program = Path(sys.executable).with_name("certificates")
    command = [sys.executable, "-X", "importtime", str(program), "archive", "status", "--help"]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "operate.commands.archive" in loaded
    packages = {"samtranslator", "moto", "rich", "asn1crypto", "fpdf", "matplotlib", "pyhanko", "uharfbuzz"}
    slow = ("develop.local", "develop.template", *packages)
    assert {name for name in loaded if name.startswith(slow)} == set()
