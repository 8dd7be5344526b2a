"""The steps of one refresh."""

from dataclasses import dataclass

from certificates.https import is_header_value
from certificates.urls import Url
from functions.refresh_credential.credentials import Credentials, RefreshFailed, RefreshToken, Secrets
from functions.refresh_credential.grants import REFUSALS, Sign, TokenResponse, request_token


@dataclass(frozen=True)
class Services:
    token_url: Url
    secrets: Secrets
    sign: Sign


@dataclass(frozen=True)
class Refreshed:
    """`seconds` is how long the access token lives, if the provider says so; `rotated` whether a new refresh token came
    with it."""

    seconds: int | None
    rotated: bool


def refresh_credential(services: Services) -> Refreshed:
    """A new refresh token is stored first: the provider may have ended the old one. If this ends between both writes,
    the next run completes it.

    Raises RefreshFailed, ProviderFailed.
    """
    credentials = services.secrets.credentials()
    answer = _ask(services, credentials)
    rotated = False
    if isinstance(credentials, RefreshToken) and (new := answer.refresh_token) and new != credentials.refresh_token:
        services.secrets.replace_refresh_token(credentials.refresh_token, new)
        rotated = True
    if not is_header_value(answer.access_token):
        raise RefreshFailed("token_malformed")
    if not _is_bearer(answer.token_type):
        raise RefreshFailed("token_type_unsupported")
    services.secrets.store_token(answer.access_token)
    return Refreshed(answer.expires_in, rotated)


def _is_bearer(token_type: object) -> bool:
    """Any other type needs more than the token, such as a signature (RFC 6749 section 7.1). Some providers omit the
    type or call it `BearerToken`."""
    return not isinstance(token_type, str) or token_type.strip().lower() in {"", "bearer", "bearertoken"}


def _ask(services: Services, credentials: Credentials) -> TokenResponse:
    try:
        return request_token(services.token_url, credentials, services.sign)
    except RefreshFailed as failure:
        # An operator, or another run, may have replaced the refresh token meanwhile: then the refusal means nothing.
        if failure.reason in REFUSALS and services.secrets.credentials() != credentials:
            raise RefreshFailed("credentials_changed") from None
        raise
