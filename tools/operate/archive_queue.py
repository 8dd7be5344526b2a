"""Sends messages to ArchiveQueue, and measures it and its dead-letter queue."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING

from certificates.aws import AwsError
from tools.operate.failures import CannotRun

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sqs import SQSClient

BATCH = 10
ATTEMPTS = 5
FIRST_PAUSE = 0.2


@dataclass(frozen=True)
class Depth:
    """Counts of messages: waiting, in flight (processed or kept for the next try), and sent with a delay."""

    waiting: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.waiting + self.in_flight + self.delayed


def send(sqs: "SQSClient", queue_url: str, signature_ids: Iterable[str]) -> None:
    """Sends one message per id. Raises CannotRun if some could not be sent; the others may have been."""
    for batch in batched(signature_ids, BATCH, strict=False):
        _send_batch(sqs, queue_url, batch)


def _send_batch(sqs: "SQSClient", queue_url: str, signature_ids: tuple[str, ...]) -> None:
    unsent = {str(number): json.dumps({"signatureRequestId": id_}) for number, id_ in enumerate(signature_ids)}
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        entries = [{"Id": number, "MessageBody": body} for number, body in unsent.items()]
        response = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)  # type: ignore[arg-type]
        for sent in response.get("Successful", []):
            del unsent[sent["Id"]]
        if not unsent:
            return
    raise CannotRun(f"SQS did not accept {len(unsent)} messages in {ATTEMPTS} attempts.")


def measure_depth(sqs: "SQSClient", queue_url: str) -> Depth:
    """Measures a queue. SQS counts approximately."""
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    return Depth(
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        int(attributes["ApproximateNumberOfMessagesDelayed"]),
    )


def measure_oldest_message(cloudwatch: "CloudWatchClient", queue_url: str) -> int | None:
    """Returns the latest value of the last 15 minutes. None if there is none: for a local service, for a queue that
    has long been empty, or without the permission."""
    now = datetime.now(UTC)
    try:
        response = cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": queue_url.rpartition("/")[2]}],
            StartTime=now - timedelta(minutes=15),
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
    except AwsError:
        return None
    points = sorted(response["Datapoints"], key=lambda point: point["Timestamp"])
    return int(points[-1]["Maximum"]) if points else None
