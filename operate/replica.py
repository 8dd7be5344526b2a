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
from typing import Any

from botocore.exceptions import ClientError

from certificates.aws import error_code
from operate.checkpoint import Checkpoint, Finding
from operate.command_line import CannotRun, describe_error
from operate.stack import CONNECTIONS, DeployedStack
from operate.versions import Versions

FAULTS = ("replicaFailed", "replicaMissing", "replicaDiffers", "replicaAltered", "onlyInReplica")
NUMBERS = ("replicated", "replicaPending", *FAULTS)
"""The numbers of the keys with each verdict."""

STEP_KEYS = 100
"""A run that was killed repeats at most one step."""


class Keys:
    """The keys of the archive and, if it is to be compared, of the second copy."""

    def __init__(self, stack: DeployedStack, *, with_replica: bool) -> None:
        self._s3 = stack.client("s3")
        self._buckets = [stack.output("CertificatesBucketName")]
        if with_replica:
            replica = find_replica(stack)
            if replica is None:
                raise CannotRun(f"Stack {stack.name} has no second copy: its parameter ReplicaBucketArn is empty.")
            self._buckets.append(replica)

    def check_all(self, checkpoint: Checkpoint, advance: Callable[[int], None]) -> None:
        """Counts the keys by verdict and reports each that is not as it should be. Saves the checkpoint after each
        step."""
        done = checkpoint.done.get("archive", "")
        if done is None:
            return
        with ThreadPoolExecutor(CONNECTIONS) as readers:
            for step in batched(self._list(after=done), STEP_KEYS, strict=False):
                for counts, findings in readers.map(self._check, *zip(*step, strict=True)):
                    checkpoint.record(counts, findings)
                checkpoint.save(archive=step[-1][0])
                advance(len(step))
        checkpoint.save(archive=None)

    def check_one(self, key: str) -> tuple[Counter[str], list[Finding]]:
        return self._check(key, dict(self._list(prefix=key)).get(key, Counter()))

    def _check(self, key: str, numbers: Counter[tuple[int, bool]]) -> tuple[Counter[str], list[Finding]]:
        """An intact key has one version and no delete marker, in each bucket."""
        found: dict[str, dict[str, int]] = {}
        for bucket, verdict in enumerate(("altered", "replicaAltered")):
            versions, markers = numbers[bucket, False], numbers[bucket, True]
            if markers or versions > 1:
                found[verdict] = {"versions": versions, "deleteMarkers": markers}
        if len(self._buckets) > 1 and "replicaAltered" not in found:
            # The two lists are not of the same moment: only what the two keys are now decides whether one is missing.
            found[_judge(*(self._describe(bucket, key) for bucket in self._buckets))] = {}
        findings: list[Finding] = [
            {"problem": re.sub("([A-Z])", r"_\1", verdict).lower(), "key": key, **facts}
            for verdict, facts in found.items()
            if verdict != "replicated"
        ]
        return Counter(found.keys()), findings

    def _list(self, after: str = "", prefix: str = "") -> Iterator[tuple[str, Counter[tuple[int, bool]]]]:
        """Yields how many versions each key has, by the number of the bucket and whether they are delete markers."""

        def list_entries(number: int, bucket: str) -> Iterator[tuple[str, int, bool]]:
            with _reading(bucket):  # if the bucket is in another region than the stack, boto3 learns that here
                for one in Versions(self._s3, bucket).list_versions(prefix, after):
                    yield one["Key"], number, "Size" not in one

        lists = [list_entries(number, bucket) for number, bucket in enumerate(self._buckets)]
        for key, entries in groupby(heapq.merge(*lists), key=itemgetter(0)):
            yield key, Counter(entry[1:] for entry in entries)

    def _describe(self, bucket: str, key: str) -> Any:
        """Returns an empty response if the object is not there, or a delete marker hides it."""
        with _reading(bucket):
            try:
                return self._s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
            except ClientError as error:
                if error_code(error) != "404":
                    raise
                return {}


def find_replica(stack: DeployedStack) -> str | None:
    """Returns the bucket of the second copy, if the stack has one."""
    return stack.parameters.get("ReplicaBucketArn", "").rpartition(":")[2] or None


def _judge(original: Any, copy: Any) -> str:
    if not original:
        return "onlyInReplica" if copy else "replicaMissing"
    status = original.get("ReplicationStatus")
    if status == "FAILED":
        return "replicaFailed"
    if not copy:
        return "replicaPending" if status == "PENDING" else "replicaMissing"
    checksum = original.get("ChecksumSHA256")
    return "replicated" if checksum and checksum == copy.get("ChecksumSHA256") else "replicaDiffers"


@contextmanager
def _reading(bucket: str) -> Iterator[None]:
    """Adds to an error which of the two buckets it is about: AWS's message does not say so."""
    try:
        yield
    except ClientError as error:
        raise CannotRun(f"The bucket {bucket} can't be read. {describe_error(error)}") from error
