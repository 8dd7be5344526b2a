"""The request for an access token: exact headers and form fields of each grant. What counts as its response."""

import json
from base64 import b64decode, urlsafe_b64decode
from typing import Any
from urllib.parse import unquote_plus

import pytest
from pydantic import TypeAdapter, ValidationError

from certificates.https import Response
from functions.refresh_credential.credentials import Credentials, JwtBearer, RefreshFailed
from functions.refresh_credential.grants import REFUSALS, authenticate, make_grant, make_jwt, parse_response

NOW = 1_780_659_728
CLIENT = {"grant": "client_credentials", "client_id": "a:b c", "client_secret": "p%q+r/s\u00fc"}
REFRESHING = {"grant": "refresh_token", "refresh_token": "r", "client_id": "public"}
JWT = {"grant": "jwt_bearer", "issuer": "i", "subject": "s", "audience": "account.example.com"}


def credentials(document: dict[str, Any]) -> Credentials:
    adapter: TypeAdapter[Credentials] = TypeAdapter(Credentials)
    return adapter.validate_python(document)


def unsigned(_: bytes) -> bytes:
    return b""


def test_a_client_authenticates_by_http_basic_with_encoded_id_and_secret() -> None:
    headers, form = authenticate(credentials(CLIENT))
    assert (list(headers), form) == (["Authorization"], {})
    scheme, _, pair = headers["Authorization"].partition(" ")
    id_, _, secret = b64decode(pair).decode("ascii").partition(":")
    assert (scheme, id_, secret) == ("Basic", "a%3Ab+c", "p%25q%2Br%2Fs%C3%BC")
    assert (unquote_plus(id_), unquote_plus(secret)) == (CLIENT["client_id"], CLIENT["client_secret"])


@pytest.mark.parametrize(
    ("document", "form"),
    [
        (CLIENT | {"client_authentication": "body"}, {"client_id": "a:b c", "client_secret": "p%q+r/s\u00fc"}),
        (REFRESHING, {"client_id": "public"}),
        (JWT, {}),
        (JWT | {"client_id": "c"}, {"client_id": "c"}),
    ],
)
def test_a_client_may_authenticate_in_the_body_or_not_at_all(document: dict[str, Any], form: dict[str, str]) -> None:
    assert authenticate(credentials(document)) == ({}, form)


def test_each_grant_has_its_form_fields() -> None:
    assertion = make_jwt(JwtBearer.model_validate(JWT), unsigned, NOW)
    forms = [make_grant(credentials(document), unsigned, NOW) for document in (CLIENT, REFRESHING, JWT)]
    assert forms == [
        {"grant_type": "client_credentials"},
        {"grant_type": "refresh_token", "refresh_token": "r"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion},
    ]


@pytest.mark.parametrize("scope", [{}, {"scope": "signature impersonation"}])
def test_an_assertion_is_a_signed_jwt(scope: dict[str, str]) -> None:
    signed: list[bytes] = []

    def sign(message: bytes) -> bytes:
        signed.append(message)
        return b"\0\0\x17"

    *parts, signature = make_jwt(JwtBearer.model_validate(JWT | scope), sign, NOW).split(".")
    assert (signed, signature) == ([".".join(parts).encode()], "AAAX")
    header, claims = (json.loads(decode(part)) for part in parts)
    assert header == {"alg": "RS256", "typ": "JWT"}
    assert claims == {"iss": "i", "sub": "s", "aud": "account.example.com", "iat": NOW - 60, "exp": NOW + 3540} | scope
    assert "=" not in "".join(parts)


def decode(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize(
    "document",
    [
        {"grant": "password", "client_id": "c"},
        {"grant": "client_credentials", "client_id": ""},
        CLIENT | {"client_secrets": "x"},
        CLIENT | {"client_authentication": "header"},
        CLIENT | {"refresh_token": "r"},
        {"grant": "refresh_token", "client_id": "c"},
        {name: value for name, value in JWT.items() if name != "audience"},
    ],
)
def test_credentials_of_another_form_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        credentials(document)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"expires_in": 3600}, 3600),
        ({"expires_in": "899.98"}, 899),
        ({"expires_in": True}, None),
        ({"expires_in": "1e400"}, None),
        ({"expires_in": -1}, None),
        ({"expires_in": 0.5}, None),
        ({"error": None, "token_type": "bearer", "refresh_token": {}}, None),
        ({"refresh_token": "\ud800"}, None),
    ],
)
def test_a_response_counts_whatever_its_lifetime(body: dict[str, Any], seconds: int | None) -> None:
    response = parse_response(Response(200, json.dumps(body | {"access_token": "t"}).encode()))
    assert (response.access_token, response.expires_in, response.refresh_token) == ("t", seconds, None)


def fail(response: Response) -> dict[str, Any]:
    with pytest.raises(RefreshFailed) as failure:
        parse_response(response)
    return vars(failure.value)


@pytest.mark.parametrize("content", [b"", b"<html>", b"null", b'"t"', b"[]", b'{"access_token": "t"', b"[" * 60_000])
def test_a_response_that_is_no_json_object_is_malformed(content: bytes) -> None:
    assert fail(Response(200, content)) == {"reason": "answer_malformed", "cause": None}
    assert fail(Response(400, content)) == {"reason": "refused", "cause": 400}


@pytest.mark.parametrize(
    ("error", "reason"),
    [*((word, word) for word in REFUSALS), ("canary", "refused"), (["invalid_grant"], "refused"), (None, "refused")],
)
def test_a_refusal_has_a_constant_reason(error: object, reason: str) -> None:
    for status in (400, 401):
        content = json.dumps({"error": error, "error_description": "canary"}).encode()
        assert fail(Response(status, content)) == {"reason": reason, "cause": status}


def test_an_access_token_with_the_status_of_a_refusal_is_refused() -> None:
    assert fail(Response(400, b'{"access_token": "t"}')) == {"reason": "refused", "cause": 400}
