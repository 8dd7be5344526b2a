"""`archive`: checks that certificates are archived, and enqueues missing ones."""

import os
from datetime import timedelta
from pathlib import Path

import click

from certificates.aws import AwsError
from certificates.errors import CertificateError
from tools.operate import archive_queue
from tools.operate.failures import CannotRun, Interrupted, describe_error
from tools.operate.help import examples
from tools.operate.output import Output
from tools.operate.reconcile import reconcile
from tools.operate.resume import Checkpoint, Counts
from tools.operate.signatures import Page, Signatures
from tools.operate.target import CONNECTIONS, Target, on_a_stack
from tools.operate.verify import Finding, find_altered, verify
from tools.operate.verify_report import JsonReport, TableReport

DEFAULT_SEGMENTS = 4


@click.group(
    epilog=examples(
        "certificates archive status --local",
        "certificates archive reconcile --stack craftkit-certificates",
    )
)
def archive() -> None:
    """Check which certificates are archived, and enqueue missing ones."""


@archive.command(
    "reconcile",
    epilog=examples(
        "certificates archive reconcile --local --dry-run",
        "certificates archive reconcile --stack craftkit-certificates",
    ),
)
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
def reconcile_command(target: Target, *, dry_run: bool, segments: int | None, state: Path | None) -> None:
    """Enqueue every available certificate that the archive lacks.

    For a table that is older than the archive, and for lost events. After an interruption, run it again: it resumes
    where it stopped.
    """
    output = Output()
    signatures = Signatures(target.dynamodb(), target.signatures_table)
    table = signatures.describe()
    file = None if dry_run else state or Path(f".reconcile-{target.name}.json")
    if file and os.path.lexists(file):
        checkpoint = Checkpoint.load(file, table.identity, segments)
        output.remark(f"Resuming after {checkpoint.counts.scanned:,} items ({file}).")
    else:
        checkpoint = Checkpoint.begin(table.identity, segments or DEFAULT_SEGMENTS, file)
    again = f" Run it again to resume ({file})." if file else ""
    try:
        with output.progress("Reconciling", table.items, checkpoint.counts.scanned) as advance:

            def report(page: Page) -> None:
                _report_broken(output, page)
                advance(page.scanned)

            reconcile(target, signatures, checkpoint, report, dry_run=dry_run)
    except KeyboardInterrupt as error:
        raise Interrupted(f"Interrupted after {checkpoint.counts.scanned:,} items.{again}") from error
    except (CannotRun, CertificateError, *AwsError) as error:
        raise CannotRun(describe_error(error) + again) from error
    checkpoint.delete()
    output.numbers(_label_counts(checkpoint.counts, dry_run=dry_run))


def _label_counts(counts: Counts, *, dry_run: bool) -> dict[str, int]:
    return {
        "scanned": counts.scanned,
        "available": counts.available,
        "archived already": counts.archived,
        "to enqueue" if dry_run else "enqueued": counts.enqueued,
        "broken": counts.broken,
    }


@archive.command(
    "verify",
    epilog=examples(
        "certificates archive verify --local",
        "certificates archive verify --stack craftkit-certificates --json",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@on_a_stack
def verify_command(target: Target, *, as_json: bool) -> None:
    """Read every available certificate from the archive and check it.

    Checks that it exists, matches its checksum and is a whole PDF, and that no key of the archive was ever deleted or
    overwritten. Exit code 1: a certificate is missing or damaged, or a key has a delete marker or more than one
    version. Needs the permission s3:ListBucketVersions.
    """
    output = Output()
    signatures = Signatures(target.dynamodb(), target.signatures_table)
    total = signatures.describe().items
    report = JsonReport(output) if as_json else TableReport(output)
    try:
        with output.progress("Listing", total) as advance:
            for altered in find_altered(target.s3(), target.bucket, advance):
                report.add_altered(altered)
        with output.progress("Verifying", total) as advance:

            def show(page: Page, findings: list[Finding]) -> None:
                _report_broken(output, page)
                report.add(page, findings)
                advance(page.scanned)

            verify(target, signatures, show)
    except KeyboardInterrupt as error:
        raise Interrupted(f"Interrupted after {report.scanned:,} items.") from error
    report.end()
    if report.found:
        raise click.exceptions.Exit(1)


@archive.command(
    "status",
    epilog=examples(
        "certificates archive status --local --port 4000",
        "certificates archive status --stack craftkit-certificates --json",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@on_a_stack
def status_command(target: Target, *, as_json: bool) -> None:
    """Show the messages waiting to be archived. All numbers are approximate.

    Messages in flight are being processed or wait for their next try. DynamoDB counts signature requests every six
    hours.
    """
    sqs = target.sqs()
    depth = archive_queue.measure_depth(sqs, target.queue_url)
    dead = archive_queue.measure_depth(sqs, target.dead_letter_queue_url)
    oldest = archive_queue.measure_oldest_message(target.cloudwatch(), target.queue_url)
    items = Signatures(target.dynamodb(), target.signatures_table).describe().items
    output = Output()
    if as_json:
        values = {
            "waiting": depth.waiting,
            "inFlight": depth.in_flight,
            "delayed": depth.delayed,
            "deadLetters": dead.total,
            "oldestMessageSeconds": oldest,
            "signatureRequests": items,
        }
        output.document(values)
        return
    output.summary(
        {
            "waiting": depth.waiting,
            "in flight": depth.in_flight,
            "delayed": depth.delayed,
            "dead letters": dead.total,
            "oldest message": "unknown" if oldest is None else str(timedelta(seconds=oldest)),
            "signature requests": items,
        }
    )


def _report_broken(output: Output, page: Page) -> None:
    for item in page.broken:
        attributes = ", ".join(f"{name}: {rule}" for name, rule in item.problems.items())
        output.remark(f"broken item {item.id} ({attributes})", "yellow")
