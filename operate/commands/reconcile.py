"""`archive reconcile`: enqueues every available certificate that the archive lacks."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched
from pathlib import Path
from typing import Any

import click

from certificates.archive import Archive
from certificates.errors import NotArchived
from certificates.models import SignatureRequest
from operate.checkpoint import resuming
from operate.command_line import CannotRun, examples
from operate.output import progress, write_numbers
from operate.signature_requests import SignatureRequests
from operate.stack import CONNECTIONS, DeployedStack, on_a_stack

BATCH = 10
ATTEMPTS = 5
FIRST_PAUSE = 0.2


@click.command(epilog=examples("certificates archive reconcile --stack craftkit-certificates --dry-run"))
@click.option("--dry-run", is_flag=True, help="Only count: send no message, save no progress.")
@on_a_stack
def reconcile(stack: DeployedStack, *, dry_run: bool) -> None:
    """Enqueue every available certificate that the archive lacks.

    Use it for a table that is older than the archive, and after events were lost. After an interruption, run it again
    in the same folder: it resumes where it stopped.
    """
    requests = SignatureRequests(stack)
    counted = "toEnqueue" if dry_run else "enqueued"
    archive = Archive(stack.client("s3"), stack.output("CertificatesBucketName"))
    send = partial(_send, stack.client("sqs"), stack.output("ArchiveQueueUrl"))
    file = None if dry_run else Path(f".reconcile-{stack.name}.json")
    names = ("scanned", "available", "archived", counted, "broken")
    with (
        resuming(file, f"reconcile, {requests.identity}", names) as checkpoint,
        ThreadPoolExecutor(CONNECTIONS) as workers,
    ):
        with progress("Reconciling", requests.count - checkpoint.counts["scanned"]) as advance:
            for available in requests.read(checkpoint, advance):
                found = workers.map(partial(_is_archived, archive), available)
                missing = [request.id for request, is_there in zip(available, found, strict=True) if not is_there]
                if not dry_run:
                    list(workers.map(send, batched(missing, BATCH, strict=False)))
                checkpoint.record({"archived": len(available) - len(missing), counted: len(missing)})
        write_numbers(checkpoint.counts)


def _is_archived(archive: Archive, request: SignatureRequest) -> bool:
    try:
        archive.describe(request.object_key)
    except NotArchived:
        return False
    return True


def _send(sqs: Any, queue_url: str, ids: tuple[str, ...]) -> None:
    """Sends one message per id. Raises CannotRun if some could not be sent; the others were."""
    unsent = {str(number): json.dumps({"signatureRequestId": id_}) for number, id_ in enumerate(ids)}
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        entries = [{"Id": number, "MessageBody": body} for number, body in unsent.items()]
        response = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        for sent in response.get("Successful", []):
            del unsent[sent["Id"]]
        if not unsent:
            return
    raise CannotRun(f"SQS did not accept {len(unsent)} messages in {ATTEMPTS} attempts.")
