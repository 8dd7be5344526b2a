"""`certificates` on terminals, in pipes, interrupted, and without a connection to AWS."""

import os
import re
import sys
from contextlib import suppress
from types import SimpleNamespace

import pytest
from botocore.retries.standard import ExponentialBackoff

from develop.environment import REGION
from develop.fakes.server import ScriptedServer, reply
from develop.local import seeds
from develop.template import ROOT
from operate import command_line
from operate.cli import main
from tests.support.operator import Operator, Terminal, run, signature_id


def check(region: str) -> str:
    return f"Check the name, --region {region!r}, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL."


def error(code: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>No</Message></Error></ErrorResponse>"


def test_a_terminal_shows_a_bar_and_each_result_in_a_line_of_its_own(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operate.seed(1)
    terminal = Terminal()
    with monkeypatch.context() as there:
        there.setattr(sys, "stdout", terminal)
        there.setattr(sys, "stderr", terminal)
        with pytest.raises(SystemExit) as end:
            main(["archive", "verify", "--stack", operate.stack.name])
    lines = [re.split(r"\r(?:\x1b\[K)?", line)[-1] for line in terminal.getvalue().split("\n")]
    assert end.value.code == 1
    assert f"problem=missing  signatureRequestId={signature_id(1)}  projectId=prj_1" in lines
    assert re.search(r"Verifying +\[#+\] +1/1", terminal.getvalue())


def test_a_closed_pipe_ends_quietly(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    pipe = os.fdopen(writer, "w")
    with monkeypatch.context() as there:
        there.setattr(sys, "stdout", pipe)
        with pytest.raises(SystemExit) as end:
            main(["keys", "list", "--stack", operate.stack.name])
    assert (end.value.code, capsys.readouterr().err) == (1, "")
    with suppress(BrokenPipeError):
        pipe.close()


NETWORK = "Check the network, the proxy and the region."
NO_CREDENTIALS = {
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ""),
    **dict.fromkeys(("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"), "none"),
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.mark.parametrize(
    ("environment", "options", "message"),
    [
        ({"AWS_DEFAULT_REGION": ""}, (), f"Invalid endpoint: https://cloudformation..amazonaws.com. {check('')}"),
        ({}, ("--region", "a b"), f"Provided region_name 'a b' doesn't match a supported format. {check('a b')}"),
        ({"AWS_ENDPOINT_URL": "nowhere"}, (), f"Invalid endpoint: nowhere. {check(REGION)}"),
        (
            {"AWS_ENDPOINT_URL": "http://[::1]:1"},
            (),
            f'Could not connect to the endpoint URL: "http://[::1]:1/". {NETWORK}',
        ),
        (NO_CREDENTIALS, (), "No AWS credentials found. Sign in, or set AWS_PROFILE."),
    ],
)
def test_a_failed_connection_to_aws_is_reported_in_one_line_with_advice(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], options: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = run("archive", "status", "--stack", "a", *options)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {message}\n")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (403, error("ExpiredToken"), "AWS refused DescribeStacks: No. Sign in again, or set AWS_PROFILE."),
        (403, error("AccessDenied"), "AWS refused DescribeStacks: No."),
        (200, "Please sign in to this network", "The response is not from AWS. Check the proxy and AWS_ENDPOINT_URL."),
    ],
)
def test_an_error_from_aws_is_reported_in_one_line_with_advice(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, message: str
) -> None:
    with ScriptedServer(reply(status, body.encode())) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        result = run("archive", "status", "--stack", "a")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {message}\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--url", "example.com"), "must start with https://, like the stack's output CertificateUrl"),
        (("--url", "http://192.0.2.1/"), "must start with https://, like the stack's output CertificateUrl"),
        (("--id", "1"), "'1' is not a valid UUID."),
    ],
)
def test_smoke_says_which_option_is_wrong(options: tuple[str, str], message: str) -> None:
    right = {"--url": "http://127.0.0.1:1", "--id": signature_id(1)} | dict([options])
    result = run("smoke", *(word for option in right.items() for word in option))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for '{options[0]}': {message}"


@pytest.mark.parametrize("key", ["", "Bearer canary", "canary\udcff"])
def test_a_key_is_read_from_the_environment_or_standard_input_and_never_from_an_argument(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    arguments = ("smoke", "--url", "http://127.0.0.1:1", "--id", signature_id(1))
    message = "Error: This is not an API key: set KEY, or give it on standard input."
    result = run(*arguments, answer=key.encode(errors="surrogateescape"))
    assert (result.exit_code, result.stdout, result.stderr.splitlines()[-1]) == (2, "", message)
    assert "canary" not in result.stderr
    assert "No such option" in run(*arguments, "--key", seeds.KEY).stderr
    monkeypatch.setenv("KEY", seeds.KEY)
    assert run(*arguments).stderr == "Error: No response (NewConnectionError). Check --url and the network.\n"


def test_a_key_is_asked_for_at_a_terminal_without_an_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.prompt", lambda *texts, **options: f"{texts} {options}")
    assert command_line.read_key() == "('API key',) {'hide_input': True, 'err': True}"


def test_the_version_is_the_projects() -> None:
    version = re.search('^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert run("--version").output == f"certificates {version[1]}\n"
