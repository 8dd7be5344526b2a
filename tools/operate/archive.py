"""`archive`: whether certificates are in the archive, and on their way there."""

import os
from datetime import timedelta
from pathlib import Path

import click

from certificates.aws import AwsError
from certificates.errors import CertificateError
from tools.operate import archive_queue
from tools.operate.failures import CannotRun, Interrupted, in_one_line
from tools.operate.help import examples
from tools.operate.output import Output
from tools.operate.reconcile import reconcile
from tools.operate.resume import Counts, Memory
from tools.operate.signatures import Page, Signatures
from tools.operate.target import CONNECTIONS, Target, on_a_stack
from tools.operate.verify import Finding, find_altered, verify
from tools.operate.verify_report import JsonReport, TableReport

DEFAULT_SEGMENTS = 4


@click.group(
    epilog=examples(
        "python -m tools archive status --local",
        "python -m tools archive reconcile --stack craftkit-certificates",
    )
)
def archive() -> None:
    """Whether certificates are in the archive, and on their way there."""


@archive.command(
    "reconcile",
    epilog=examples(
        "python -m tools archive reconcile --local --dry-run",
        "python -m tools archive reconcile --stack craftkit-certificates",
    ),
)
@click.option("--dry-run", is_flag=True, help="Only count: send nothing, remember nothing.")
@click.option(
    "--segments",
    type=click.IntRange(1, CONNECTIONS),
    help=f"Parts of the table that are read side by side; {DEFAULT_SEGMENTS} by default.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to remember how far it came, to go on from there; .reconcile-<stack>.json by default.",
)
@on_a_stack
def reconcile_command(target: Target, *, dry_run: bool, segments: int | None, state: Path | None) -> None:
    """Enqueue every available certificate that the archive lacks.

    For a table that was there before the archive, and for events that were lost. Interrupted, it goes on where it
    stopped when it is run again.
    """
    output = Output()
    signatures = Signatures(target.dynamodb(), target.signatures_table)
    table = signatures.describe()
    file = None if dry_run else state or Path(f".reconcile-{target.name}.json")
    if file and os.path.lexists(file):
        memory = Memory.load(file, table.identity, segments)
        output.remark(f"Going on after {memory.counts.scanned:,} items ({file}).")
    else:
        memory = Memory.begin(table.identity, segments or DEFAULT_SEGMENTS, file)
    again = f" Run it again to go on where it stopped ({file})." if file else ""
    try:
        with output.progress("Reconciling", table.items, memory.counts.scanned) as advance:

            def report(page: Page) -> None:
                _name_broken(output, page)
                advance(page.scanned)

            reconcile(target, signatures, memory, report, dry_run=dry_run)
    except KeyboardInterrupt as error:
        raise Interrupted(f"Interrupted after {memory.counts.scanned:,} items.{again}") from error
    except (CannotRun, CertificateError, *AwsError) as error:
        raise CannotRun(in_one_line(error) + again) from error
    memory.forget()
    output.numbers(_words(memory.counts, dry_run=dry_run))


def _words(counts: Counts, *, dry_run: bool) -> dict[str, int]:
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
        "python -m tools archive verify --local",
        "python -m tools archive verify --stack craftkit-certificates --json",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@on_a_stack
def verify_command(target: Target, *, as_json: bool) -> None:
    """Read every available certificate back.

    Is it there, are its bytes right, is it a whole PDF? Was a key of the archive ever deleted or overwritten?
    Exit code 1 says that a certificate is missing or damaged, or that a key has a delete marker or more than one
    version. This needs the right s3:ListBucketVersions.
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
                _name_broken(output, page)
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
        "python -m tools archive status --local --port 4000",
        "python -m tools archive status --stack craftkit-certificates --json",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@on_a_stack
def status_command(target: Target, *, as_json: bool) -> None:
    """What is on its way to the archive. All numbers are approximate.

    Messages in flight are being tried, or are kept for a later try. Signature requests are counted by DynamoDB every
    six hours.
    """
    sqs = target.sqs()
    depth = archive_queue.measure_depth(sqs, target.queue_url)
    dead = archive_queue.measure_depth(sqs, target.dead_letter_queue_url)
    oldest = archive_queue.oldest_message_seconds(target.cloudwatch(), target.queue_url)
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


def _name_broken(output: Output, page: Page) -> None:
    for item in page.broken:
        attributes = ", ".join(f"{name}: {rule}" for name, rule in item.problems.items())
        output.remark(f"broken item {item.id} ({attributes})", "yellow")
