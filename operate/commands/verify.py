"""`archive verify`: reads every available certificate, and finds keys that were deleted or overwritten."""

import hashlib
import heapq
import math
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import ROUND_CEILING, Context
from functools import partial
from itertools import chain
from pathlib import Path

import click
from botocore.exceptions import ClientError

from certificates.certificate import Certificate, is_whole_pdf
from certificates.errors import ArchiveUnavailable, NotArchived
from certificates.models import SignatureRequest
from operate import replica
from operate.checkpoint import Finding, resuming
from operate.command_line import examples
from operate.evidence import require_packages
from operate.output import AS_JSON, progress, remark, write_numbers
from operate.signature_requests import SignatureRequests
from operate.stack import DeployedStack, on_a_stack
from operate.versions import Versions

CONFIDENCE = 0.95
READERS = 8
"""Maximum number of certificates in memory."""

NUMBERS = ("scanned", "available", "intact", "missing", "damaged", "altered", "broken")
SIGNATURE_NUMBERS = ("signaturesIntact", "signaturesBroken", "signaturesNotDetermined", "unsigned")
FAULTS = ("missing", "damaged", "altered", *replica.FAULTS)
"""The numbers that must be 0."""

SIGNATURE_PROBLEMS = {"signaturesBroken": "broken_signature", "signaturesNotDetermined": "signatures_not_determined"}
STATES = {None: "intact", "signatures_not_determined": "intact", "missing": "missing"}
"""The number that counts a certificate with this problem. Any other problem counts as damaged."""


@click.command(epilog=examples("certificates archive verify --stack craftkit-certificates --json"))
@AS_JSON
@click.option("--replica", "with_replica", is_flag=True, help="Compare the archive with its second copy, too.")
@click.option("--signatures", "with_signatures", is_flag=True, help="Check the PDFs' digital signatures, too.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Check N certificates that are chosen at random.")
@click.option("--seed", metavar="TEXT", help="Choose the same certificates as the sample with this seed.")
@on_a_stack
def verify(
    stack: DeployedStack, *, with_replica: bool, with_signatures: bool, sample: int | None, seed: str | None
) -> None:
    """Read every available certificate from the archive and check it.

    Each must match its checksum and digest and be a whole PDF, and no key may have been deleted or overwritten. Exit
    code 1: there is a defect. After an interruption, run it again in the same folder: it resumes where it stopped, and
    its numbers include what was found before.

    With --replica, each key is compared with the second copy. A copy that is still waiting is only reported.

    With --signatures, a certificate is also damaged if a digital signature in it is broken or hidden, or a forbidden
    change was made after it. Signatures and changes about which this can't be determined are reported and counted.

    With --sample, the result gives an upper bound for the share of certificates that have defects. The whole table is
    read to choose them. An interrupted sample is not resumed: run it again with the seed that it printed.
    """
    if seed and not sample:
        raise click.UsageError("--seed needs --sample.")
    requests = SignatureRequests(stack)
    keys = replica.Keys(stack, with_replica=with_replica)
    judge: Callable[[bytes], str] | None = None
    if with_signatures:
        require_packages()
        from operate.evidence.signature_checks import judge_signatures as judge  # noqa: PLC0415 - takes seconds
    check = partial(_check, Versions(stack.client("s3"), stack.output("CertificatesBucketName")), judge)
    work = f"verify, replica {with_replica}, signatures {with_signatures}, {requests.identity}"
    names = NUMBERS + replica.NUMBERS * with_replica + SIGNATURE_NUMBERS * with_signatures
    file = None if sample else Path(f".verify-{stack.name}.json")
    statement: dict[str, object] = {}

    seed = seed or secrets.token_hex(4)
    if sample:
        remark(f"Seed {seed}.")
    with resuming(file, work, names) as checkpoint, ThreadPoolExecutor(READERS) as readers:
        if sample:
            defects = 0
            with progress("Choosing", requests.count) as advance:
                chosen = choose(chain.from_iterable(requests.read(checkpoint, advance)), sample, seed)
            with progress("Verifying", len(chosen)) as advance:
                of_keys = readers.map(keys.check_one, [request.object_key for request in chosen])
                for found in zip(of_keys, readers.map(check, chosen), strict=True):
                    for counts, findings in found:
                        checkpoint.record(counts, findings)
                    defects += any(counts[name] for counts, _ in found for name in FAULTS)
                    advance(1)
            statement = state_result(seed, defects, len(chosen), checkpoint.counts)
        else:
            with progress("Listing", requests.count) as advance:
                keys.check_all(checkpoint, advance)
            with progress("Verifying", requests.count - checkpoint.counts["scanned"]) as advance:
                for available in requests.read(checkpoint, advance):
                    for counts, findings in readers.map(check, available):
                        checkpoint.record(counts, findings)
        write_numbers(checkpoint.counts, statement)
    if any(checkpoint.counts.get(name) for name in FAULTS):
        raise click.exceptions.Exit(1)


