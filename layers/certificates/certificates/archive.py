"""The bucket of certificates: each is created once, never overwritten, never deleted."""

import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from botocore.exceptions import ClientError

from certificates import budgets
from certificates.aws import error_code
from certificates.certificate import Certificate, is_whole_pdf
from certificates.errors import ArchiveUnavailable, NotArchived, RangeNotSatisfiable
from certificates.ranges import ByteRange, find_positions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from certificates.models import SignatureRequest

MAX_REQUEST_ID_CHARACTERS = 1024

_ENTITY_TAG = re.compile(r'"[\x21\x23-\x7e]+"')
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})", re.ASCII)
_SHA256 = re.compile(r"[A-Za-z0-9+/]{43}=")

DIGEST = "repr-digest"
"""The user metadata with the digest of the whole certificate, in the form of the header Repr-Digest (RFC 9530)."""
_DIGEST = re.compile(rf"sha-256=:({_SHA256.pattern}):")


@dataclass(frozen=True)
class Stored:
    """An archived certificate without its bytes. `etag` is quoted, `size` is in bytes."""

    etag: str
    size: int


@dataclass(frozen=True)
class Part:
    """Bytes of an archived certificate, from the offset `first`. `sha256` is the whole certificate's, in base64."""

    stored: Stored
    content: bytes
    sha256: str
    first: int = 0


class Archive:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def describe(self, key: str) -> Stored:
        """Raises NotArchived, ArchiveUnavailable.

        Reads the first byte. S3's response to HEAD has no body, and a missing bucket would look like a missing key.
        """
        first = ByteRange(0, 0)
        return _read_body(self._get(key, Range=str(first)), first, 1)[0]

    def read(self, key: str, *, limit: int, byte_range: ByteRange | None = None, etag: str | None = None) -> Part:
        """Reads at most `limit` bytes: the whole certificate, or the first part of one byte range. If the certificate
        has another entity tag than `etag`, raises ArchiveUnavailable with the cause PreconditionFailed.

        boto3 verifies the SHA-256 of a whole certificate. S3 has no checksum for a range, but sends the metadata.
        Raises NotArchived, ArchiveUnavailable, RangeNotSatisfiable, and CertificateTooLarge if the whole, or a range
        without an end, is above the limit.
        """
        asked = {"ChecksumMode": "ENABLED"} if byte_range is None else {"Range": str(byte_range)}
        try:
            response = self._get(key, **asked, **({} if etag is None else {"IfMatch": etag}))
        except ArchiveUnavailable as error:
            if error.cause == "InvalidRange":
                raise RangeNotSatisfiable(self.describe(key).size) from error
            raise
        stored, content, first = _read_body(response, byte_range, limit)
        if byte_range is None:
            return Part(stored, content, _check_content(response, content))
        return Part(stored, content, find_digest(response) or self._read_sha256(key, stored), first)

    def create(self, signature: "SignatureRequest", certificate: Certificate) -> Stored | None:
        """Archives a certificate that was just fetched, with its origin and digest. Returns None if another copy is
        archived or being written; the first write wins.

        Raises ArchiveUnavailable, after which the archive may hold this certificate, another or none.
        """
        metadata = {DIGEST: f"sha-256=:{certificate.sha256}:"} | _describe_origin(signature)
        for _ in range(budgets.CONFLICTING_WRITES):
            try:
                response = self._call(
                    self._s3.put_object,
                    signature.object_key,
                    Body=certificate.content,
                    ContentType="application/pdf",
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=certificate.sha256,
                    IfNoneMatch="*",
                    StorageClass="INTELLIGENT_TIERING",  # by lifecycle it would cost extra
                    Metadata=metadata,
                )
            except ArchiveUnavailable as error:
                if error.cause == "PreconditionFailed":
                    return None
                # Another write of the same certificate is under way: S3 asks to send this one again.
                # Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
                if error.cause != "ConditionalRequestConflict":
                    raise
                time.sleep(budgets.CONFLICT_PAUSE)
            else:
                if response.get("ChecksumSHA256") not in (None, certificate.sha256):
                    raise ArchiveUnavailable("MalformedAnswer")
                return Stored(_check_status(response, 200), len(certificate.content))
        return None

    def _read_sha256(self, key: str, stored: Stored) -> str:
        """Returns the SHA-256 of a whole certificate without our metadata. Reads its bytes only if S3 has no checksum.

        Raises NotArchived, ArchiveUnavailable.
        """
        response = self._get(key, ChecksumMode="ENABLED", IfMatch=stored.etag)
        with closing(response["Body"]):
            if check_response(response, None) != stored:
                raise ArchiveUnavailable("MalformedAnswer")
            return _find_checksum(response) or _check_content(response, _read_body(response, None, sys.maxsize)[1])

    def _get(self, key: str, **parameters: str) -> Mapping[str, Any]:
        return self._call(self._s3.get_object, key, **parameters)

    def _call(self, operation: Callable[..., Any], key: str, **parameters: object) -> Mapping[str, Any]:
        """Raises NotArchived, ArchiveUnavailable."""
        try:
            response = operation(Bucket=self._bucket, Key=key, **parameters)
        except Exception as error:
            raise _explain(error) from error
        return cast("Mapping[str, Any]", response)


