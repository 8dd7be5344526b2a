"""GET and HEAD /v1/signatures/{id}/certificate: the Lambda entry point.

HEAD gets the same reply as GET: API Gateway leaves the body out.
"""

from functions.download_certificate import cold_start  # first  # isort: skip

import codecs
import random
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from snapshot_restore_py import register_after_restore, register_before_snapshot

from certificates.archive import Archive
from certificates.aws import connect_dynamodb, connect_s3, connect_secrets_manager, find_seconds_left, limit_calls
from certificates.errors import ArchiveUnavailable, ProviderFailed, RecordsUnavailable
from certificates.provider import Provider, Secret
from certificates.records import Records
from certificates.telemetry import count, describe_error, logger, milliseconds_since
from functions.download_certificate.download import Services, download_certificate
from functions.download_certificate.failures import Failures
from functions.download_certificate.request import Request
from functions.download_certificate.responses import INTERNAL, REFUSALS, Response, error_response, success_response
from functions.download_certificate.settings import DownloadSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext


def connect(settings: DownloadSettings) -> Services:
    return Services(
        Records(connect_dynamodb(), settings.signatures_table, settings.api_keys_table),
        Archive(connect_s3(), settings.certificates_bucket),
        Provider(settings, Secret(connect_secrets_manager, settings.provider_secret_name)),
        Failures(),
    )


SERVICES = connect(DownloadSettings.from_environment())
cold_start.finish()


def handler(event: dict[str, Any], context: "LambdaContext") -> Response:
    started = time.perf_counter()
    request_id = context.aws_request_id
    # Each step adds its fields to this request's log lines as soon as it knows them.
    logger.thread_safe_clear_keys()
    logger.thread_safe_append_keys(request_id=request_id)
    try:
        request = Request.parse(event)
        request_id = request.request_id
        response = _serve(request, partial(find_seconds_left, context))
        message = "certificate_served"
    except Exception as error:  # noqa: BLE001 - the client always gets the error envelope
        response = _refuse(error, request_id, context.function_version)
        message = "request_refused"
    write = logger.error if response["statusCode"] >= 500 else logger.info
    write(message, extra={"status": response["statusCode"], "milliseconds": milliseconds_since(started)})
    return response


def _serve(request: Request, seconds_left: "Callable[[], float]") -> Response:
    logger.thread_safe_append_keys(request_id=request.request_id, method=request.method)
    with limit_calls(seconds_left):
        download = download_certificate(request, SERVICES, seconds_left)
    response = success_response(download, str(request.signature_id), request.request_id)
    size = len(download.part.content) if download.part else 0
    logger.thread_safe_append_keys(source=download.source, bytes=size)
    count("CertificatesServed", source=download.source)
    return response


def _refuse(error: Exception, request_id: str, version: str) -> Response:
    refusal = REFUSALS.get(type(error), INTERNAL)
    logger.thread_safe_append_keys(code=refusal.code, detail=describe_error(error) or None)
    count("RequestsRefused", code=refusal.code)
    if isinstance(error, ProviderFailed):
        count("UpstreamFailures")
    if refusal is INTERNAL:
        count("InternalErrors", version=version)  # rolls back the deployment of this version
    return error_response(refusal, error, request_id)


def prepare_calls() -> None:
    """Runs what botocore does at its first calls before a snapshot is taken. With no time left, it sends nothing."""
    codecs.lookup("idna")  # imported by the first connection
    with limit_calls(lambda: 0):
        with suppress(RecordsUnavailable):
            SERVICES.records.lookup("", "")
        with suppress(ArchiveUnavailable):
            SERVICES.archive.read("", limit=0)


register_before_snapshot(prepare_calls)
# Execution environments that start from one snapshot would otherwise draw the same random pauses.
register_after_restore(random.seed)