def _check(
    archive: Versions, judge: Callable[[bytes], str] | None, request: SignatureRequest
) -> tuple[Counter[str], list[Finding]]:
    """Returns the numbers that count the certificate, and its problem."""
    problem, content = _read(archive, request.object_key)
    counts: Counter[str] = Counter()
    if problem is None and judge:
        verdict = judge(content)
        counts[verdict], problem = 1, SIGNATURE_PROBLEMS.get(verdict)
    counts[STATES.get(problem, "damaged")] = 1
    finding: Finding = {"problem": problem or "", "signatureRequestId": request.id, "projectId": request.project_id}
    return counts, [finding] if problem else []


def _read(archive: Versions, key: str, attempts: int = 3) -> tuple[str | None, bytes]:
    """Reads a certificate again if its bytes are not those that were archived: they may have been damaged on the
    way, and boto3 repeats failed requests only."""
    try:
        version = archive.read_version(key)
    except NotArchived:
        return "missing", b""
    except ArchiveUnavailable as error:
        if attempts == 1 or isinstance(error.__cause__, ClientError):
            raise
        return _read(archive, key, attempts - 1)
    if version.sha256 is None:
        return "no_checksum", b""
    if version.sha256 != Certificate(version.content).sha256:
        return ("wrong_checksum", b"") if attempts == 1 else _read(archive, key, attempts - 1)
    if version.digest not in (None, version.sha256):
        return "wrong_digest", b""
    return None if is_whole_pdf(version.content) else "not_a_pdf", version.content


def choose(available: Iterable[SignatureRequest], size: int, seed: str) -> list[SignatureRequest]:
    """Returns those whose ids have the greatest hashes with the seed. The same seed chooses the same ones, whatever the
    order of the table."""
    return heapq.nlargest(size, available, lambda one: hashlib.sha256(f"{seed} {one.id}".encode()).digest())


def state_result(seed: str, defects: int, size: int, counts: Mapping[str, int]) -> dict[str, object]:
    """Says what share of the available certificates has defects at most, as a number and as a sentence."""
    found = "no defect" if not defects else "1 defect" if defects == 1 else f"{defects:,} defects"
    if size == counts["available"]:
        bound, sentence = defects / max(size, 1), f"{found} among all {size:,}"
    else:
        bound = find_upper_bound(defects, size)
        percent = Context(prec=2, rounding=ROUND_CEILING).create_decimal(str(round(100 * bound, 9))).normalize()
        sentence = f"{found} among {size:,}: at most {percent:f} % at {CONFIDENCE * 100:.0f} %"
    if counts["broken"]:
        sentence += f"; broken items, which were not checked: {counts['broken']:,}"
    numbers = {"sample": size, "seed": seed, "defects": defects, "atMost": bound}
    return {**numbers, "statement": f"{sentence} (seed {seed})"}


def find_upper_bound(defects: int, size: int) -> float:
    """Returns the share of defects from which on a sample of this size has more of them with a probability of at least
    95 % (exact binomial, Clopper and Pearson; without defects about 3 / size)."""
    low, high = defects / size, 1.0
    for _ in range(50 if low < high else 0):
        share = (low + high) / 2
        low, high = (low, share) if _find_probability(defects, size, share) <= 1 - CONFIDENCE else (share, high)
    return high


def _find_probability(most: int, size: int, share: float) -> float:
    """Returns the probability of at most so many defects in a sample."""
    odds, none = math.log(share) - math.log1p(-share), size * math.log1p(-share)
    ways = (math.lgamma(size + 1) - math.lgamma(n + 1) - math.lgamma(size - n + 1) for n in range(most + 1))
    return math.fsum(math.exp(way + n * odds + none) for n, way in enumerate(ways))
