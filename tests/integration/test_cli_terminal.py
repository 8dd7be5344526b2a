"""`certificates` on terminals of any width, in pipes, interrupted, and without a connection to AWS."""

import io
import json
import os
import re
import runpy
import sys
from collections.abc import Callable, Iterator

import pytest
from botocore.retries.standard import ExponentialBackoff

from tests.conftest import PARAMETERS
from tests.support.operator import Operator, Terminal, operator, run, signature_id
from tests.support.server import ScriptedServer, reply
from tools.operate.commands import main
from tools.template import Stack

COLOUR = re.compile(r"\x1b\[(\d+;)*[349]\d")
BAR = "━"
PREFIX, DAY, NAME = "ck_live_aaaaa", "2026-06-01", "a name of several words that is rather long"
NOT_LATIN = "契約"

CHECK = "Check --region, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL."


@pytest.fixture(scope="module")
def operate() -> Iterator[Operator]:
    """Two keys, and a certificate that the archive lacks."""
    with operator(Stack("craftkit-terminal", PARAMETERS)) as found:
        for name in (NAME, NOT_LATIN):
            texts = {
                "keyHash": name,
                "prefix": PREFIX,
                "projectId": "prj_1",
                "name": name,
                "createdAt": f"{DAY}T09:00:00.000Z",
            }
            item = {attribute: {"S": text} for attribute, text in texts.items()}
            found.aws.client("dynamodb").put_item(TableName=found.name("ApiKeysTable"), Item=item)
        found.seed(1)
        yield found


@pytest.fixture
def run_in_terminal(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    """Runs a command on a terminal."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def run_command(*command: str, columns: int = 80) -> Terminal:
        monkeypatch.setenv("COLUMNS", str(columns))
        terminal = Terminal()
        with monkeypatch.context() as there:
            there.setattr(sys, "stdout", terminal)
            with pytest.raises(SystemExit):
                main([*command, "--stack", operate.stack.name])
        return terminal

    return run_command


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_tables_and_bars_fit_the_terminal_and_break_no_word(
    run_in_terminal: Callable[..., Terminal], columns: int
) -> None:
    keys, findings = (
        run_in_terminal(*command, columns=columns) for command in (("keys", "list"), ("archive", "verify"))
    )
    assert max(len(line.rstrip()) for line in keys.lines + findings.lines) <= columns
    assert {PREFIX, "prj_1", DAY, "active", *NAME.split()} <= set(" ".join(keys.lines).split())
    assert {"missing", signature_id(1), "prj_1"} <= set(" ".join(findings.lines).split())
    assert BAR in findings.getvalue()


def test_no_color_is_respected(run_in_terminal: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = run_in_terminal("archive", "verify").getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    assert COLOUR.search(coloured)
    assert not COLOUR.search(run_in_terminal("archive", "verify").getvalue())


def test_without_a_terminal_there_is_no_bar_even_with_forced_colour(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    result = operate("archive", "verify", "--json")
    assert (json.loads(result.stdout)["missing"], result.stderr) == (1, "")


@pytest.mark.parametrize("command", [("archive", "verify"), ("keys", "create", "--project", "prj_2")])
def test_a_closed_pipe_ends_quietly(
    operate: Operator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe, monkeypatch.context() as there:
        there.setattr(sys, "stdout", pipe)
        with pytest.raises(SystemExit) as end:
            main([*command, "--stack", operate.stack.name])
    assert (end.value.code, capsys.readouterr().err) == (141, "")


def test_a_full_disk_is_reported_in_one_line(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class FullDisk(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", FullDisk())
    with pytest.raises(SystemExit) as end:
        main(["keys", "list", "--stack", operate.stack.name])
    assert (end.value.code, capsys.readouterr().err) == (2, "Error: [Errno 28] No space left on device.\n")


@pytest.mark.parametrize(
    ("encoding", "shown"), [("cp1252", rb"\u5951\u7d04"), ("koi8-r", rb"\u5951\u7d04"), ("utf-8", NOT_LATIN.encode())]
)
def test_a_terminal_that_is_not_utf_8_gets_escapes(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, encoding: str, shown: bytes
) -> None:
    def run_tools(*arguments: str) -> tuple[object, bytes, bytes]:
        monkeypatch.setattr(sys, "argv", ["tools", *arguments])
        with monkeypatch.context() as there:
            streams = [io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2)]
            there.setattr(sys, "stdout", streams[0])
            there.setattr(sys, "stderr", streams[1])
            with pytest.raises(SystemExit) as end:
                runpy.run_module("tools", run_name="__main__")
        for stream in streams:
            stream.flush()
        output, errors = (bytes(stream.buffer.getvalue()) for stream in streams)
        return end.value.code, output, errors

    code, output, errors = run_tools("keys", "list", "--stack", operate.stack.name)
    assert (code, output.count(shown), errors) == (0, 1, b"")
    code, output, errors = run_tools("keys", "list", "--stack", operate.stack.name, NOT_LATIN)
    assert (code, output, errors.count(shown)) == (2, b"", 1)


def test_an_interruption_while_modules_are_imported_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupts:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "tools.operate.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "tools.operate.commands")
    monkeypatch.setattr(sys, "meta_path", [Interrupts(), *sys.meta_path])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("tools", run_name="__main__")
    assert end.value.code == 130


@pytest.mark.parametrize(
    ("environment", "options", "message"),
    [
        (
            {"AWS_DEFAULT_REGION": ""},
            (),
            f"Invalid endpoint: https://cloudformation..amazonaws.com. {CHECK}",
        ),
        (
            {},
            ("--region", "no where"),
            f"Provided region_name 'no where' doesn't match a supported format. {CHECK}",
        ),
        (
            {"AWS_ENDPOINT_URL": "nowhere"},
            (),
            f"Invalid endpoint: nowhere. {CHECK}",
        ),
        (
            {"AWS_PROFILE": "none"},
            (),
            "The config profile (none) could not be found. Set AWS_PROFILE to one of `aws configure list-profiles`.",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://[::1]:1"},
            (),
            'Could not connect to the endpoint URL: "http://[::1]:1/". Check the network, the proxy and the region.',
        ),
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
        (
            403,
            "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>Too late</Message></Error></ErrorResponse>",
            "AWS refused DescribeStacks: Too late. Sign in again, or set AWS_PROFILE.",
        ),
        (
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>You may not</Message></Error></ErrorResponse>",
            "AWS refused DescribeStacks: You may not.",
        ),
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


def test_another_server_on_the_port_is_not_taken_for_the_local_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(reply(404, b"not found\n")) as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        result = run("keys", "list", "--local", "--port", str(server.port - 1))
        port = server.port - 1
    message = f"Error: No local service runs on port {port}. Start it: make run PORT={port}\n"
    assert (result.exit_code, result.stderr, len(server.requests)) == (2, message, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--url", "example.com"), "must start with https://, like the stack's output CertificateUrl"),
        (("--key", "Bearer canary"), "a key consists of A-Z a-z 0-9 _ -"),
        (("--id", "1"), "'1' is not a valid UUID."),
    ],
)
def test_smoke_says_which_option_is_wrong(options: tuple[str, str], message: str) -> None:
    right = {"--url": "http://127.0.0.1:1", "--key": "ck_live_a", "--id": signature_id(1)} | dict([options])
    result = run("smoke", *(word for option in right.items() for word in option))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for '{options[0]}': {message}"
    assert "canary" not in result.stderr
