"""Enqueues every available certificate that the archive lacks."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from certificates.archive import Archive
from certificates.errors import NotArchived
from certificates.models import Signature
from tools.operate.archive_queue import send
from tools.operate.resume import Checkpoint, Counts
from tools.operate.signatures import Page, Signatures, run_in_parallel
from tools.operate.target import CONNECTIONS, Target


def reconcile(
    target: Target, signatures: Signatures, checkpoint: Checkpoint, report: Callable[[Page], None], *, dry_run: bool
) -> None:
    """Resumes at the checkpoint. A page is done, and reported, once all its messages have been sent; a page that is
    interrupted before its first message sends none."""
    archive = Archive(target.s3(), target.bucket)
    sqs = target.sqs()

    with ThreadPoolExecutor(CONNECTIONS) as workers:

        def work(segment: int, stop: threading.Event) -> None:
            def is_missing(signature: Signature) -> bool:
                return not stop.is_set() and not _holds(archive, signature)

            for page in signatures.pages(segment, checkpoint.segments, checkpoint.after(segment)):
                checks = zip(page.available, workers.map(is_missing, page.available), strict=True)
                missing = [signature.id for signature, missing_there in checks if missing_there]
                if stop.is_set():
                    return
                if not dry_run:
                    send(sqs, target.queue_url, missing)
                checkpoint.complete(segment, page.last_key, _count(page, len(missing)))
                report(page)

        run_in_parallel(checkpoint.open_segments(), work)


def _holds(archive: Archive, signature: Signature) -> bool:
    try:
        archive.describe(signature.object_key)
    except NotArchived:
        return False
    return True


def _count(page: Page, missing: int) -> Counts:
    available = len(page.available)
    return Counts(
        scanned=page.scanned,
        available=available,
        archived=available - missing,
        enqueued=missing,
        broken=len(page.broken),
    )
