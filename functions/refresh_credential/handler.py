"""Schedule → token endpoint → secret: the Lambda entry point.

A transient failure is raised, and Lambda invokes the function again after one and two minutes. A failure that only a
person can end is not: the schedule's next run is soon enough.
"""

import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from certificates.aws import connect_kms, connect_secrets_manager, find_seconds_left, limit_calls
from certificates.budgets import TOKEN_RETRY_SECONDS
from certificates.errors import ProviderFailed
from certificates.telemetry import count, describe_error, logger, milliseconds_since
from functions.refresh_credential.credentials import RefreshFailed, Secrets, failing_as
from functions.refresh_credential.grants import REFUSALS
from functions.refresh_credential.refreshing import Services, refresh_credential
from functions.refresh_credential.settings import RefreshSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_kms import KMSClient

PERMANENT = {*REFUSALS, "credentials_malformed", "signing_key_missing", "token_type_unsupported"}


def connect(settings: RefreshSettings) -> Services:
    secrets = Secrets(connect_secrets_manager(), settings.provider_oauth_secret_name, settings.provider_secret_name)
    return Services(
        settings.provider_token_url, secrets, partial(_sign, connect_kms(), settings.provider_signing_key_arn)
    )


def _sign(kms: "KMSClient", key: str, message: bytes) -> bytes:
    if not key:
        raise RefreshFailed("signing_key_missing")
    with failing_as("unsigned"):
        response = kms.sign(KeyId=key, Message=message, MessageType="RAW", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")
        return response["Signature"]


SETTINGS = RefreshSettings.from_environment()
SERVICES = connect(SETTINGS)


def handler(_event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Replies with the fields of its log line."""
    started = time.perf_counter()
    try:
        with limit_calls(partial(find_seconds_left, context)):
            refreshed = refresh_credential(SERVICES)
    except Exception as error:  # noqa: BLE001 - every failure is counted
        return _fail(error, started)
    count("CredentialsRefreshed")
    if refreshed.seconds is not None and refreshed.seconds < SETTINGS.provider_token_minutes * 60 + TOKEN_RETRY_SECONDS:
        count("CredentialsShortLived")
    fields = asdict(refreshed) | {"milliseconds": milliseconds_since(started)}
    logger.info("credential_refreshed", extra=fields)
    return fields


def _fail(error: Exception, started: float) -> dict[str, Any]:
    reason = error.reason if isinstance(error, ProviderFailed | RefreshFailed) else "internal"
    fields = {"reason": reason, "milliseconds": milliseconds_since(started)}
    logger.error("credential_refresh_failed", extra=fields | {"detail": describe_error(error)})
    count("CredentialRefreshFailures", reason=reason)
    if reason not in PERMANENT:
        raise RefreshFailed(reason) from None
    count("CredentialsRefused")
    return fields
