"""The steps of one refresh."""

from dataclasses import dataclass

from certificates.https import is_header_value
from certificates.urls import Url
from functions.refresh_credential.credentials import RefreshFailed, RefreshToken, Secrets
from functions.refresh_credential.grants import REFUSALS, Sign, request_token


@dataclass(frozen=True)
class Services:
    token_url: Url
    secrets: Secrets
    sign: Sign


@dataclass(frozen=True)
class Refreshed:
    """`seconds` is the access token's lifetime, if the provider states it; `rotated`: a new refresh token came too."""

    seconds: int | None
    rotated: bool


def refresh_credential(services: Services) -> Refreshed:
    """Fetches and stores an access token. Stores a new refresh token first, since the provider may have ended the old
    one. If the function ends between both writes, the next run completes them.

    Raises RefreshFailed, ProviderFailed.
    """
    credentials = services.secrets.credentials()
    try:
        response = request_token(services.token_url, credentials, services.sign)
    except RefreshFailed as failure:
        # The refusal means nothing if an operator or another run has replaced the refresh token in the meantime.
        if failure.reason in REFUSALS and services.secrets.credentials() != credentials:
            raise RefreshFailed("credentials_changed") from None
        raise
    rotated = False
    if isinstance(credentials, RefreshToken) and (new := response.refresh_token) and new != credentials.refresh_token:
        services.secrets.replace_refresh_token(credentials.refresh_token, new)
        rotated = True
    if not is_header_value(response.access_token):
        raise RefreshFailed("token_malformed")
    token_type = response.token_type if isinstance(response.token_type, str) else ""
    # Some providers send `BearerToken` or no type. Others need more than the token (RFC 6749 section 7.1).
    if token_type.strip().lower() not in {"", "bearer", "bearertoken"}:
        raise RefreshFailed("token_type_unsupported")
    services.secrets.store_token(response.access_token)
    return Refreshed(response.expires_in, rotated)
