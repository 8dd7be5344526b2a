"""Compares the archive with its second copy, by the checksums of each key, without reading any certificate."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from certificates.aws import error_code
from tools.operate.command_line import CannotRun, describe_error
from tools.operate.target import CONNECTIONS, Target, check_pages

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

VERDICTS = {
    "replicated": "replicated",
    "replica_pending": "replicaPending",
    "replica_failed": "replicaFailed",
    "replica_missing": "replicaMissing",
    "replica_differs": "replicaDiffers",
}
"""The verdicts on a key, each with the name of its number."""


def compare_replica(
    target: Target,
    counts: Counter[str],
    show: Callable[[Mapping[str, str | int]], None],
    advance: Callable[[int], None],
) -> None:
    """Counts the keys of the archive by verdict, and shows each that is not replicated."""
    counts.update(dict.fromkeys(VERDICTS.values(), 0))
    s3, archive, replica = target.s3(), target.output("CertificatesBucketName"), _find_replica(target)
    # S3's response to HEAD has no body: without the bucket, each certificate would look missing. If it is in another
    # region than the stack, boto3 learns that now.
    with _reading(replica):
        s3.list_objects_v2(Bucket=replica, MaxKeys=1)

    def judge(key: str) -> str:
        return _judge(_describe(s3, archive, key), _describe(s3, replica, key))

    with ThreadPoolExecutor(CONNECTIONS) as readers:
        for keys in _list_keys(s3, archive):
            for key, verdict in zip(keys, readers.map(judge, keys), strict=True):
                counts[VERDICTS[verdict]] += 1
                if verdict != "replicated":
                    show({"problem": verdict, "key": key})
            advance(len(keys))


def _find_replica(target: Target) -> str:
    arn = target.parameters.get("ReplicaBucketArn")
    if not arn:
        raise CannotRun(f"Stack {target.name} has no second copy: its parameter ReplicaBucketArn is empty.")
    return arn.rpartition(":")[2]


def _list_keys(s3: "S3Client", bucket: str) -> Iterator[list[str]]:
    """Yields the keys in pages."""
    for page in check_pages(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)):
        yield [entry["Key"] for entry in page.get("Contents", [])]


def _judge(original: "HeadObjectOutputTypeDef | None", copy: "HeadObjectOutputTypeDef | None") -> str:
    status = original.get("ReplicationStatus") if original else None
    if status == "FAILED":
        return "replica_failed"
    if copy is None:
        return "replica_pending" if status == "PENDING" else "replica_missing"
    checksum = original.get("ChecksumSHA256") if original else None
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
