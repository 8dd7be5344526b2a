"""GET /v1/signatures/{id}/certificate: the Lambda entry point."""

import time
from typing import TYPE_CHECKING, Any

import boto3

from functions.download_certificate.download import Access, Services, download_certificate
from functions.download_certificate.request import Request
from functions.download_certificate.responses import INTERNAL, REFUSALS, Response, refused, served
from functions.download_certificate.settings import DownloadSettings
from signing.archive import Archive
from signing.aws import client_config
from signing.errors import ProviderFailed
from signing.provider import Provider, Secret
from signing.records import Records
from signing.telemetry import count, details, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_secretsmanager import SecretsManagerClient

PROVIDER_SECONDS = 18.0
ARCHIVE_SECONDS = 8.0
"""What is kept back, of the function's time-out, for archiving and reading again."""


def _secrets_manager() -> "SecretsManagerClient":
    return boto3.client("secretsmanager", config=client_config(read_timeout=2, attempts=2))


def connect(settings: DownloadSettings) -> Services:
    return Services(
        Records(
            boto3.client("dynamodb", config=client_config(read_timeout=2, attempts=3)),
            settings.api_keys_table,
            settings.signatures_table,
        ),
        Archive(boto3.client("s3", config=client_config(read_timeout=3, attempts=2)), settings.certificates_bucket),
        Provider(settings, Secret(_secrets_manager, settings.provider_secret_name)),
    )


SERVICES = connect(DownloadSettings.from_environment())


def handler(event: dict[str, Any], context: "LambdaContext") -> Response:
    started = time.perf_counter()
    access = Access(request_id=context.aws_request_id)
    try:
        response = _serve(event, context, access)
    except Exception as error:  # noqa: BLE001 - whatever happens, the client gets the envelope
        response = _refuse(error, access)
    write = logger.error if response["statusCode"] >= 500 else logger.info
    milliseconds = round((time.perf_counter() - started) * 1000, 1)
    write(
        "request_refused" if access.code else "certificate_served",
        extra={"status": response["statusCode"], "milliseconds": milliseconds} | vars(access),
    )
    return response


def _serve(event: dict[str, Any], context: "LambdaContext", access: Access) -> Response:
    def provider_seconds() -> float:
        return min(PROVIDER_SECONDS, context.get_remaining_time_in_millis() / 1000 - ARCHIVE_SECONDS)

    request = Request.parse(event)
    access.request_id = request.request_id
    download = download_certificate(request, access, SERVICES, provider_seconds)
    response = served(download, str(request.signature_id), request.request_id)
    access.source = download.source
    access.bytes = len(download.part.content) if download.part else 0
    count("CertificatesServed", source=download.source)
    return response


def _refuse(error: Exception, access: Access) -> Response:
    refusal = REFUSALS.get(type(error), INTERNAL)
    access.code = refusal.code
    access.detail = details(error) or None
    count("RequestsRefused", code=refusal.code)
    if isinstance(error, ProviderFailed):
        count("UpstreamFailures")
    return refused(refusal, error, access.request_id)
