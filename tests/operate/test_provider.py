"""`provider check`, step by step, and `provider refresh`."""

import json
import re
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import moto
import pytest
from click.testing import CliRunner, Result

from certificates import budgets
from develop.environment import REGION
from develop.fakes.server import Response, ScriptedServer, raw, reply
from develop.local.aws import serve_aws
from develop.local.stack import REFRESH, make_stack, serving
from develop.template import ROOT, Stack
from functions.refresh_credential.handler import PERMANENT
from operate import stack as target
from operate.cli import main
from operate.commands import provider
from operate.commands.provider import ADVICE, REFRESH_ADVICE
from operate.stack import DeployedStack
from tests.support.operator import Operator, ScriptAws, deploy
from tests.support.operator import run as run_program
from tests.support.pdf import pdf
from tests.support.stack import OAUTH, PARAMETERS

SECRET = "s3cret-canary"  # noqa: S105

Check = Callable[..., tuple[Result, ScriptedServer]]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    monkeypatch.setattr(budgets, "PROVIDER_PAUSE", 0.001)

    def run(answer: Response, age: int = 0, **parameters: str) -> tuple[Result, ScriptedServer]:
        """`age` of the secret, in seconds."""
        session = boto3.Session(region_name=REGION)
        with moto.mock_aws(), ScriptedServer(answer) as server:
            secrets, name = session.client("secretsmanager"), PARAMETERS["ProviderSecretName"]
            secrets.create_secret(Name=name, SecretString=SECRET)
            now = secrets.get_secret_value(SecretId=name)["CreatedDate"].timestamp() + age
            monkeypatch.setattr(provider, "time", SimpleNamespace(time=lambda: now, perf_counter=time.perf_counter))
            url = {"ProviderCertificateUrl": f"{server.url}/v1/requests/{{providerRequestId}}/certificate"}
            defaults = {"ProviderLinkField": "", "ProviderLinkHosts": "", "MaxCertificateBytes": "20971520"}
            stack = DeployedStack("s", session, {}, {}, {**PARAMETERS, **defaults, **url, **parameters})
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


def test_a_link_or_a_redirect_is_followed_and_only_its_host_is_said(check: Check) -> None:
    with ScriptedServer(reply(body=pdf())) as files:
        location = f"http://localhost:{files.port}/canary?signature=canary"
        body, redirect = json.dumps({"data": {"url": location}}).encode(), reply(302, headers={"Location": location})
        linked, _ = check(reply(body=body), ProviderLinkField="data.url", ProviderLinkHosts="localhost")
        redirected, _ = check(redirect, ProviderLinkHosts="localhost")
        refused, _ = check(redirect, ProviderLinkHosts="unknown.invalid")
    get = [f"GET http://localhost:{files.port}/… (without the secret)", "    200 after … s: 2,000 bytes, a PDF"]
    link = [f"    200 after … s: {len(body)} bytes, JSON", "    data.url holds a link"]
    assert said(linked)[2:6] == [*link, *get]
    assert said(redirected)[2:5] == ["    302 after … s: a redirect", *get]
    assert said(refused)[2:] == [
        "    302 after … s: a redirect",
        f"    it leads to localhost:{files.port}, which is refused",
        f"Refused: status. {ADVICE['status']}",
    ]
    results = (linked, redirected, refused)
    assert [(result.exit_code, "canary" in result.output) for result in results] == [(0, False), (0, False), (1, False)]


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
    ("answer", "step", "reason"),
    [
        (reply(403, b"canary"), "403 after … s", "status"),
        (raw(b"canary\r\n\r\n"), "no response after … s", "unreachable"),
        (reply(body=b"PK\x03\x04canary"), "200 after … s: 10 bytes, a ZIP", "not_a_pdf"),
        (reply(body=b""), "200 after … s: 0 bytes, something else", "not_a_pdf"),
    ],
)
def test_a_refusal_says_why(check: Check, answer: Response, step: str, reason: str) -> None:
    result, _ = check(answer)
    assert f"    {step}" in said(result)
    assert f"Refused: {reason}. {ADVICE[reason]}" in result.output
    assert result.exit_code == 1
    assert "canary" not in result.output


