"""Compares the keys of the archive with what they should be, by their versions, and with the second copy, by their
checksums, without reading any certificate."""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import batched, groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from certificates.aws import error_code
from operate.checkpoint import Checkpoint, Finding
from operate.command_line import CannotRun, describe_error
from operate.stack import CONNECTIONS, DeployedStack, check_pages

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

FAULTS = ("replicaFailed", "replicaMissing", "replicaDiffers", "replicaAltered", "onlyInReplica")
NUMBERS = ("replicated", "replicaPending", *FAULTS)
"""The numbers of the keys with each verdict."""

STEP_KEYS = 100
"""A run that was killed repeats at most one step."""

Versions = Counter[tuple[bool, bool]]
"""How many versions a key has: whether in the second copy, and whether they are delete markers."""


class Keys:
    """The keys of the archive and, if it is to be compared, of the second copy."""

    def __init__(self, stack: DeployedStack, *, with_replica: bool) -> None:
        self._s3 = stack.s3()
        self._archive = stack.output("CertificatesBucketName")
        self._replica = find_replica(stack) if with_replica else None
        if with_replica and self._replica is None:
            raise CannotRun(f"Stack {stack.name} has no second copy: its parameter ReplicaBucketArn is empty.")

    def check_all(self, checkpoint: Checkpoint, advance: Callable[[int], None]) -> None:
        """Counts the keys by verdict and reports each that is not as it should be. Saves the checkpoint after each
        step."""
        if checkpoint.listing is None:
            return
        with ThreadPoolExecutor(CONNECTIONS) as readers:
            for step in batched(self._list(checkpoint.listing), STEP_KEYS, strict=False):
                for counts, findings in readers.map(self.check, *zip(*step, strict=True)):
                    checkpoint.record(counts, findings)
                checkpoint.listing = step[-1][0]
                checkpoint.save()
                advance(len(step))
        checkpoint.listing = None
        checkpoint.save()

    def check_one(self, key: str) -> tuple[Counter[str], list[Finding]]:
        found = dict(self._list(prefix=key))
        return self.check(key, found.get(key, Counter()))

    def check(self, key: str, numbers: Versions) -> tuple[Counter[str], list[Finding]]:
        """An intact key has one version and no delete marker, in both buckets."""
        verdicts, findings = [], list[Finding]()
        for in_replica, verdict in ((False, "altered"), (True, "replicaAltered")):
            versions, markers = numbers[in_replica, False], numbers[in_replica, True]
            if markers or versions > 1:
                verdicts.append(verdict)
                problem = _name_problem(verdict)
                findings.append({"problem": problem, "key": key, "versions": versions, "deleteMarkers": markers})
        if self._replica and "replicaAltered" not in verdicts:
            # The two lists are not of the same moment: only what the two keys are now decides whether one is missing.
            verdict = _judge(_describe(self._s3, self._archive, key), _describe(self._s3, self._replica, key))
            verdicts.append(verdict)
            if verdict != "replicated":
                findings.append({"problem": _name_problem(verdict), "key": key})
        return Counter(verdicts), findings

    def _list(self, after: str = "", prefix: str = "") -> Iterator[tuple[str, Versions]]:
        lists = [self._list_versions(self._archive, after, prefix, in_replica=False)]
        if self._replica:
            lists.append(self._list_versions(self._replica, after, prefix, in_replica=True))
        for key, entries in groupby(heapq.merge(*lists), key=itemgetter(0)):
            yield key, Counter((in_replica, is_marker) for _, in_replica, is_marker in entries)

    def _list_versions(
        self, bucket: str, after: str, prefix: str, *, in_replica: bool
    ) -> Iterator[tuple[str, bool, bool]]:
        """Sorted: S3 lists keys in UTF-8 order, which is the order of code points. AWS does not document whether a list
        includes the key at which it starts."""
        start = {"KeyMarker": after} if after else {}
        paginator = self._s3.get_paginator("list_object_versions")
        pages = paginator.paginate(Bucket=bucket, Prefix=prefix, **start)  # type: ignore[arg-type]
        with _reading(bucket):  # if the bucket is in another region than the stack, boto3 learns that here
            for page in check_pages(pages):
                entries = [(version["Key"], in_replica, False) for version in page.get("Versions", [])]
                entries += [(marker["Key"], in_replica, True) for marker in page.get("DeleteMarkers", [])]
                yield from sorted(entry for entry in entries if entry[0] > after)


def find_replica(stack: DeployedStack) -> str | None:
    """Returns the bucket of the second copy, if the stack has one."""
    return stack.parameters.get("ReplicaBucketArn", "").rpartition(":")[2] or None


def _name_problem(verdict: str) -> str:
    """Returns `replica_missing` for `replicaMissing`."""
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", verdict)


def _judge(original: "HeadObjectOutputTypeDef | None", copy: "HeadObjectOutputTypeDef | None") -> str:
    if original is None:
        return "onlyInReplica" if copy else "replicaMissing"
    status = original.get("ReplicationStatus")
    if status == "FAILED":
        return "replicaFailed"
    if copy is None:
        return "replicaPending" if status == "PENDING" else "replicaMissing"
    checksum = original.get("ChecksumSHA256")
    return "replicated" if checksum and checksum == copy.get("ChecksumSHA256") else "replicaDiffers"


def _describe(s3: "S3Client", bucket: str, key: str) -> "HeadObjectOutputTypeDef | None":
    """Returns None if the object is not there, or a delete marker hides it."""
    with _reading(bucket):
        try:
            return s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error_code(error) != "404":
                raise
            return None


@contextmanager
def _reading(bucket: str) -> Iterator[None]:
    """Adds to an error which of the two buckets it is about: AWS's message does not say so."""
    try:
        yield
    except ClientError as error:
        raise CannotRun(f"The bucket {bucket} can't be read. {describe_error(error)}") from error
