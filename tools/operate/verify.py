"""`archive verify`: reads every available certificate, and finds keys that were deleted or overwritten."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import click
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError

from certificates.archive import find_digest
from certificates.aws import error_code
from certificates.certificate import Certificate, is_whole_pdf
from certificates.models import Signature
from tools.operate.command_line import Interrupted, examples
from tools.operate.output import Output
from tools.operate.replica import compare_replica
from tools.operate.signatures import Page, Signatures, run_in_parallel
from tools.operate.target import Target, check_pages, on_a_stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SEGMENTS = 4
READERS = 8
"""Maximum number of certificates in memory."""

READ_ATTEMPTS = 3

FAULTS = ("missing", "damaged", "altered", "replicaFailed", "replicaMissing", "replicaDiffers")
"""The numbers that must be 0."""

NUMBERS = {"missing": "missing", "signatures_unread": "signaturesUnread"}
"""The number that counts a certificate with this problem. Any other problem counts as damaged."""

Finding = Mapping[str, str | int]
"""A `problem`, and the signature request or the key that has it."""


@click.command(epilog=examples("certificates archive verify --stack craftkit-certificates --json"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: the findings, then the numbers.")
@click.option("--replica", "with_replica", is_flag=True, help="Compare the archive with its second copy, too.")
@click.option("--signatures", "with_signatures", is_flag=True, help="Check the PDFs' digital signatures, too.")
@on_a_stack
def verify(target: Target, *, as_json: bool, with_replica: bool, with_signatures: bool) -> None:
    """Read every available certificate from the archive and check it.

    Checks that it exists, matches its checksum and digest and is a whole PDF, and that no key of the archive was ever
    deleted or overwritten. Exit code 1: a certificate is missing or damaged, or a key has a delete marker or more than
    one version. Needs the permission s3:ListBucketVersions.

    With --replica, also if a certificate is missing in the second copy, could not be copied, or differs there. One that
    is still waiting to be copied is only reported. Needs permission to read that bucket, too, and to use its key.

    With --signatures, a certificate is also damaged if a digital signature in it is broken, or a forbidden change was
    made after it.
    """
    output, started = Output(), time.monotonic()
    signatures = Signatures(target)
    _, total = signatures.describe_table()
    counts = Counter(dict.fromkeys(("scanned", "available", "intact", "missing", "damaged", "altered", "broken"), 0))

    def show(finding: Finding) -> None:
        """Writes a finding at once. None is kept: there may be one per certificate."""
        if as_json:
            output.write_json(finding)
        else:
            output.write("  ".join(f"{name}={value}" for name, value in finding.items()))

    try:
        with output.progress("Listing", total) as advance:
            for altered in _find_altered(target, advance):
                counts["altered"] += 1
                show(altered)
        if with_replica:
            with output.progress("Comparing", total) as advance:
                compare_replica(target, counts, show, advance)
        with output.progress("Verifying", total) as advance:

            def report(page: Page, findings: list[Finding]) -> None:
                for line in page.broken:
                    output.remark(line)
                for finding in findings:
                    counts[NUMBERS.get(str(finding["problem"]), "damaged")] += 1
                    show(finding)
                counts.update(scanned=page.scanned, available=len(page.available), broken=len(page.broken))
                counts["intact"] = counts["available"] - counts["missing"] - counts["damaged"]
                advance(page.scanned)

            with _checking_signatures(counts) if with_signatures else nullcontext(_find_nothing) as find_more:
                _read_all(target, signatures, find_more, report)
    except KeyboardInterrupt as error:
        raise Interrupted(f"Interrupted after {counts['scanned']:,} items.") from error
    output.write_numbers({**counts, "seconds": round(time.monotonic() - started)}, as_json=as_json)
    if any(counts[name] for name in FAULTS):
        raise click.exceptions.Exit(1)


@contextmanager
def _checking_signatures(counts: Counter[str]) -> Iterator[Callable[[bytes], str | None]]:
    """Yields a function that counts a certificate by its digital signatures and returns its problem, for any thread."""
    from tools.operate.pdf_signatures import judging  # noqa: PLC0415 - takes seconds to import

    problems = {"signaturesBroken": "broken_signature", "signaturesUnread": "signatures_unread"}
    counts.update(dict.fromkeys(("signaturesIntact", *problems, "unsigned"), 0))
    counting = threading.Lock()
    with judging() as judge:

        def find_problem(content: bytes) -> str | None:
            state = judge(content)
            if state != "signaturesUnread":
                with counting:
                    counts[state] += 1
            return problems.get(state)

        yield find_problem


def _find_nothing(_: bytes) -> None:
    """Finds no further problem in a certificate."""


def _find_altered(target: Target, advance: Callable[[int], None]) -> Iterator[Finding]:
    """Finds keys that were deleted or overwritten: an intact key has one version and no delete marker.

    Lists the versions of all objects once, page by page. `advance` gets the number of listed versions.
    """
    for key, entries in groupby(_list_versions(target, advance), key=itemgetter(0)):
        numbers = Counter(is_marker for _, is_marker in entries)
        if numbers[True] or numbers[False] > 1:
            yield {"problem": "altered", "key": key, "versions": numbers[False], "deleteMarkers": numbers[True]}


def _list_versions(target: Target, advance: Callable[[int], None]) -> Iterator[tuple[str, bool]]:
    """Yields the key of each version, and whether it is a delete marker. Sorted: S3 lists keys in UTF-8 order, which is
    the order of code points."""
    listing = target.s3().get_paginator("list_object_versions")
    for page in check_pages(listing.paginate(Bucket=target.output("CertificatesBucketName"))):
        entries = [(version["Key"], False) for version in page.get("Versions", [])]
        entries += [(marker["Key"], True) for marker in page.get("DeleteMarkers", [])]
        yield from sorted(entries)
        advance(len(entries))


def _read_all(
    target: Target,
    signatures: Signatures,
    find_more: Callable[[bytes], str | None],
    report: Callable[[Page, list[Finding]], None],
) -> None:
    """Reports pages one at a time, from several threads."""
    s3, bucket = target.s3(), target.output("CertificatesBucketName")
    reporting = threading.Lock()

    with ThreadPoolExecutor(READERS) as readers:

        def work(segment: int, stop: threading.Event) -> None:
            def check(signature: Signature) -> str | None:
                return None if stop.is_set() else _find_problem(s3, bucket, signature, find_more)

            for page in signatures.pages(segment, SEGMENTS):
                checks = zip(page.available, readers.map(check, page.available), strict=True)
                findings: list[Finding] = [
                    {"problem": problem, "signatureRequestId": signature.id, "projectId": signature.project_id}
                    for signature, problem in checks
                    if problem
                ]
                if stop.is_set():
                    return
                with reporting:
                    report(page, findings)

        run_in_parallel(list(range(SEGMENTS)), work)


def _find_problem(
    s3: "S3Client", bucket: str, signature: Signature, find_more: Callable[[bytes], str | None]
) -> str | None:
    try:
        content, sha256, digest = _read(s3, bucket, signature.object_key)
    except FlexibleChecksumError:
        return "wrong_checksum"
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            return "missing"
        raise
    if sha256 is None:
        return "no_checksum"
    if sha256 != Certificate(content).sha256:
        return "wrong_checksum"
    if digest not in (None, sha256):
        return "wrong_digest"
    return find_more(content) if is_whole_pdf(content) else "not_a_pdf"


def _read(s3: "S3Client", bucket: str, key: str) -> tuple[bytes, str | None, str | None]:
    """Reads the content, the SHA-256 stored with it, and the one in its metadata. boto3 retries failed requests, but
    does not read a truncated or damaged body again."""
    for _ in range(READ_ATTEMPTS - 1):
        with suppress(BotoCoreError):
            return _read_once(s3, bucket, key)
    return _read_once(s3, bucket, key)


def _read_once(s3: "S3Client", bucket: str, key: str) -> tuple[bytes, str | None, str | None]:
    response = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    # StreamingBody's own context manager returns the underlying stream, which checks nothing; closing() does not.
    with closing(response["Body"]) as body:
        return body.read(), response.get("ChecksumSHA256"), find_digest(response)
