"""`archive`: checks that certificates are archived, and enqueues missing ones."""

from datetime import UTC, datetime, timedelta
from typing import BinaryIO

import click

from operate.command_line import TSA_CA, examples
from operate.commands.reconcile import reconcile
from operate.commands.seal import seal
from operate.commands.verify import verify
from operate.evidence import require_packages
from operate.output import AS_JSON, write_numbers
from operate.signature_requests import SignatureRequests
from operate.stack import DeployedStack, on_a_stack


@click.command(epilog=examples("certificates archive status --local --port 4000"))
@AS_JSON
@click.option(
    "--max-seal-age", type=int, metavar="HOURS", help="Exit code 1 if a certificate has waited longer for its seal."
)
@TSA_CA
@on_a_stack
def status(stack: DeployedStack, *, max_seal_age: int | None, tsa_ca: BinaryIO | None) -> None:
    """Show how many certificates wait to be archived. All numbers are approximate.

    Messages in flight are being processed or wait for their next try. DynamoDB counts signature requests every six
    hours. With --max-seal-age, the whole archive is listed to count the certificates that no trusted seal has.
    """
    waiting, in_flight, delayed = _count_messages(stack, "ArchiveQueueUrl")
    numbers = {
        "waiting": waiting,
        "inFlight": in_flight,
        "delayed": delayed,
        "deadLetters": sum(_count_messages(stack, "ArchiveDeadLetterQueueUrl")),
        "signatureRequests": SignatureRequests(stack).count,
    }
    if max_seal_age is not None:
        require_packages()
        from operate.seals.seals import Seals  # noqa: PLC0415 - takes a second to import
        from operate.seals.time_stamp import find_trusted  # noqa: PLC0415

        trusted = find_trusted(stack, tsa_ca)
        seals = Seals(stack.client("s3"), stack.output("CertificatesBucketName"), trusted, lambda *_: None)
        archived, now = [one.created for one in seals.find_unsealed(only_trusted=True)], datetime.now(UTC)
        hours = -((min(archived, default=now) - now) // timedelta(hours=1))  # rounded up
        numbers |= {"unsealed": len(archived), "oldestUnsealedHours": hours}
    write_numbers(numbers)
    if numbers.get("oldestUnsealedHours", 0) > (max_seal_age or 0):
        raise click.exceptions.Exit(1)


@click.group(commands=[reconcile, seal, verify, status], epilog=examples("certificates archive reconcile --local"))
def archive() -> None:
    """Check which certificates are archived, and enqueue missing ones."""


def _count_messages(stack: DeployedStack, output: str) -> tuple[int, ...]:
    """Counts messages that wait, are in flight (processed or kept for the next try), and were sent with a delay."""
    queue = {"QueueUrl": stack.output(output), "AttributeNames": ["All"]}
    found = stack.client("sqs").get_queue_attributes(**queue)["Attributes"]
    return tuple(int(found[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))
