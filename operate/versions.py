"""Versions of archived objects, with their bytes as they are, whole or damaged."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from certificates.archive import Archive, check_response, find_digest, is_sha256
from certificates.aws import error_code
from certificates.errors import ArchiveUnavailable, NotArchived


@dataclass(frozen=True)
class Version:
    """`sha256`, of the bytes that were archived, and `digest`, from the metadata, are in base64, or None if S3 has
    none. `response` is S3's."""

    content: bytes
    sha256: str | None
    digest: str | None
    response: Mapping[str, Any]


class Versions(Archive):
    def list_versions(self, prefix: str = "", after: str = "") -> Iterator[Any]:
        """Yields the versions and delete markers of the keys after one. Keys are in UTF-8 order, which is the order of
        code points; of each key the newest version is first. Only versions have a `Size`.

        botocore parses any other XML as an empty list: raises ArchiveUnavailable.
        """
        start: Any = {"KeyMarker": after} if after else {}
        for page in self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=prefix, **start
        ):
            if "IsTruncated" not in page:
                raise ArchiveUnavailable("MalformedAnswer")
            found: list[Any] = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            # AWS does not document whether a list includes the key at which it starts.
            yield from (one for one in sorted(found, key=itemgetter("Key")) if one["Key"] > after)

    def create_object(self, key: str, content: bytes) -> bool:
        """Returns False if the key is there already, or another run is writing it. Raises ArchiveUnavailable."""
        try:
            found = self._call(self._s3.put_object, key, Body=content, ChecksumAlgorithm="SHA256", IfNoneMatch="*")
        except ArchiveUnavailable as error:
            if error.cause in {"PreconditionFailed", "ConditionalRequestConflict"}:
                return False
            raise
        if "ETag" not in found:
            raise ArchiveUnavailable("MalformedAnswer")
        return True

    def read_version(self, key: str, version_id: str | None = None) -> Version:
        """Reads a version, by default the latest. Raises NotArchived, also if a delete marker is the latest, and
        ArchiveUnavailable."""
        try:
            response = self._get(key, ChecksumMode="ENABLED", **({"VersionId": version_id} if version_id else {}))
        except ArchiveUnavailable as error:
            if error.cause == "DeleteMarker":
                raise NotArchived from error
            raise
        with closing(response["Body"]) as body:
            size = check_response(response, None).size
            try:
                content = body.read(size)  # unlike read(), verifies no checksum
            except Exception as error:
                raise ArchiveUnavailable(error_code(error)) from error
        if len(content) != size:
            raise ArchiveUnavailable("IncompleteRead")
        sha256 = response.get("ChecksumSHA256")
        # An object that was written in parts has the checksum of their checksums, in another form.
        return Version(content, sha256 if is_sha256(sha256) else None, find_digest(response), response)
