"""Reads every available certificate from the archive, and finds keys that were deleted or overwritten."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError

from certificates.aws import error_code
from certificates.certificate import Certificate, is_whole_pdf
from certificates.errors import ArchiveUnavailable
from certificates.models import Signature
from tools.operate.signatures import Page, Signatures, run_in_parallel
from tools.operate.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SEGMENTS = 4
READERS = 8
"""Maximum number of certificates in memory."""

READ_ATTEMPTS = 3


class Problem(StrEnum):
    MISSING = "missing"
    NO_CHECKSUM = "no_checksum"
    WRONG_CHECKSUM = "wrong_checksum"
    NOT_A_PDF = "not_a_pdf"


@dataclass(frozen=True)
class Finding:
    signature: Signature
    problem: Problem


@dataclass(frozen=True)
class Altered:
    """A key that was deleted or overwritten: an intact key has one version and no delete marker."""

    key: str
    versions: int
    delete_markers: int


def find_altered(s3: "S3Client", bucket: str, advance: Callable[[int], None]) -> Iterator[Altered]:
    """Lists the versions of all objects once, page by page. `advance` gets the number of listed versions."""
    for key, entries in groupby(_list_versions(s3, bucket, advance), key=itemgetter(0)):
        numbers = Counter(is_marker for _, is_marker in entries)
        if numbers[True] or numbers[False] > 1:
            yield Altered(key, versions=numbers[False], delete_markers=numbers[True])


def _list_versions(s3: "S3Client", bucket: str, advance: Callable[[int], None]) -> Iterator[tuple[str, bool]]:
    """Yields the key of each version, and whether it is a delete marker. Sorted: S3 lists keys in UTF-8 order, which is
    the order of code points."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        if "IsTruncated" not in page:  # botocore parses any other XML as an empty list
            raise ArchiveUnavailable("MalformedAnswer")
        entries = [(version["Key"], False) for version in page.get("Versions", [])]
        entries += [(marker["Key"], True) for marker in page.get("DeleteMarkers", [])]
        yield from sorted(entries)
        advance(len(entries))


def verify(target: Target, signatures: Signatures, report: Callable[[Page, list[Finding]], None]) -> None:
    """Reports pages one at a time, from several threads."""
    s3 = target.s3()
    reporting = threading.Lock()

    with ThreadPoolExecutor(READERS) as readers:

        def work(segment: int, stop: threading.Event) -> None:
            def check(signature: Signature) -> Problem | None:
                return None if stop.is_set() else _check(s3, target.bucket, signature)

            for page in signatures.pages(segment, SEGMENTS):
                checks = zip(page.available, readers.map(check, page.available), strict=True)
                findings = [Finding(signature, problem) for signature, problem in checks if problem]
                if stop.is_set():
                    return
                with reporting:
                    report(page, findings)

        run_in_parallel(list(range(SEGMENTS)), work)


def _check(s3: "S3Client", bucket: str, signature: Signature) -> Problem | None:
    try:
        content, sha256 = _read(s3, bucket, signature.object_key)
    except FlexibleChecksumError:
        return Problem.WRONG_CHECKSUM
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            return Problem.MISSING
        raise
    if sha256 is None:
        return Problem.NO_CHECKSUM
    if sha256 != Certificate(content).sha256:
        return Problem.WRONG_CHECKSUM
    return None if is_whole_pdf(content) else Problem.NOT_A_PDF


def _read(s3: "S3Client", bucket: str, key: str) -> tuple[bytes, str | None]:
    """Reads the content and the SHA-256 stored with it. boto3 retries failed requests, but does not read a truncated or
    damaged body again."""
    for _ in range(READ_ATTEMPTS - 1):
        with suppress(BotoCoreError):
            return _read_once(s3, bucket, key)
    return _read_once(s3, bucket, key)


def _read_once(s3: "S3Client", bucket: str, key: str) -> tuple[bytes, str | None]:
    response = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    # StreamingBody's own context manager returns the underlying stream, which checks nothing; closing() does not.
    with closing(response["Body"]) as body:
        return body.read(), response.get("ChecksumSHA256")
