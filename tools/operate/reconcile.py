"""Enqueues every available certificate that the archive lacks."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from certificates.archive import Archive
from certificates.errors import NotArchived
from certificates.models import Signature
from tools.operate.archive_queue import send
from tools.operate.resume import Counts, Memory
from tools.operate.signatures import Page, Signatures, in_parallel
from tools.operate.target import CONNECTIONS, Target


def reconcile(
    target: Target, signatures: Signatures, memory: Memory, report: Callable[[Page], None], *, dry_run: bool
) -> None:
    """Goes on from where the memory is. A page is done, and reported, when all its messages have been sent; one that
    is interrupted before its first message was sent sends none."""
    archive = Archive(target.s3(), target.bucket)
    sqs = target.sqs()

    with ThreadPoolExecutor(CONNECTIONS) as askers:

        def work(segment: int, stop: threading.Event) -> None:
            def lacks(signature: Signature) -> bool:
                return not stop.is_set() and not _holds(archive, signature)

            for page in signatures.pages(segment, memory.segments, memory.after(segment)):
                answers = zip(page.available, askers.map(lacks, page.available), strict=True)
                missing = [signature.id for signature, is_missing in answers if is_missing]
                if stop.is_set():
                    return
                if not dry_run:
                    send(sqs, target.queue_url, missing)
                memory.complete(segment, page.last_key, _count(page, len(missing)))
                report(page)

        in_parallel(memory.open_segments(), work)


def _holds(archive: Archive, signature: Signature) -> bool:
    try:
        archive.describe(signature.project_id, signature.id)
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