def test_every_reason_has_its_advice() -> None:
    sources = [ROOT / "layers" / "certificates" / "certificates" / name for name in ("provider.py", "https.py")]
    raised: set[Any] = set()
    for source in sources:
        raised |= set(re.findall(r'ProviderFailed\(\s*"(\w+)"|failure\.reason = "(\w+)"', source.read_text()))
    assert {first or second for first, second in raised} == set(ADVICE)
    assert set(REFRESH_ADVICE) == {*PERMANENT, "credentials_changed"}


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (45, "age 45 seconds, refreshed every 20 minutes"),
        (20 * 60 + 59, "age 20 minutes, refreshed every 20 minutes"),
        (21 * 60, "age 21 minutes, refreshed every 20 minutes, which is overdue: run `certificates provider refresh`"),
    ],
)
def test_the_age_of_an_access_token_is_said_first(check: Check, age: int, words: str) -> None:
    parameters = {"ProviderTokenUrl": OAUTH["ProviderTokenUrl"], "ProviderTokenMinutes": "20"}
    result, server = check(reply(body=pdf()), age, **parameters)
    assert said(result)[:2] == [f"Access token: {words}", f"GET {server.url}/v1/requests/a%2F1/certificate"]
    assert result.exit_code == 0
    missing, _ = check(reply(), **parameters, ProviderSecretName="none")
    advice = "If there is none yet, run `certificates provider refresh`."
    assert said(missing) == [
        f"Access token: not read (ResourceNotFoundException). {advice}",
        f"Refused: secret_unavailable. {ADVICE['secret_unavailable']}",
    ]


def as_reply(**fields: Any) -> Response:
    """Lambda's response to Invoke."""
    raised = {"X-Amz-Function-Error": "Unhandled"} if "errorMessage" in fields else {}
    return reply(body=json.dumps(fields | {"milliseconds": 312.5}).encode(), headers=raised)


def refused(status: int, code: str, message: str) -> Response:
    return reply(status, json.dumps({"Message": message}).encode(), {"X-Amzn-ErrorType": code})


ANSWERED = [
    (as_reply(seconds=3600, rotated=False), 0, "New access token, which lives for 60 minutes."),
    (
        as_reply(seconds=60, rotated=True),
        0,
        "New access token, which lives for 60 seconds; a new refresh token was stored.",
    ),
    (as_reply(seconds=None, rotated=False), 0, "New access token."),
    (as_reply(reason="invalid_grant"), 1, f"Failed: invalid_grant. {REFRESH_ADVICE['invalid_grant']}"),
    (as_reply(errorType="E", errorMessage="timed_out"), 1, f"Failed: timed_out. {provider.IN_THE_LOG}"),
    (
        as_reply(errorType="X", errorMessage="a\nb\x1b]0;owned\x07"),
        1,
        f"Failed: a\ufffdb\ufffd]0;owned\ufffd. {provider.IN_THE_LOG}",
    ),
]
NOT_RUN = [
    (
        refused(429, "TooManyRequestsException", "Rate"),
        "Another run is in progress, or Lambda has no free concurrency. Try again soon.",
    ),
    (refused(404, "ResourceNotFoundException", "Function not found"), "AWS refused Invoke: Function not found."),
    (reply(body=b"<html>"), "The response is not from AWS. Check the proxy and AWS_ENDPOINT_URL."),
]


@pytest.mark.parametrize(
    ("answer", "exit_code", "words"), [*ANSWERED, *((answer, 2, f"Error: {words}") for answer, words in NOT_RUN)]
)
def test_a_refresh_runs_the_function_once_and_says_its_reply(
    operate: Operator, script_aws: ScriptAws, answer: Response, exit_code: int, words: str
) -> None:
    server = script_aws("LAMBDA", answer)
    result = operate("provider", "refresh")
    shown = ("", f"{words}\n") if exit_code == 2 else (f"{words}\n", "")
    assert (result.exit_code, result.stdout, result.stderr) == (exit_code, *shown)
    (request,) = server.requests
    path = f"/2015-03-31/functions/{operate.name(REFRESH)}/invocations?Qualifier=live"
    assert (request.method, request.target, request.body) == ("POST", path, b"{}")
    assert "x-amz-invocation-type" not in request.headers  # Lambda waits for the reply and does not retry


@pytest.mark.usefixtures("operate")
def test_a_stack_without_a_token_endpoint_has_nothing_to_refresh() -> None:
    deploy("static", Stack("static", PARAMETERS).outputs)
    result = run_program("provider", "refresh", "--stack", "static")
    words = "Stack static has no ProviderTokenUrl: there are no access tokens to refresh."
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {words}\n")


def fail(_event: bytes) -> bytes:
    raise RuntimeError("unreachable")


def test_the_local_service_runs_its_own_function() -> None:
    stack = Stack("craftkit-local", make_stack(1).parameters | OAUTH)
    for function, exit_code, words in [
        (lambda _: b'{"seconds": 600, "rotated": false}', 0, "New access token, which lives for 10 minutes."),
        (fail, 1, f"Failed: unreachable. {provider.IN_THE_LOG}"),
    ]:
        server = serve_aws(stack, "127.0.0.1", 0, {REFRESH: function})
        with serving(server):
            result = run_program("provider", "refresh", "--local", "--port", str(server.port - 1))
        assert (result.exit_code, result.stdout) == (exit_code, f"{words}\n")


def test_the_command_waits_longer_than_the_function_may_take(stack: Stack) -> None:
    start = 10
    assert stack.resources[REFRESH]["Properties"]["Timeout"] + start < provider.INVOKE.read_seconds
