"""The request for an access token and its response, by the RFC of each grant."""

import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote_plus, urlencode

from pydantic import BaseModel, BeforeValidator

from certificates.budgets import CLOCK_TOLERANCE, JWT_SECONDS, TOKEN_SECONDS
from certificates.https import Response, run_within
from certificates.json_document import parse_json, read_integer
from certificates.urls import Url
from functions.refresh_credential.credentials import ClientCredentials, Credentials, JwtBearer, RefreshFailed

Sign = Callable[[bytes], bytes]
"""Returns the RS256 signature of a message."""

MAX_TOKEN_RESPONSE_BYTES = 64 * 1024

REFUSALS = (
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "consent_required",
    "refused",
)
"""The error codes of RFC 6749 section 5.2, OpenID Connect's for a missing consent (Core section 3.1.2.6), and one word
for all others."""


def _read_lifetime(value: object) -> int | None:
    return max(read_integer(value) or 0, 0) or None


def _read_text(value: object) -> str | None:
    """Returns None for anything but text that can be stored, which lone surrogates can't."""
    return value if isinstance(value, str) and value.encode(errors="ignore").decode() == value else None


class TokenResponse(BaseModel):
    """RFC 6749 sections 5.1 and 5.2. A malformed field does not invalidate the others, since a refresh token is sent
    only once."""

    access_token: Any = None
    token_type: Any = None
    expires_in: Annotated[int | None, BeforeValidator(_read_lifetime)] = None
    refresh_token: Annotated[str | None, BeforeValidator(_read_text)] = None
    error: Any = None


def request_token(url: Url, credentials: Credentials, sign: Sign) -> TokenResponse:
    """Requests a token, for at most TOKEN_SECONDS.

    Raises RefreshFailed: the words in REFUSALS, answer_malformed; and ProviderFailed: timed_out, unreachable,
    status, too_large, broken_answer.
    """
    authorization, form = authenticate(credentials)
    form = credentials.parameters | form | make_grant(credentials, sign, int(time.time()))
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"} | authorization
    body = urlencode(form).encode()
    arguments = url, headers, MAX_TOKEN_RESPONSE_BYTES, {200, 201, 400, 401}, body
    return parse_response(run_within(TOKEN_SECONDS, lambda exchange: exchange.send(*arguments)))


def authenticate(credentials: Credentials) -> tuple[dict[str, str], dict[str, str]]:
    """Returns headers and form fields (RFC 6749 section 2.3.1). A client without a secret sends only its id."""
    id_, secret = credentials.client_id, credentials.client_secret
    if id_ is None:
        return {}, {}
    if secret is None:
        return {}, {"client_id": id_}
    if credentials.client_authentication == "body":
        return {}, {"client_id": id_, "client_secret": secret}
    pair = b64encode(f"{quote_plus(id_)}:{quote_plus(secret)}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}, {}


def make_grant(credentials: Credentials, sign: Sign, now: int) -> dict[str, str]:
    if isinstance(credentials, ClientCredentials):
        return {"grant_type": "client_credentials"}
    if isinstance(credentials, JwtBearer):
        grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        return {"grant_type": grant_type, "assertion": make_jwt(credentials, sign, now)}
    return {"grant_type": "refresh_token", "refresh_token": credentials.refresh_token}


def make_jwt(credentials: JwtBearer, sign: Sign, now: int) -> str:
    """Makes an assertion (RFC 7523 section 3)."""
    issued = now - CLOCK_TOLERANCE
    claims = {
        "iss": credentials.issuer,
        "sub": credentials.subject,
        "aud": credentials.audience,
        "iat": issued,
        "exp": issued + JWT_SECONDS,
    }
    if credentials.scope:
        claims["scope"] = credentials.scope
    unsigned = b".".join(_encode(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return b".".join((unsigned, _encode(sign(unsigned)))).decode()


def _encode(part: bytes) -> bytes:
    """Encodes as base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(part).rstrip(b"=")


def parse_response(response: Response) -> TokenResponse:
    """Raises RefreshFailed. Some providers refuse with the status 200."""
    try:
        document = parse_json(response.content)
    except ValueError:
        document = None
    parsed = TokenResponse.model_validate(document) if isinstance(document, dict) else TokenResponse()
    if response.status >= 400 or (parsed.error and not parsed.access_token):
        raise RefreshFailed(parsed.error if parsed.error in REFUSALS else "refused", response.status)
    if not isinstance(document, dict):
        raise RefreshFailed("answer_malformed")
    return parsed
