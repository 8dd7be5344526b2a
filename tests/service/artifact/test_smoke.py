"""The check of a deployment, against the local gateway in front of the built artifact."""

import re
from base64 import b64encode
from collections.abc import Callable
from email.message import Message

import pytest
from click.testing import Result

from develop.fakes.server import ScriptedServer, reply
from develop.local import seeds
from develop.local.gateway import Reply, serve
from develop.local.stack import LocalService, serving
from operate.commands.smoke import ROUTE, UNKNOWN_KEY
from tests.support.operator import run

Smoke = Callable[..., Result]


@pytest.fixture
def smoke(running: LocalService) -> Smoke:
    def check(url: str = running.url, situation: str = "download_archived", key: str = seeds.KEY) -> Result:
        return run("smoke", "--url", url, "--id", seeds.signature_id(situation), answer=key)

    return check


@pytest.mark.threat("API5")
def test_a_working_deployment_passes(running: LocalService, smoke: Smoke) -> None:
    for suffix in ("/", ROUTE):
        result = smoke(running.url + suffix)
        assert result.exit_code == 0, result.output
        assert result.output.splitlines()[-1] == "Checks: 17 ok, 0 failed, notes: 0."
        assert seeds.KEY not in result.output


def test_a_gateway_with_its_own_errors_fails_the_check(smoke: Smoke) -> None:
    with ScriptedServer(reply(403, b'{"message":"Missing Authentication Token"}')) as bare:
        result = smoke(bare.url)
    assert result.exit_code == 1
    assert "the body is not the error not_found" in result.output
    assert "Checks: 0 ok, 14 failed, notes: 3." in result.output
    assert "not 200" in result.output


def test_what_aws_does_not_document_is_noted_and_fails_nothing(running: LocalService, smoke: Smoke) -> None:
    """Base64 for a client without Accept, and API Gateway's own error for an unknown route."""

    def answer(method: str, target: str, headers: Message, body: bytes) -> Reply:
        if method == "POST" or target == "/v1/nothing":
            return Reply(403, [], b'{"message":"Missing Authentication Token"}')
        response = running.api(method, target, headers, body)
        is_text = method == "GET" and response.status == 200 and "Accept" not in headers
        return Reply(response.status, response.headers, b64encode(response.body)) if is_text else response

    server = serve(answer, "127.0.0.1", 0)
    with serving(server):
        result = smoke(f"http://127.0.0.1:{server.server_address[1]}")
    verdicts = dict(re.findall(r"^(.+?)  +\d{3} +(.+?) *$", result.output, re.MULTILINE))
    unlike = {name: verdict.partition(": ")[0] for name, verdict in verdicts.items() if verdict != "ok"}
    assert unlike == dict.fromkeys(("no Accept", "unknown route", "POST"), "note")
    assert "base64 text: see the API's binary media types" in verdicts["no Accept"]
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "Checks: 14 ok, 0 failed, notes: 3.")


def test_other_bytes_fail_the_check(running: LocalService, smoke: Smoke) -> None:
    """A part is too long, and an error tells one key from another."""

    def answer(method: str, target: str, headers: Message, body: bytes) -> Reply:
        answered = running.api(method, target, headers, body)
        is_unknown = UNKNOWN_KEY in headers.get("Authorization", "")
        changed = answered.body.replace(b'"}}', b'."}}') if is_unknown else answered.body
        return Reply(answered.status, answered.headers, changed + b" " * (headers.get("Range") == "bytes=0-99"))

    server = serve(answer, "127.0.0.1", 0)
    with serving(server):
        result = smoke(f"http://127.0.0.1:{server.server_address[1]}")
    failed = re.findall(r"^(.+?)  +\d{3} +failed: unexpected bytes$", result.output, re.MULTILINE)
    assert failed == ["Range", "unknown key"]
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "Checks: 15 ok, 2 failed, notes: 0.")