def _describe_origin(signature: "SignatureRequest") -> dict[str, str]:
    """Returns the provenance for S3's user metadata: fetch time and provider request id. It cannot be reconstructed
    later.

    S3 accepts 2 KB of US-ASCII. A longer id is left out, because a part of it would name another request.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
    """
    origin = {"fetched-at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    request_id = quote(signature.provider_request_id or "", safe="")
    if 0 < len(request_id) <= MAX_REQUEST_ID_CHARACTERS:
        origin["provider-request-id"] = request_id
    return origin


def _explain(error: Exception) -> NotArchived | ArchiveUnavailable:
    """Only a 404 with the code NoSuchKey means "not archived". A delete marker hides a certificate that clients may
    have, so no other may replace it.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
    """
    if not isinstance(error, ClientError) or error_code(error) != "NoSuchKey":
        return ArchiveUnavailable(error_code(error))
    response = error.response["ResponseMetadata"]
    if response["HTTPStatusCode"] != 404:
        return ArchiveUnavailable("MalformedAnswer")
    return ArchiveUnavailable("DeleteMarker") if "x-amz-delete-marker" in response["HTTPHeaders"] else NotArchived()


def _check_status(response: Mapping[str, Any], status: int) -> str:
    """Returns the entity tag. Raises ArchiveUnavailable unless the response has one and the status."""
    etag = str(response.get("ETag"))
    if response["ResponseMetadata"]["HTTPStatusCode"] != status or _ENTITY_TAG.fullmatch(etag) is None:
        raise ArchiveUnavailable("MalformedAnswer")
    return etag


def check_response(response: Mapping[str, Any], asked: ByteRange | None) -> Stored:
    """Describes the certificate. Raises ArchiveUnavailable unless the response holds the requested bytes."""
    etag = _check_status(response, 206 if asked else 200)
    length = response.get("ContentLength")
    if not isinstance(length, int) or length < 0:
        raise ArchiveUnavailable("MalformedAnswer")
    if asked is None:
        return Stored(etag, length)
    match = _CONTENT_RANGE.fullmatch(str(response.get("ContentRange")))
    if match is None:
        raise ArchiveUnavailable("MalformedAnswer")
    first, last, size = map(int, match.groups())
    if asked.positions(size) != range(first, last + 1) or length != last + 1 - first:
        raise ArchiveUnavailable("MalformedAnswer")
    return Stored(etag, size)


def is_sha256(value: object) -> bool:
    """Returns whether this is a SHA-256 in base64."""
    return _SHA256.fullmatch(str(value)) is not None


def find_digest(response: Mapping[str, Any]) -> str | None:
    """Returns the SHA-256 in the metadata, in base64. Ignores any other form, which other writers may have left."""
    match = _DIGEST.fullmatch(response.get("Metadata", {}).get(DIGEST, ""))
    return match[1] if match else None


def _find_checksum(response: Mapping[str, Any]) -> str | None:
    """Returns the SHA-256 that S3 stores of the whole object, in base64."""
    is_whole = response.get("ChecksumType") == "FULL_OBJECT" and is_sha256(response.get("ChecksumSHA256"))
    return response["ChecksumSHA256"] if is_whole else None


def _read_body(response: Mapping[str, Any], asked: ByteRange | None, limit: int) -> tuple[Stored, bytes, int]:
    """Reads the requested bytes and returns them with the position of the first. botocore verifies the checksum of a
    whole certificate. Raises ArchiveUnavailable, CertificateTooLarge, RangeNotSatisfiable."""
    # StreamingBody's own context manager returns the underlying stream, which checks nothing; closing() does not.
    with closing(response["Body"]) as body:
        stored = check_response(response, asked)
        positions = find_positions(asked, stored.size, limit)
        try:
            content: bytes = body.read(None if asked is None else len(positions))
        except Exception as error:
            raise ArchiveUnavailable(error_code(error)) from error
    # Unlike read(), read(most) does not tell when the response ends early.
    if len(content) != len(positions):
        raise ArchiveUnavailable("IncompleteRead")
    return stored, content, positions.start


def _check_content(response: Mapping[str, Any], content: bytes) -> str:
    """Returns the SHA-256 of a whole certificate, in base64. Raises ArchiveUnavailable unless a checksum, a digest or
    its form shows that it is whole."""
    checksum, digest = _find_checksum(response), find_digest(response)
    sha256 = checksum or Certificate(content).sha256
    if digest not in (None, sha256):
        raise ArchiveUnavailable("WrongDigest")
    if not (checksum or digest or is_whole_pdf(content)):
        raise ArchiveUnavailable("NoChecksum")
    return sha256
