"""`archive reconcile`: enqueues every available certificate that the archive lacks."""

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING

import click

from certificates.archive import Archive
from certificates.aws import AwsError
from certificates.errors import CertificateError, NotArchived
from certificates.models import SignatureRequest
from operate.checkpoint import Checkpoint
from operate.command_line import CannotRun, Interrupted, describe_error, examples
from operate.output import Output
from operate.signature_requests import Page, SignatureRequests, run_in_parallel
from operate.stack import CONNECTIONS, Target, on_a_stack

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

DEFAULT_SEGMENTS = 4
BATCH = 10
ATTEMPTS = 5
FIRST_PAUSE = 0.2


@click.command(epilog=examples("certificates archive reconcile --stack craftkit-certificates --dry-run"))
@click.option("--dry-run", is_flag=True, help="Only count: send no message, write no state file.")
@click.option(
    "--segments",
    type=click.IntRange(1, CONNECTIONS),
    help=f"Number of table segments read in parallel; {DEFAULT_SEGMENTS} by default.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file that records the progress, to resume from; .reconcile-<stack>.json by default.",
)
@on_a_stack
def reconcile(target: Target, *, dry_run: bool, segments: int | None, state: Path | None) -> None:
    """Enqueue every available certificate that the archive lacks.

    Use it for a table that is older than the archive, and after events were lost. After an interruption, run it again:
    it resumes where it stopped.
    """
    output, started = Output(), time.monotonic()
    signatures = SignatureRequests(target)
    table, items = signatures.describe_table()
    file = None if dry_run else state or Path(f".reconcile-{target.name}.json")
    if file and os.path.lexists(file):
        checkpoint = Checkpoint.load(file, table, segments)
        output.remark(f"Resuming after {checkpoint.counts.scanned:,} items ({file}).")
    else:
        checkpoint = Checkpoint.begin(table, segments or DEFAULT_SEGMENTS, file)
    again = f" Run it again to resume ({file})." if file else ""
    try:
        with output.progress("Reconciling", items - checkpoint.counts.scanned) as advance:

            def report(page: Page) -> None:
                for line in page.broken:
                    output.remark(line)
                advance(page.scanned)

            _enqueue_missing(target, signatures, checkpoint, report, dry_run=dry_run)
    except KeyboardInterrupt as error:
        raise Interrupted(f"Interrupted after {checkpoint.counts.scanned:,} items.{again}") from error
    except (CannotRun, CertificateError, *AwsError) as error:
        raise CannotRun(describe_error(error) + again) from error
    checkpoint.delete()
    numbers = checkpoint.counts.model_dump()
    if dry_run:
        numbers["toEnqueue"] = numbers.pop("enqueued")
    output.write_numbers({**numbers, "seconds": round(time.monotonic() - started)})


def _enqueue_missing(
    target: Target,
    signatures: SignatureRequests,
    checkpoint: Checkpoint,
    report: Callable[[Page], None],
    *,
    dry_run: bool,
) -> None:
    """A page is done, and reported, once all its messages have been sent; a page that is interrupted before its first
    message sends none."""
    archive = Archive(target.s3(), target.output("CertificatesBucketName"))
    sqs = target.sqs()
    recording = threading.Lock()

    with ThreadPoolExecutor(CONNECTIONS) as workers:

        def work(segment: int, stop: threading.Event) -> None:
            def is_missing(signature: SignatureRequest) -> bool:
                return not stop.is_set() and not _is_archived(archive, signature)

            for page in signatures.pages(segment, len(checkpoint.segments), checkpoint.segments[segment].after):
                checks = zip(page.available, workers.map(is_missing, page.available), strict=True)
                missing = [signature.id for signature, missing_there in checks if missing_there]
                if stop.is_set():
                    return
                if not dry_run:
                    for batch in batched(missing, BATCH, strict=False):
                        _send(sqs, target.output("ArchiveQueueUrl"), batch)
                with recording:
                    checkpoint.complete_page(
                        segment,
                        page.last_id,
                        scanned=page.scanned,
                        available=len(page.available),
                        archived=len(page.available) - len(missing),
                        enqueued=len(missing),
                        broken=len(page.broken),
                    )
                    report(page)

        run_in_parallel([n for n, segment in enumerate(checkpoint.segments) if not segment.is_done], work)


def _is_archived(archive: Archive, signature: SignatureRequest) -> bool:
    try:
        archive.describe(signature.object_key)
    except NotArchived:
        return False
    return True


def _send(sqs: "SQSClient", queue_url: str, signature_ids: tuple[str, ...]) -> None:
    """Sends one message per id. Raises CannotRun if some could not be sent; the others were."""
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
