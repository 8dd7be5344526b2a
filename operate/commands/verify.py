"""`archive verify`: reads every available certificate, and finds keys that were deleted or overwritten."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import itemgetter

import click
from botocore.exceptions import ClientError

from certificates.certificate import Certificate, is_whole_pdf
from certificates.errors import ArchiveUnavailable, NotArchived
from certificates.models import SignatureRequest
from operate.command_line import Interrupted, examples
from operate.output import Output
from operate.replica import compare_replica, list_versions
from operate.signature_requests import Page, SignatureRequests, run_in_parallel
from operate.stack import Target, on_a_stack
from operate.versions import Versions

SEGMENTS = 4
READERS = 8
"""Maximum number of certificates in memory."""

READ_ATTEMPTS = 3

FAULTS = (
    *("missing", "damaged", "altered"),
    *("replicaFailed", "replicaMissing", "replicaDiffers", "replicaAltered", "onlyInReplica"),
)
"""The numbers that must be 0."""

NUMBERS = {"missing": "missing", "signatures_not_determined": "signaturesNotDetermined"}
"""The number that counts a certificate with this problem. Any other problem counts as damaged."""

Finding = Mapping[str, str | int]
"""A `problem`, and the signature request or the key that has it."""


@click.command(epilog=examples("certificates archive verify --stack craftkit-certificates --json"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: the findings, then the numbers.")
@click.option("--replica", "with_replica", is_flag=True, help="Compare the archive with its second copy, too.")
@click.option("--signatures", "check_digital_signatures", is_flag=True, help="Check the PDFs' digital signatures, too.")
@on_a_stack
def verify(target: Target, *, as_json: bool, with_replica: bool, check_digital_signatures: bool) -> None:
    """Read every available certificate from the archive and check it.

    Checks that it exists, matches its checksum and digest and is a whole PDF, and that no key of the archive was ever
    deleted or overwritten. Exit code 1: a certificate is missing or damaged, or a key has a delete marker or more than
    one version. Needs the permission s3:ListBucketVersions.

    With --replica, also if a certificate is missing in the second copy, could not be copied, differs there, was
    overwritten or deleted there, or exists only there. One that is still waiting to be copied is only reported. Needs
    permission to read that bucket, too, and to use its key.

    With --signatures, a certificate is also damaged if a digital signature in it is broken or hidden, or a forbidden
    change was made after it. Signatures and changes about which this can't be determined are reported and counted.
    """
    output, started = Output(), time.monotonic()
    signatures = SignatureRequests(target)
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

            find_more = _checking_signatures(counts) if check_digital_signatures else _find_nothing
            _read_all(target, signatures, find_more, report)
    except KeyboardInterrupt as error:
        raise Interrupted(f"Interrupted after {counts['scanned']:,} items.") from error
    output.write_numbers({**counts, "seconds": round(time.monotonic() - started)}, as_json=as_json)
    if any(counts[name] for name in FAULTS):
        raise click.exceptions.Exit(1)


def _checking_signatures(counts: Counter[str]) -> Callable[[bytes], str | None]:
    """Returns a function for any thread: it counts a certificate by its digital signatures and returns its problem."""
    from operate.evidence.signature_checks import judge_signatures  # noqa: PLC0415 - only with --signatures

    problems = {"signaturesBroken": "broken_signature", "signaturesNotDetermined": "signatures_not_determined"}
    counts.update(dict.fromkeys(("signaturesIntact", *problems, "unsigned"), 0))
    counting = threading.Lock()

    def find_problem(content: bytes) -> str | None:
        state = judge_signatures(content)
        if state != "signaturesNotDetermined":
            with counting:
                counts[state] += 1
        return problems.get(state)

    return find_problem


def _find_nothing(_: bytes) -> None:
    """Finds no further problem in a certificate."""


def _find_altered(target: Target, advance: Callable[[int], None]) -> Iterator[Finding]:
    """Finds keys that were deleted or overwritten: an intact key has one version and no delete marker.

    Lists the versions of all objects once, page by page. `advance` gets the number of listed versions.
    """
    listing = list_versions(target.s3(), target.output("CertificatesBucketName"))
    for key, entries in groupby(listing, key=itemgetter(0)):
        numbers = Counter(is_marker for _, is_marker in entries)
        if numbers[True] or numbers[False] > 1:
            yield {"problem": "altered", "key": key, "versions": numbers[False], "deleteMarkers": numbers[True]}
        advance(numbers.total())


def _read_all(
    target: Target,
    signatures: SignatureRequests,
    find_more: Callable[[bytes], str | None],
    report: Callable[[Page, list[Finding]], None],
) -> None:
    """Reports pages one at a time, from several threads."""
    archive = Versions(target.s3(), target.output("CertificatesBucketName"))
    reporting = threading.Lock()

    with ThreadPoolExecutor(READERS) as readers:

        def work(segment: int, stop: threading.Event) -> None:
            def check(signature: SignatureRequest) -> str | None:
                return None if stop.is_set() else _find_problem(archive, signature, find_more)

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
    archive: Versions, signature: SignatureRequest, find_more: Callable[[bytes], str | None]
) -> str | None:
    """Reads a certificate again if its bytes are not those that were archived: they may have been damaged on the way,
    and boto3 repeats failed requests only."""
    for attempt in range(READ_ATTEMPTS):
        is_last = attempt == READ_ATTEMPTS - 1
        try:
            version = archive.read_version(signature.object_key)
        except NotArchived:
            return "missing"
        except ArchiveUnavailable as error:
            if is_last or isinstance(error.__cause__, ClientError):
                raise
            continue
        if version.sha256 is None:
            return "no_checksum"
        if version.sha256 == Certificate(version.content).sha256:
            if version.digest not in (None, version.sha256):
                return "wrong_digest"
            return find_more(version.content) if is_whole_pdf(version.content) else "not_a_pdf"
    return "wrong_checksum"
