"""ArchiveQueue → archive: the Lambda entry point.

A message that succeeds, or whose signature request is unknown, is deleted. Any other is received again later, and
moves to ArchiveDeadLetterQueue after its last try.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from certificates import aws
from certificates.archive import Archive
from certificates.errors import ArchiveUnavailable, CertificateError, NotAvailable, ProviderFailed
from certificates.provider import Provider, Secret
from certificates.records import Records
from certificates.telemetry import count, describe_error, logger, milliseconds_since
from functions.archive_certificate.archiving import Services, UnknownSignature, archive_certificate
from functions.archive_certificate.delays import Pace, PaceExceeded, delay_before_next_try
from functions.archive_certificate.message import parse_message
from functions.archive_certificate.settings import ArchiveSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

BATCH_SIZE = 10


class MalformedMessage(CertificateError):
    """The message has another form than the triggers send."""


def connect(settings: ArchiveSettings) -> Services:
    return Services(
        Records(aws.connect_dynamodb(), settings.signatures_table),
        Archive(aws.connect_s3(), settings.certificates_bucket),
        Provider(settings, Secret(aws.connect_secrets_manager, settings.provider_secret_name)),
        Pace(settings.archive_fetches_per_minute, settings.archive_maximum_concurrency),
    )


SETTINGS = ArchiveSettings.from_environment()
SERVICES = connect(SETTINGS)
SQS = aws.connect_sqs()
PROCESSOR = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Handles all messages of a batch at once. Messages for the same signature request share one fetch."""
    ids = {record["messageId"]: parse_message(record["body"]) for record in event["Records"]}
    seconds_left = partial(aws.find_seconds_left, context)
    with ThreadPoolExecutor(max_workers=BATCH_SIZE) as pool:
        work = {id_: pool.submit(_archive, id_, seconds_left) for id_ in set(ids.values())}

        def finish(record: "SQSRecord") -> None:
            """Returns if the message may be deleted. Otherwise sets its visibility timeout and raises, so SQS delivers
            it again."""
            signature_id = ids[record.message_id]
            try:
                work[signature_id].result()
            except UnknownSignature:
                logger.warning("unknown_signature_dropped", extra={"signature_id": signature_id})
                count("UnknownSignatures")
            except Exception as error:
                _try_later(record, signature_id, error)
                raise

        return process_partial_response(event=event, record_handler=finish, processor=PROCESSOR)


def _archive(signature_id: str | None, seconds_left: "Callable[[], float]") -> None:
    if signature_id is None:
        raise MalformedMessage
    started = time.perf_counter()
    with aws.limit_calls(seconds_left):
        size = archive_certificate(signature_id, SERVICES, seconds_left)
    extra = {"signature_id": signature_id, "milliseconds": milliseconds_since(started)}
    if size is None:
        logger.info("already_archived", extra=extra)
    else:
        logger.info("certificate_archived", extra=extra | {"bytes": size})
        count("CertificatesArchived")


def _try_later(record: "SQSRecord", signature_id: str | None, error: Exception) -> None:
    receives = int(record.attributes.approximate_receive_count)
    # Without a delay, a malformed message soon reaches the dead-letter queue.
    retry_after = error.retry_after if isinstance(error, ProviderFailed) else None
    delay = 0 if isinstance(error, MalformedMessage) else delay_before_next_try(receives, retry_after)
    extra = {"message_id": record.message_id, "signature_id": signature_id, "receives": receives, "delay": delay}
    write = logger.info if isinstance(error, NotAvailable | PaceExceeded) else logger.error
    write("archive_later", extra=extra | {"error": type(error).__name__, "detail": describe_error(error)})
    count("ArchiveRetries", error=type(error).__name__)
    if isinstance(error, ProviderFailed):
        count("UpstreamFailures")
    if isinstance(error, ArchiveUnavailable):
        count("ArchiveWriteFailures")
    try:
        SQS.change_message_visibility(
            QueueUrl=SETTINGS.archive_queue_url, ReceiptHandle=record.receipt_handle, VisibilityTimeout=delay
        )
    except Exception as failure:  # noqa: BLE001 - a malformed response makes botocore raise anything
        # SQS delivers the message again anyway, after the queue's own visibility timeout.
        logger.error("delay_not_set", extra=extra | {"detail": {"cause": aws.error_code(failure)}})
