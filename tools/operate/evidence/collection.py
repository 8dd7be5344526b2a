"""Collects what is known about one certificate, and checks it."""

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from certificates.aws import error_code
from certificates.certificate import is_whole_pdf
from certificates.errors import ArchiveUnavailable, InvalidRecord
from certificates.models import Item, Owned, Signature
from certificates.records import Records
from tools.operate.command_line import CannotRun, describe_error
from tools.operate.evidence.logs import LIMIT, LogsUnavailable, read_logs
from tools.operate.evidence.pdf_signatures import (
    PdfSignature,
    SignaturesUnreadable,
    inspect_signatures,
    trusted_authorities,
)
from tools.operate.evidence.record import Certificate, Check, Evidence, Logs, Place, Program, Version, format_time
from tools.operate.target import Target, check_pages

_ATTRIBUTES = (
    *("id", "projectId", "status", "certificateUrl", "providerRequestId"),
    *("renderId", "name", "createdAt", "completedAt"),
)
_SENTENCES = {
    ("signature request", False): "The signature request breaks the rules of its table: {names}.",
    ("certificate", False): "The archive holds no certificate for this signature request.",
    ("versions", True): "The key has one version and no delete marker: it was never overwritten or deleted.",
    ("versions", False): "The key was overwritten or deleted (versions: {versions}, delete markers: {markers}).",
    ("versions", None): "The versions of the key: {error}",
    ("SHA-256", True): "The certificate has the SHA-256 that S3 stored when it was archived.",
    ("SHA-256", False): "The certificate does not have the SHA-256 that S3 stored when it was archived.",
    ("SHA-256", None): "S3 has stored no SHA-256 of the whole certificate.",
    ("copy", True): "The copy in this folder is the archived certificate, byte for byte.",
    ("copy", False): "The copy in this folder differs from the archived certificate.",
    ("whole PDF", True): "The certificate is a whole PDF.",
    ("whole PDF", False): "The certificate is not a whole PDF.",
    ("retention", True): "S3 Object Lock ({mode}) retains this version until {until}. Legal hold: {hold}.",
    ("retention", None): "S3 states no retention: it has ended, there is none, or s3:GetObjectRetention is missing.",
    ("origin", True): "It was fetched at {at} as the provider's request {recorded}.",
    ("origin", False): "It was fetched as the provider's request {recorded}; the signature request names {named}.",
    ("origin", None): "When it was fetched, and as which request of the provider, is not recorded with it.",
    ("signed", None): "The PDF has no digital signature of its own.",
    ("signatures", None): "The digital signatures of the PDF could not be read: {error}.",
    ("signature", True): "{name} is intact, {trust}. It covers {coverage}; {changes}.",
    ("signature", False): "{name} is broken: {problem}.",
    ("signature", None): "{name} could not be checked: {problem}.",
    ("logs", True): "Log lines since {since}: downloads {served:,}, refusals {refused:,}.",
    ("logs", False): "It was served to another project, {project}.",
    ("logs", None): "The log lines about downloads and refusals: {error}.",
    ("earlier logs", None): "It was archived before {since}; earlier log lines have expired or were not asked for.",
    ("later logs", None): "Only the first {most:,} log lines were read. Give a later --since.",
}
"""By subject and outcome: confirmed, contradicted, or not obtained (None)."""

_TRUST = {
    "trusted": "issued by an authority that this machine trusts",
    "unknown_authority": "signed by an authority that this machine does not trust",
    "expired": "with a certificate that is not valid at present",
    "weak_algorithm": "with an algorithm that is considered weak",
    "not_established": "with a certificate whose trust could not be established",
}
_COVERAGE = {"whole_file": "the whole file", "whole_revision": "the whole file as it was then", "part": "a part of it"}
_CHANGES = {
    "none": "nothing was changed afterwards",
    "permitted": "only permitted additions were made afterwards",
    "forbidden": "forbidden changes were made afterwards",
}
_ALTERED = "what it covers was changed, or the signature itself"


