"""Collects what is known about one certificate, and checks it."""

import hashlib
import json
from base64 import b64decode
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from certificates.errors import InvalidRecord, NotArchived
from certificates.models import Item, Owned, SignatureRequest, Time
from certificates.records import Records
from operate.command_line import CannotRun
from operate.evidence.checks import Check, contradict, describe_cause, leave_open
from operate.evidence.comparison import (
    check_certificate,
    check_logs,
    check_origin,
    check_second_copy,
    check_versions,
)
from operate.evidence.logs import LogsUnavailable, read_logs
from operate.evidence.record import Certificate, Evidence, Logs, Place, Program, SecondCopy, Version
from operate.evidence.signature_checks import check_signatures
from operate.replica import find_replica
from operate.stack import Target, check_pages
from operate.versions import Versions

_ATTRIBUTES = (
    *("id", "projectId", "status", "certificateUrl", "providerRequestId"),
    *("renderId", "name", "createdAt", "completedAt"),
)
_TIME: TypeAdapter[datetime] = TypeAdapter(Time)


class Collection:
    def __init__(self, target: Target, id_: str) -> None:
        self._target = target
        self._id = id_
        self._bucket = target.output("CertificatesBucketName")
        self._table = target.output("SignaturesTableName")
        self._checks: list[Check] = []

    def collect(self, folder: Path, since: datetime | None) -> tuple[Evidence, bytes]:
        """Writes the certificate into the folder, if there is one, and returns all evidence and its bytes.

        Raises CannotRun, CertificateError and AwsError if the signature request or the certificate can't be read.
        """
        made_at = datetime.now(UTC)
        item = self._read_item()
        request = {name: _format_value(item[name]) for name in _ATTRIBUTES if name in item}
        project = Owned.from_item(item).project_id
        key = f"{project}/{self._id}.pdf"
        versions = self._read_versions("versions", self._bucket, key)
        certificate, content = self._read_certificate(key, versions, folder)
        if certificate and versions == []:  # archived since
            versions = self._read_versions("versions", self._bucket, key)
        if versions is not None:
            self._checks += check_versions(certificate, versions)
        copy = signatures = None
        if certificate:
            self._checks += check_certificate(certificate, content)
            self._checks += check_origin(certificate, request.get("providerRequestId"))
            copy = self._compare_second_copy(key, certificate)
            signatures, found = check_signatures(content)
            self._checks += found
        evidence = Evidence(
            made_at=made_at,
            program=Program(version=version("craftkit-certificates"), py_hanko=version("pyhanko")),
            place=Place(
                stack=self._target.name,
                region=self._target.session.region_name,
                table=self._table,
                bucket=self._bucket,
                key=key,
            ),
            signature_request=request,
            certificate=certificate,
            versions=versions,
            second_copy=copy,
            signatures=signatures,
            logs=self._read_logs(since, project, certificate, item),
            checks=self._checks,
        )
        return evidence, content

    def _read_item(self) -> Item:
        item = Records(self._target.dynamodb(), self._table).signature(self._id)
        if item is None:
            raise CannotRun(f"There is no signature request {self._id}.")
        try:
            SignatureRequest.from_item(item)
        except InvalidRecord as error:
            words = f"The signature request breaks the rules of its table: {', '.join(error.problems)}."
            self._checks.append(contradict("signature request", words))
        return item

    def _read_versions(self, subject: str, bucket: str, key: str) -> list[Version] | None:
        """Returns the versions and delete markers, the newest first."""
        entries: list[Any] = []
        try:
            listing = self._target.s3().get_paginator("list_object_versions")
            for page in check_pages(listing.paginate(Bucket=bucket, Prefix=key)):
                entries += [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        except ClientError as error:
            words = f"The versions of its key in {bucket} could not be listed: {describe_cause(error)}."
            self._checks.append(leave_open(subject, words))
            return None
        found = [_describe_version(entry) for entry in entries if entry["Key"] == key]
        return sorted(found, key=lambda one: (one.is_latest, one.created_at), reverse=True)

    def _read_certificate(
        self, key: str, versions: list[Version] | None, folder: Path
    ) -> tuple[Certificate | None, bytes]:
        """Reads the oldest version: the first archived copy is the certificate."""
        copies = [one.version_id for one in versions or [] if not one.is_delete_marker]
        wanted = copies[-1] if copies else None
        try:
            found = Versions(self._target.s3(), self._bucket).read_version(key, wanted)
        except NotArchived:
            words = "The archive holds no certificate for this signature request now."
            self._checks.append(contradict("certificate", words))
            return None, b""
        file = folder / f"{self._id}-certificate.pdf"
        file.write_bytes(found.content)
        certificate = Certificate(
            file=file.name,
            size=len(found.content),
            sha256_computed=hashlib.sha256(found.content).hexdigest(),
            sha256_stored=_as_hex(found.sha256),
            sha256_in_metadata=_as_hex(found.digest),
            sha256_in_folder=hashlib.sha256(file.read_bytes()).hexdigest(),
            version_id=found.answer.get("VersionId", "null"),  # as S3 lists it in a bucket without versions
            created_at=found.answer["LastModified"],
            retention_mode=found.answer.get("ObjectLockMode"),
            retained_until=found.answer.get("ObjectLockRetainUntilDate"),
            legal_hold=found.answer.get("ObjectLockLegalHoldStatus"),
            metadata=found.answer["Metadata"],
        )
        return certificate, found.content

    def _compare_second_copy(self, key: str, certificate: Certificate) -> SecondCopy | None:
        bucket = find_replica(self._target)
        versions = self._read_versions("second copy", bucket, key) if bucket else None
        if bucket is None or versions is None:
            return None
        sha256 = None
        try:
            if [one.is_delete_marker for one in versions] == [False]:
                found = self._target.s3().head_object(
                    Bucket=bucket, Key=key, VersionId=versions[0].version_id, ChecksumMode="ENABLED"
                )
                sha256 = _as_hex(found.get("ChecksumSHA256"))
        except ClientError as error:
            words = f"The SHA-256 of the second copy could not be read: {describe_cause(error)}."
            self._checks.append(leave_open("second copy", words))
        else:
            self._checks.append(check_second_copy(certificate, versions, sha256))
        return SecondCopy(bucket=bucket, versions=versions, sha256=sha256)

    def _read_logs(
        self, since: datetime | None, project: str, certificate: Certificate | None, item: Item
    ) -> Logs | None:
        try:
            logs = read_logs(self._target, self._id, since)
        except LogsUnavailable as error:
            words = f"The log lines about downloads and refusals could not be read: {error}."
            self._checks.append(leave_open("logs", words))
            return None
        known = [certificate.created_at] if certificate else []
        texts = [item.get("createdAt"), item.get("completedAt"), certificate and certificate.metadata.get("fetched-at")]
        for text in texts:
            with suppress(ValueError):
                known.append(_TIME.validate_python(text))
        self._checks += check_logs(logs, project, certificate, min(known, default=None), since)
        return logs


def _describe_version(entry: Any) -> Version:
    return Version(
        version_id=entry["VersionId"],
        created_at=entry["LastModified"],
        size=entry.get("Size"),
        is_delete_marker="Size" not in entry,
        is_latest=entry["IsLatest"],
    )


def _format_value(value: object) -> str | None:
    """Returns texts and numbers as they are stored; other types, which no rule allows, as JSON."""
    match value:
        case None | str():
            return value
        case Decimal():
            return str(value)
    return json.dumps(value, default=str)


def _as_hex(sha256: str | None) -> str | None:
    """None for a checksum of the checksums of parts, which has another form."""
    return b64decode(sha256).hex() if sha256 and len(sha256) == 44 else None
