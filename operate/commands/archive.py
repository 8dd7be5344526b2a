"""`archive`: checks that certificates are archived, and enqueues missing ones."""

from datetime import UTC, datetime, timedelta

import click

from certificates.aws import AwsError
from operate.command_line import examples
from operate.commands.reconcile import reconcile
from operate.commands.seal import count_unsealed, seal
from operate.commands.verify import verify
from operate.output import Output
from operate.signature_requests import SignatureRequests
from operate.stack import DeployedStack, on_a_stack


@click.command(epilog=examples("certificates archive status --local --port 4000"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option(
    "--max-seal-age", type=int, metavar="HOURS", help="Exit code 1 if a certificate waits longer for its seal."
)
@on_a_stack
def status(stack: DeployedStack, *, as_json: bool, max_seal_age: int | None) -> None:
    """Show how many certificates wait to be archived. All numbers are approximate.

    Messages in flight are being processed or wait for their next try. DynamoDB counts signature requests every six
    hours. With --max-seal-age, the whole archive is listed to count the certificates that no seal has.
    """
    waiting, in_flight, delayed = _count_messages(stack, "ArchiveQueueUrl")
    numbers = {
        "waiting": waiting,
        "inFlight": in_flight,
        "delayed": delayed,
        "deadLetters": sum(_count_messages(stack, "ArchiveDeadLetterQueueUrl")),
        "oldestMessageSeconds": _measure_oldest_message(stack),
        "signatureRequests": SignatureRequests(stack).count,
    }
    hours = 0
    if max_seal_age is not None:
        unsealed, hours = count_unsealed(stack)
        numbers |= {"unsealed": unsealed, "oldestUnsealedHours": hours}
    Output(as_json=as_json).write_numbers(numbers)
    if max_seal_age is not None and hours > max_seal_age:
        raise click.exceptions.Exit(1)


@click.group(
    commands=[reconcile, seal, verify, status],
    epilog=examples("certificates archive reconcile --stack craftkit-certificates"),
)
def archive() -> None:
    """Check which certificates are archived, and enqueue missing ones."""


def _count_messages(stack: DeployedStack, output: str) -> tuple[int, int, int]:
    """Counts messages that wait, are in flight (processed or kept for the next try), and were sent with a delay."""
    attributes = stack.client("sqs").get_queue_attributes(QueueUrl=stack.output(output), AttributeNames=["All"])[
        "Attributes"
    ]
    return (
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        int(attributes["ApproximateNumberOfMessagesDelayed"]),
    )


def _measure_oldest_message(stack: DeployedStack) -> int | None:
    """Returns the latest value of the last 15 minutes. None if there is none: for a local service, for a queue that
    has long been empty, or without the permission."""
    now = datetime.now(UTC)
    try:
        response = stack.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": stack.output("ArchiveQueueUrl").rpartition("/")[2]}],
            StartTime=now - timedelta(minutes=15),
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
    except AwsError:
        return None
    points = sorted(response["Datapoints"], key=lambda point: point["Timestamp"])
    return int(points[-1]["Maximum"]) if points else None
