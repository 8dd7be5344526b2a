"""The refresh function: each grant, rotation, crashes."""

import json
import socket
from base64 import urlsafe_b64decode
from codecs import BOM_UTF8
from typing import Any
from urllib.parse import parse_qsl

import botocore.client
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from develop.fakes.server import Response, reply
from functions.refresh_credential import handler as refresh
from tests.support.refresh import ASSERTING, CLIENT, KMS, ROTATING, SECRETS, SERVICE, STATIC, Refresh, issue
from tests.support.stack import OAUTH

AWS_CALL: Any = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001

# ── Grants ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.threat("provider-secret", "leaks-to-logs")
def test_client_credentials_become_an_access_token(run: Refresh) -> None:
    run.put(STATIC | {"parameters": {"scope": "read write", "subject_id": "1&2"}})
    run.endpoint.responses = [issue("canary-token")]
    fields = run()
    assert run.token() == "canary-token"
    (request,) = run.endpoint.requests
    assert (request.method, request.target) == ("POST", "/oauth/token")
    assert request.headers == {
        "host": f"127.0.0.1:{run.endpoint.port}",
        "accept-encoding": "identity",
        "user-agent": "craftkit-certificates",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(request.body)),
        "accept": "application/json",
        "authorization": "Basic Y2xpZW50OnMzY3JldA==",
    }
    assert request.body == b"scope=read+write&subject_id=1%262&grant_type=client_credentials"
    assert fields == {"seconds": 3600, "rotated": False, "milliseconds": fields["milliseconds"]}
    (line,), metrics = run.written()
    assert (line["message"], line["level"]) == ("credential_refreshed", "INFO")
    assert {name: line[name] for name in fields} == fields
    assert metrics == {"CredentialsRefreshed": [SERVICE]}


def test_a_refresh_token_that_stays_is_not_written_again(run: Refresh) -> None:
    run.put(ROTATING | {"client_authentication": "body"})
    run.endpoint.responses = [issue(), issue("access-2", "r1")]
    assert [run()["rotated"], run()["rotated"]] == [False, False]
    form = {"grant_type": "refresh_token", "refresh_token": "r1"} | CLIENT
    assert (run.forms(), run.token()) == ([form, form], "access-2")
    versions = SECRETS.list_secret_version_ids(SecretId=OAUTH["ProviderOAuthSecretName"])["Versions"]
    assert len(versions) == 2  # the fixture's, and the test's


