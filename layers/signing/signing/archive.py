"""The bucket of certificates: each is created once, never overwritten, never deleted."""

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from signing.aws import AwsError, error_code
from signing.certificate import Certificate
from signing.errors import ArchiveUnavailable, CertificateTooLarge, NotArchived, RangeNotSatisfiable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

ARCHIVE_SECONDS = 9.5
"""What one request may take, with its time-outs and its second try, and a little for what comes after it."""

CREATE_ATTEMPTS = 3
CONFLICT_PAUSE = 0.1


@dataclass(frozen=True)
class Stored:
    """What the archive holds of one certificate, without its bytes. `etag` is quoted, `size` in bytes."""

    etag: str
    size: int


@dataclass(frozen=True)
class Part:
    """Bytes of an archived certificate, from the offset `first`. `sha256` is that of the whole, in base64, where it
    need not be computed."""

    stored: Stored
    content: bytes
    first: int = 0
    sha256: str | None = None


class Archive:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    @staticmethod
    def _key(project_id: str, signature_id: str) -> str:
        return f"{project_id}/{signature_id}.pdf"

    def describe(self, project_id: str, signature_id: str) -> Stored:
        """Raises NotArchived, ArchiveUnavailable."""
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=self._key(project_id, signature_id))
        except AwsError as error:
            raise _unavailable(error, missing="404") from error
        return Stored(head["ETag"], head["ContentLength"])

    def read(self, project_id: str, signature_id: str, *, limit: int, byte_range: str | None = None) -> Part:
        """At most `limit` bytes: the whole certificate, or the first part of one byte range ("bytes=0-99").

        boto3 verifies the SHA-256 of a whole certificate while it reads. S3 has no checksum for a range.
        Raises NotArchived, CertificateTooLarge (whole and above the limit), RangeNotSatisfiable, ArchiveUnavailable.
        """
        key = self._key(project_id, signature_id)
        try:
            if byte_range is None:
                return _read_whole(self._s3.get_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED"), limit)
            return _read_range(self._s3.get_object(Bucket=self._bucket, Key=key, Range=byte_range), limit)
        except AwsError as error:
            if error_code(error) == "InvalidRange":
                raise RangeNotSatisfiable(self.describe(project_id, signature_id).size) from error
            raise _unavailable(error, missing="NoSuchKey") from error

    def create(self, project_id: str, signature_id: str, certificate: Certificate) -> bool:
        """Archives the certificate, or returns False if another is there or just being written: the first one stays.

        Raises ArchiveUnavailable, after which it may be archived or not.
        """
        for _ in range(CREATE_ATTEMPTS):
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=self._key(project_id, signature_id),
                    Body=certificate.content,
                    ContentType="application/pdf",
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=certificate.sha256,
                    IfNoneMatch="*",
                )
            except AwsError as error:
                code = error_code(error)
                if code == "PreconditionFailed":
                    return False
                # Another write of the same certificate is under way: S3 asks to send this one again.
                # Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
                if code != "ConditionalRequestConflict":
                    raise ArchiveUnavailable(code) from error
                time.sleep(CONFLICT_PAUSE)
            else:
                return True
        return False


def _unavailable(error: Exception, missing: str) -> NotArchived | ArchiveUnavailable:
    code = error_code(error)
    return NotArchived() if isinstance(error, ClientError) and code == missing else ArchiveUnavailable(code)


def _read_whole(answer: "GetObjectOutputTypeDef", limit: int) -> Part:
    stored = Stored(answer["ETag"], answer["ContentLength"])
    # closing(), since StreamingBody's own context manager hands out the stream below it, which checks nothing.
    with closing(answer["Body"]) as body:
        if stored.size > limit:
            raise CertificateTooLarge(stored.size)
        content = body.read()
    # Of an object that was written in parts, the checksum is that of their checksums.
    sha256 = answer.get("ChecksumSHA256") if answer.get("ChecksumType") == "FULL_OBJECT" else None
    return Part(stored, content, sha256=sha256)


def _read_range(answer: "GetObjectOutputTypeDef", limit: int) -> Part:
    """The Content-Range of S3 has the form `bytes 0-99/200`."""
    positions, _, size = answer["ContentRange"].removeprefix("bytes ").partition("/")
    with closing(answer["Body"]) as body:
        content = body.read(limit)
    # Unlike read(), read(limit) does not tell when the answer ends early.
    if len(content) != min(limit, answer["ContentLength"]):
        raise ArchiveUnavailable("IncompleteRead")
    return Part(Stored(answer["ETag"], int(size)), content, first=int(positions.partition("-")[0]))