class Collection:
    def __init__(self, target: Target, id_: str) -> None:
        self._target = target
        self._id = id_
        self._bucket = target.output("CertificatesBucketName")
        self._table = target.output("SignaturesTableName")
        self._checks: list[Check] = []

    def collect(self, folder: Path, since: datetime | None) -> Evidence:
        """Writes the certificate into the folder, if there is one, and returns all evidence.

        Raises CannotRun, CertificateError and AwsError if the signature request or the certificate can't be read.
        """
        made_at = datetime.now(UTC)
        item = self._read_item()
        request = {name: _format_value(item[name]) for name in _ATTRIBUTES if name in item}
        project = Owned.from_item(item).project_id
        key = f"{project}/{self._id}.pdf"
        versions = self._read_versions(key)
        found = self._read_certificate(key, versions)
        certificate = signatures = None
        if found is None:
            self._record("certificate", is_right=False)
        else:
            content, response = found
            certificate = self._write_certificate(content, response, folder)
            self._check_retention(certificate)
            self._check_origin(certificate.metadata, request.get("providerRequestId"))
            signatures = self._check_signatures(content)
        return Evidence(
            made_at=made_at,
            program=Program(
                version=version("craftkit-certificates"),
                py_hanko=version("pyhanko"),
                trusted_authorities=len(trusted_authorities()),
            ),
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
            signatures=signatures,
            logs=self._check_logs(since, project, certificate),
            checks=self._checks,
        )

    def _record(self, subject: str, *, is_right: bool | None, **facts: object) -> None:
        """Records the outcome of a check. None: what the check needs could not be obtained."""
        outcome = {True: "confirmed", False: "contradicted", None: "not_obtained"}[is_right]
        sentence = _SENTENCES[subject, is_right].format(**facts)
        self._checks.append(Check(subject=subject, outcome=outcome, sentence=sentence))

    def _read_item(self) -> Item:
        item = Records(self._target.dynamodb(), self._table).signature(self._id)
        if item is None:
            raise CannotRun(f"There is no signature request {self._id}.")
        try:
            Signature.from_item(item)
        except InvalidRecord as error:
            self._record("signature request", is_right=False, names=", ".join(error.problems))
        return item

    def _read_versions(self, key: str) -> list[Version] | None:
        """Returns the versions and delete markers, the newest first."""
        entries: list[Any] = []
        try:
            listing = self._target.s3().get_paginator("list_object_versions")
            for page in check_pages(listing.paginate(Bucket=self._bucket, Prefix=key)):
                entries += [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        except ClientError as error:
            self._record("versions", is_right=None, error=describe_error(error))
            return None
        found = [_describe_version(entry) for entry in entries if entry["Key"] == key]
        found.sort(key=lambda one: (one.is_latest, one.created_at), reverse=True)
        markers = sum(one.is_delete_marker for one in found)
        versions = len(found) - markers
        if found:
            self._record("versions", is_right=(versions, markers) == (1, 0), versions=versions, markers=markers)
        return found

    def _read_certificate(self, key: str, versions: list[Version] | None) -> tuple[bytes, Any] | None:
        """Reads the oldest version: the first archived copy is the certificate."""
        copies = [one.version_id for one in versions or [] if not one.is_delete_marker]
        which: Any = {"VersionId": copies[-1]} if copies and len(versions or []) > 1 else {}
        try:
            response = self._target.s3().get_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED", **which)
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return None
            raise
        with closing(response["Body"]) as body:
            # Unlike read(), read(most) does not raise when the checksum differs.
            content = body.read(response["ContentLength"])
        if len(content) != response["ContentLength"]:
            raise ArchiveUnavailable("IncompleteRead")
        return content, response

    def _write_certificate(self, content: bytes, response: Any, folder: Path) -> Certificate:
        file = folder / f"{self._id}-certificate.pdf"
        file.write_bytes(content)
        computed, stored = hashlib.sha256(content).hexdigest(), _read_checksum(response)
        in_folder = hashlib.sha256(file.read_bytes()).hexdigest()
        self._record("SHA-256", is_right=stored == computed if stored else None)
        self._record("copy", is_right=in_folder == computed)
        self._record("whole PDF", is_right=is_whole_pdf(content))
        return Certificate(
            file=file.name,
            size=len(content),
            sha256_computed=computed,
            sha256_stored=stored,
            sha256_in_folder=in_folder,
            version_id=response.get("VersionId"),
            created_at=response["LastModified"],
            retention_mode=response.get("ObjectLockMode"),
            retained_until=response.get("ObjectLockRetainUntilDate"),
            legal_hold=response.get("ObjectLockLegalHoldStatus"),
            metadata=response["Metadata"],
        )

    def _check_retention(self, certificate: Certificate) -> None:
        until, hold = certificate.retained_until, certificate.legal_hold or "not stated"
        if until is None or until < datetime.now(UTC):
            self._record("retention", is_right=None)
        else:
            mode = certificate.retention_mode
            self._record("retention", is_right=True, mode=mode, until=format_time(until), hold=hold)

    def _check_origin(self, metadata: Mapping[str, str], named: str | None) -> None:
        if "fetched-at" not in metadata:
            self._record("origin", is_right=None)
            return
        recorded = unquote(metadata.get("provider-request-id", "(not recorded: too long)"))
        is_right = recorded == named or "provider-request-id" not in metadata
        self._record("origin", is_right=is_right, at=metadata["fetched-at"], recorded=recorded, named=named)

    def _check_signatures(self, content: bytes) -> list[PdfSignature] | None:
        try:
            signatures = inspect_signatures(content)
        except SignaturesUnreadable as error:
            self._record("signatures", is_right=None, error=error)
            return None
        if not signatures:
            self._record("signed", is_right=None)
        for one in signatures:
            changes = _CHANGES.get(one.changes or "", "")
            self._record(
                "signature",
                is_right=None if one.is_intact is None else not one.is_broken,
                name=f"{'Time stamp' if one.kind == 'time_stamp' else 'Signature'} {one.field}",
                trust=_TRUST.get(one.trust or ""),
                coverage=_COVERAGE.get(one.coverage or ""),
                changes=changes,
                problem=one.problem or (f"what it covers is unchanged, but {changes}" if one.is_intact else _ALTERED),
            )
        return signatures

    def _check_logs(self, since: datetime | None, project: str, certificate: Certificate | None) -> Logs | None:
        try:
            logs = read_logs(self._target, self._id, since)
        except LogsUnavailable as error:
            self._record("logs", is_right=None, error=error)
            return None
        begin = format_time(logs.since)
        served = [line for line in logs.lines if line.get("message") == "certificate_served"]
        refused = sum(line.get("message") == "request_refused" for line in logs.lines)
        self._record("logs", is_right=True, since=begin, served=len(served), refused=refused)
        if certificate and certificate.created_at < logs.since:
            self._record("earlier logs", is_right=None, since=begin)
        if len(logs.lines) >= LIMIT:
            self._record("later logs", is_right=None, most=LIMIT)
        for other in sorted({line.get("project_id", "") for line in served} - {project}):
            self._record("logs", is_right=False, project=other)
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


def _read_checksum(response: Any) -> str | None:
    """Returns None for an object that was written in parts: its checksum is that of their checksums."""
    text = response.get("ChecksumSHA256", "")
    return b64decode(text).hex() if re.fullmatch(r"[A-Za-z0-9+/]{43}=", text) else None