def test_an_assertion_is_signed_by_the_key(run: Refresh) -> None:
    run.put(ASSERTING)
    sent: list[dict[str, Any]] = []
    client = refresh.SERVICES.sign.args[0]  # type: ignore[attr-defined]
    client.meta.events.register("provide-client-params.kms.Sign", lambda params, **_: sent.append(params))
    run()
    (form,) = run.forms()
    assert form.keys() == {"grant_type", "assertion"}
    assert "authorization" not in run.endpoint.requests[0].headers
    signed, _, signature = form["assertion"].rpartition(".")
    key = load_der_public_key(KMS.get_public_key(KeyId=refresh.SETTINGS.provider_signing_key_arn)["PublicKey"])
    assert isinstance(key, RSAPublicKey)
    asked = {"KeyId": refresh.SETTINGS.provider_signing_key_arn, "Message": signed.encode(), "MessageType": "RAW"}
    assert sent == [asked | {"SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}]
    key.verify(urlsafe_b64decode(signature + "=="), signed.encode(), padding.PKCS1v15(), SHA256())
    assert run.token() == "access-1"


@pytest.mark.parametrize(
    ("fields", "seconds", "is_short"),
    [
        ({"expires_in": 1500}, 1500, False),  # 20 minutes, and five for retries
        ({"expires_in": 1499}, 1499, True),
        ({"expires_in": "never"}, None, False),
        ({"expires_in": None}, None, False),
    ],
)
@pytest.mark.fault("refresh-no-lifetime", "refresh-short-life")
def test_a_token_that_ends_before_the_next_one_is_counted(
    run: Refresh, fields: dict[str, Any], seconds: int | None, *, is_short: bool
) -> None:
    run.endpoint.responses = [issue(**fields)]
    assert (run()["seconds"], run.token()) == (seconds, "access-1")
    (line,), metrics = run.written()
    assert line.get("seconds") == seconds
    assert metrics == {"CredentialsRefreshed": [SERVICE]} | ({"CredentialsShortLived": [SERVICE]} if is_short else {})


# ── Rotation ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class RotatingEndpoint:
    """Each refresh token is accepted once, and answered with the next one."""

    def __init__(self, run: Refresh) -> None:
        self.run = run
        self.valid = "r1"
        self.issued = 0
        run.put(ROTATING)
        run.endpoint.responses = [self.respond]

    def respond(self, connection: socket.socket) -> None:
        if dict(parse_qsl(self.run.endpoint.request.body.decode()))["refresh_token"] != self.valid:
            reply(400, b'{"error": "invalid_grant", "error_description": "canary"}')(connection)
            return
        self.issued += 1
        self.valid = f"canary-{self.issued}"
        issue(f"access-{self.issued}", self.valid)(connection)

    def give_consent(self) -> None:
        self.valid = "consent"
        self.run.put(ROTATING | {"refresh_token": "consent"})


@pytest.fixture
def rotating(run: Refresh) -> RotatingEndpoint:
    return RotatingEndpoint(run)


def test_a_new_refresh_token_replaces_the_one_that_was_used(run: Refresh, rotating: RotatingEndpoint) -> None:
    run.put(ROTATING | {"parameters": {"scope": "read"}})
    assert [run()["rotated"], run()["rotated"]] == [True, True]
    assert rotating.issued == 2
    assert run.token() == "access-2"
    assert run.credentials() == ROTATING | {"parameters": {"scope": "read"}, "refresh_token": "canary-2"}
    assert run.credentials("AWSPREVIOUS") == run.credentials() | {"refresh_token": "canary-1"}


def crash(patch: pytest.MonkeyPatch, number: int, when: str) -> None:
    """Ends the function before or after its n-th call to AWS."""
    calls = iter(range(1, 100))

    def call(client: Any, operation: str, parameters: Any) -> Any:
        is_last = next(calls) == number
        if is_last and when == "before":
            raise SystemExit
        response = AWS_CALL(client, operation, parameters)
        if is_last:
            raise SystemExit
        return response

    patch.setattr(botocore.client.BaseClient, "_make_api_call", call)


CRASHES = [(number, when) for number in range(1, 5) for when in ("before", "after")]
"""The calls read the credentials, read them again, write the new refresh token, and write the access token."""
LOSSES = {(2, "before"), (2, "after"), (3, "before")}
"""Between the provider's response and the write of the new refresh token."""


@pytest.mark.parametrize(("number", "when"), CRASHES)
@pytest.mark.threat("provider-secret")
@pytest.mark.fault("refresh-killed")
def test_a_crash_is_healed_by_the_next_run_or_by_a_consent_that_an_alarm_asks_for(
    run: Refresh, rotating: RotatingEndpoint, number: int, when: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        crash(patch, number, when)
        with pytest.raises(SystemExit):
            run()
    assert run.token() == ("access-1" if (number, when) == (4, "after") else "access-0")
    run.written()
    if (number, when) in LOSSES:
        assert run.refused()["reason"] == "invalid_grant"
        rotating.give_consent()
    assert run()["rotated"] is True
    assert run.token() == f"access-{rotating.issued}"
    assert run.credentials()["refresh_token"] == rotating.valid


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("operation", ["GetSecretValue", "PutSecretValue"])
@pytest.mark.fault("refresh-keep")
def test_a_new_refresh_token_is_kept_through_faults_of_aws(
    run: Refresh, rotating: RotatingEndpoint, operation: str, monkeypatch: pytest.MonkeyPatch, *, is_done: bool
) -> None:
    """`is_done`: AWS does what was asked, and the response is lost."""
    failures = iter(range(1 if is_done else 3))

    def call(client: Any, asked: str, parameters: Any) -> Any:
        if rotating.issued and asked == operation and next(failures, None) is not None:
            if is_done:
                AWS_CALL(client, asked, parameters)
            raise ClientError({"Error": {"Code": "InternalServiceError", "Message": "canary"}}, asked)
        return AWS_CALL(client, asked, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    assert (run()["rotated"], run.token()) == (True, "access-1")
    assert (run.credentials()["refresh_token"], list(failures)) == (rotating.valid, [])


@pytest.mark.parametrize(
    "response",
    [
        reply(body=BOM_UTF8 + b'{"access_token": "access-1", "refresh_token": "r2"}'),
        reply(body=b'{"access_token": "access-1", "refresh_token": "r2", "name": "Zo\xeb"}'),
        reply(body=b'{"access_token": "access-1", "refresh_token": "r2", "name": "\\ud83d", "\\ud83d": ""}'),
        reply(
            body=b'{"access_token": "access-1", "refresh_token": "r2", "error": "none", "expires_in": %s}'
            % (b"9" * 5000)
        ),
        reply(201, b'{"access_token": "access-1", "refresh_token": "r2"}'),
    ],
)
@pytest.mark.fault("refresh-keep")
def test_both_tokens_are_taken_from_any_response_in_which_they_can_be_read(run: Refresh, response: Response) -> None:
    """Credentials may begin with a byte-order mark too."""
    run.put("\ufeff" + json.dumps(ROTATING))
    run.endpoint.responses = [response]
    assert (run()["rotated"], run.token()) == (True, "access-1")
    assert run.credentials() == ROTATING | {"refresh_token": "r2"}


@pytest.mark.fault("refresh-bad-token")
def test_the_new_refresh_token_is_kept_although_the_access_token_is_refused(run: Refresh) -> None:
    run.put(ROTATING)
    run.endpoint.responses = [issue("canary\r\nX: y", "r2"), issue("access-2", "r3")]
    assert run.failure() == "token_malformed"
    assert (run.credentials()["refresh_token"], run.token()) == ("r2", "access-0")
    run()
    assert (run.credentials()["refresh_token"], run.token()) == ("r3", "access-2")


@pytest.mark.parametrize(
    ("change", "reason"), [({"refresh_token": "consent"}, "credentials_changed"), ({"client_secret": "new"}, None)]
)
@pytest.mark.fault("refresh-consent-meanwhile")
def test_a_consent_given_meanwhile_is_never_overwritten_and_a_change_of_other_fields_kept(
    run: Refresh, change: dict[str, str], reason: str | None
) -> None:
    run.put(ROTATING)

    def respond(connection: socket.socket) -> None:
        run.put(ROTATING | change)
        issue("access-1", "r2")(connection)

    run.endpoint.responses = [respond]
    if reason:
        assert (run.failure(), run.token()) == (reason, "access-0")
    else:
        assert (run()["rotated"], run.token()) == (True, "access-1")
    assert run.credentials() == ROTATING | {"refresh_token": "r2"} | change


@pytest.mark.fault("refresh-twice")
def test_a_refusal_of_credentials_that_were_replaced_meanwhile_is_tried_again(run: Refresh) -> None:
    """Two runs at once: the other one has used the refresh token first."""
    run.put(ROTATING)

    def respond(connection: socket.socket) -> None:
        run.put(ROTATING | {"refresh_token": "r2"})
        reply(400, b'{"error": "invalid_grant"}')(connection)

    run.endpoint.responses = [respond, issue("access-1", "r3")]
    assert run.failure() == "credentials_changed"
    run()
    assert ([form["refresh_token"] for form in run.forms()], run.token()) == (["r1", "r2"], "access-1")
