"""`provider check`, step by step."""

import json
import re
from collections.abc import Callable
from typing import Any

import boto3
import moto
import pytest
from click.testing import CliRunner, Result

from certificates import provider
from tests.conftest import PARAMETERS
from tests.support.pdf import pdf
from tools.fake_cloud.server import Answer, ScriptedServer, raw, reply
from tools.operate import target
from tools.operate.commands import main
from tools.operate.provider import ADVICE
from tools.operate.target import Target
from tools.template import REGION, ROOT

HOSTILE = "\x1b]0;owned\x07\x9b31m\u202e\u2066\u200f"
SECRET = "s3cret-canary"  # noqa: S105

Check = Callable[..., tuple[Result, ScriptedServer]]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    monkeypatch.setattr(provider, "RETRY_PAUSE", 0.001)

    def run(answer: Answer, **parameters: str) -> tuple[Result, ScriptedServer]:
        session = boto3.Session(region_name=REGION)
        with moto.mock_aws(), ScriptedServer(answer) as server:
            session.client("secretsmanager").create_secret(Name=PARAMETERS["ProviderSecretName"], SecretString=SECRET)
            url = {"ProviderCertificateUrl": f"{server.url}/v1/requests/{{providerRequestId}}/certificate"}
            defaults = {"ProviderLinkField": "", "ProviderLinkHosts": "", "MaxCertificateBytes": "20971520"}
            stack = Target("s", session, {}, {}, {**PARAMETERS, **defaults, **url, **parameters})
            monkeypatch.setattr(target, "find_deployed", lambda *_: stack)
            return CliRunner().invoke(main, ["provider", "check", "--stack", "s", "--request", "a/1"]), server

    return run


def said(result: Result) -> list[str]:
    """Seconds are left out."""
    return [re.sub(r"after [0-9.]+ s", "after … s", line) for line in result.output.splitlines()]


def test_a_certificate_is_accepted_and_not_archived(check: Check) -> None:
    result, server = check(reply(body=pdf()))
    assert said(result)[:4] == [
        f"GET {server.url}/v1/requests/a%2F1/certificate",
        "    Authorization: Bearer ********",
        "    200 after … s: 2,000 bytes, a PDF",
        "Accepted: a whole PDF of 2,000 bytes. Nothing was archived.",
    ]
    assert result.exit_code == 0


def test_a_link_is_followed_and_only_its_host_is_said(check: Check) -> None:
    with ScriptedServer(reply(body=pdf())) as files:
        link = f"http://localhost:{files.port}/canary?signature=canary"
        body = json.dumps({"data": {"url": link}}).encode()
        result, _ = check(reply(body=body), ProviderLinkField="data.url", ProviderLinkHosts="localhost")
    assert said(result)[2:6] == [
        f"    200 after … s: {len(body)} bytes, JSON",
        "    data.url holds a link",
        f"GET http://localhost:{files.port}/… (without the secret)",
        "    200 after … s: 2,000 bytes, a PDF",
    ]
    assert (result.exit_code, "canary" in result.output) == (0, False)


def test_a_redirect_is_followed_and_only_its_host_is_said(check: Check) -> None:
    with ScriptedServer(reply(body=pdf())) as files:
        location = {"Location": f"http://localhost:{files.port}/canary?signature=canary"}
        result, _ = check(reply(302, headers=location), ProviderLinkHosts="localhost")
        refused, _ = check(reply(302, headers=location), ProviderLinkHosts="unknown.invalid")
    redirect = "    302 after … s: a redirect"
    assert said(result)[2:5] == [
        redirect,
        f"GET http://localhost:{files.port}/… (without the secret)",
        "    200 after … s: 2,000 bytes, a PDF",
    ]
    assert said(refused)[2:] == [
        redirect,
        f"    it leads to localhost:{files.port}, which is refused",
        f"Refused: status. {ADVICE['status']}",
    ]
    assert (result.exit_code, refused.exit_code, "canary" in result.output + refused.output) == (0, 1, False)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("https://files.example.com/a?canary", "it leads to files.example.com:443, which is refused"),
        ("http://files.example.com/canary", "it leads to something that is http to another machine"),
        ("https://canary@files.example.com/", "it leads to something that is not a plain https URL"),
    ],
)
def test_a_refused_link_names_its_host(check: Check, link: str, words: str) -> None:
    body = json.dumps({"url": link}).encode()
    result, _ = check(reply(body=body), ProviderLinkField="url", ProviderLinkHosts="unknown.invalid")
    assert words in result.output
    assert f"Refused: link_refused. {ADVICE['link_refused']}" in result.output
    assert (result.exit_code, "canary" in result.output) == (1, False)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"ProviderLinkField": "url", "ProviderLinkHosts": "localhost"},
        {"ProviderLinkField": HOSTILE},
        {"ProviderLinkHosts": HOSTILE},
        {"ProviderAuthHeader": f"Authorization: {HOSTILE} {{secret}}"},
        {"ProviderAuthHeader": f"{HOSTILE}: {{secret}}"},
        {"ProviderCertificateUrl": f"https://{HOSTILE}/{{providerRequestId}}"},
        {"MaxCertificateBytes": HOSTILE},
    ],
)
@pytest.mark.parametrize("link", [f"https://{HOSTILE}/", f"https://files.example.com/{HOSTILE}", HOSTILE])
def test_links_and_parameters_are_printable(check: Check, link: str, parameters: dict[str, str]) -> None:
    result, _ = check(reply(body=json.dumps({"url": link, HOSTILE: link}).encode()), **parameters)
    assert isinstance(result.exception, SystemExit)
    assert {character for character in result.output if not character.isprintable()} == {"\n"}


@pytest.mark.parametrize(
    ("answer", "step", "reason"),
    [
        (reply(403, b"canary"), "403 after … s", "status"),
        (raw(b"canary\r\n\r\n"), "no answer after … s", "unreachable"),
        (reply(body=b"PK\x03\x04canary"), "200 after … s: 10 bytes, a ZIP", "not_a_pdf"),
        (reply(body=b"JVBERi0canary"), "200 after … s: 13 bytes, base64 of a PDF", "not_a_pdf"),
        (reply(body=b""), "200 after … s: 0 bytes, something else", "not_a_pdf"),
    ],
)
def test_a_refusal_says_why(check: Check, answer: Answer, step: str, reason: str) -> None:
    result, _ = check(answer)
    assert f"    {step}" in said(result)
    assert f"Refused: {reason}. {ADVICE[reason]}" in result.output
    assert result.exit_code == 1
    assert "canary" not in result.output


def test_a_wrong_parameter_names_itself(check: Check) -> None:
    result, server = check(reply(), ProviderAuthHeader="canary")
    assert result.exit_code == 2
    assert result.output.startswith("Error: ProviderAuthHeader: ")
    assert ("canary" in result.output, server.connections) == (False, 0)


def test_every_reason_has_its_advice() -> None:
    sources = [ROOT / "layers" / "certificates" / "certificates" / name for name in ("provider.py", "https.py")]
    raised: set[Any] = set()
    for source in sources:
        raised |= set(re.findall(r'ProviderFailed\(\s*"(\w+)"|failure\.reason = "(\w+)"', source.read_text()))
    assert {first or second for first, second in raised} == set(ADVICE)
