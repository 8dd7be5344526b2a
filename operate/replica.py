"""Compares the archive with its second copy, by the versions and checksums of each key, without reading any
certificate."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import batched, groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from certificates.aws import error_code
from operate.command_line import CannotRun, describe_error
from operate.stack import CONNECTIONS, Target, check_pages

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

VERDICTS = {
    "replicated": "replicated",
    "replica_pending": "replicaPending",
    "replica_failed": "replicaFailed",
    "replica_missing": "replicaMissing",
    "replica_differs": "replicaDiffers",
    "replica_altered": "replicaAltered",
    "only_in_replica": "onlyInReplica",
}
"""The verdicts on a key, each with the name of its number."""

_KEYS = 1000
"""Compared at a time."""

Entry = tuple[str, bool]
"""The key of a version, and whether the version is a delete marker."""


def compare_replica(
    target: Target,
    counts: Counter[str],
    show: Callable[[Mapping[str, str | int]], None],
    advance: Callable[[int], None],
) -> None:
    """Counts the keys of both buckets by verdict, and shows each that is not replicated."""
    counts.update(dict.fromkeys(VERDICTS.values(), 0))
    s3, archive, replica = target.s3(), target.output("CertificatesBucketName"), find_replica(target)
    if replica is None:
        raise CannotRun(f"Stack {target.name} has no second copy: its parameter ReplicaBucketArn is empty.")

    def list_copies() -> Iterator[tuple[str, bool, bool]]:
        # If the bucket is in another region than the stack, boto3 learns that here.
        with _reading(replica):
            for key, is_marker in list_versions(s3, replica):
                yield key, True, is_marker

    def judge(found: tuple[str, Counter[tuple[bool, bool]]]) -> str:
        """The two lists are not of the same moment: only what the two keys are now decides whether one is missing."""
        key, numbers = found
        if numbers[True, True] or numbers[True, False] > 1:
            return "replica_altered"
        return _judge(_describe(s3, archive, key), _describe(s3, replica, key))

    originals = ((key, False, is_marker) for key, is_marker in list_versions(s3, archive))
    merged = groupby(heapq.merge(originals, list_copies()), key=itemgetter(0))
    numbered = ((key, Counter((is_copy, is_marker) for _, is_copy, is_marker in entries)) for key, entries in merged)
    with ThreadPoolExecutor(CONNECTIONS) as readers:
        for batch in batched(numbered, _KEYS, strict=False):
            for (key, numbers), verdict in zip(batch, readers.map(judge, batch), strict=True):
                counts[VERDICTS[verdict]] += 1
                if verdict == "replica_altered":
                    versions = {"versions": numbers[True, False], "deleteMarkers": numbers[True, True]}
                    show({"problem": verdict, "key": key} | versions)
                elif verdict != "replicated":
                    show({"problem": verdict, "key": key})
            advance(len(batch))


def find_replica(target: Target) -> str | None:
    """Returns the bucket of the second copy, if the stack has one."""
    return target.parameters.get("ReplicaBucketArn", "").rpartition(":")[2] or None


def list_versions(s3: "S3Client", bucket: str) -> Iterator[Entry]:
    """Yields all versions. Sorted: S3 lists keys in UTF-8 order, which is the order of code points."""
    for page in check_pages(s3.get_paginator("list_object_versions").paginate(Bucket=bucket)):
        entries = [(version["Key"], False) for version in page.get("Versions", [])]
        entries += [(marker["Key"], True) for marker in page.get("DeleteMarkers", [])]
        yield from sorted(entries)


def _judge(original: "HeadObjectOutputTypeDef | None", copy: "HeadObjectOutputTypeDef | None") -> str:
    if original is None:
        return "only_in_replica" if copy else "replica_missing"
    status = original.get("ReplicationStatus")
    if status == "FAILED":
        return "replica_failed"
    if copy is None:
        return "replica_pending" if status == "PENDING" else "replica_missing"
    checksum = original.get("ChecksumSHA256")
    return "replicated" if checksum and checksum == copy.get("ChecksumSHA256") else "replica_differs"


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
