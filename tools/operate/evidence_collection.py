"""Collects what is known about one certificate, and checks it."""

import hashlib
import json
import re
from base64 import b64decode
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from certificates.aws import error_code
from certificates.certificate import is_whole_pdf
from certificates.errors import ArchiveUnavailable, InvalidRecord
from certificates.models import Owned, Signature
from tools.operate.command_line import CannotRun, describe_error
from tools.operate.evidence_logs import LIMIT, LogsUnavailable, read_logs
from tools.operate.evidence_record import Certificate, Check, Evidence, Logs, Place, Program, Version
from tools.operate.pdf_signatures import PdfSignature, SignaturesUnreadable, inspect_signatures, trusted_authorities
from tools.operate.target import Target

_ATTRIBUTES = (
    *("id", "projectId", "status", "certificateUrl", "providerRequestId"),
    *("renderId", "name", "createdAt", "completedAt"),
)
_TRUST = {
    "trusted": "issued by an authority that this machine trusts",
    "unknown_authority": "signed by an authority that this machine does not trust",
    "expired": "with a certificate that is not valid at present",
    "revoked": "with a certificate that was revoked",
    "weak_algorithm": "with an algorithm that is considered weak",
    "not_established": "with a certificate whose trust could not be established",
}
_COVERAGE = {
    "whole_file": "the whole file",
    "whole_revision": "the whole file of its time",
    "part": "a part of the file",
}
_CHANGES = {
    "none": "nothing was changed or added afterwards",
    "permitted": "only permitted additions were made afterwards",
    "forbidden": "forbidden changes were made afterwards",
}


class Collection:
    """Reads each source once. `checks` holds what was found, in order."""

    def __init__(self, target: Target, id_: str) -> None:
        self._target = target
        self._id = id_
        self._bucket = target.output("CertificatesBucketName")
        self._table = target.output("SignaturesTableName")
        self.checks: list[Check] = []

    def collect(self, folder: Path, since: datetime | None) -> Evidence:
        """Writes the certificate into the folder, if there is one. Raises CannotRun, CertificateError and AwsError if
        the signature request or the certificate can't be read."""
        made_at = datetime.now(UTC)
        item = self._read_item()
        key = f"{Owned.from_item(item).project_id}/{self._id}.pdf"
        versions = self._read_versions(key)
        found = self._read_certificate(key, versions)
        certificate = signatures = None
        if found is None:
            self._contradict("certificate", "The archive holds no certificate for this signature request.")
        else:
            content, response = found
            certificate = self._check_certificate(content, response, folder)
            self._check_origin(certificate, item)
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
            signature_request={name: item[name] for name in _ATTRIBUTES if name in item},
            certificate=certificate,
            versions=versions,
            signatures=signatures,
            logs=self._check_logs(since, item["projectId"], certificate),
            checks=self.checks,
        )

    def _confirm(self, subject: str, sentence: str) -> None:
        self.checks.append(Check(subject=subject, outcome="confirmed", sentence=sentence))

    def _contradict(self, subject: str, sentence: str) -> None:
        self.checks.append(Check(subject=subject, outcome="contradicted", sentence=sentence))

    def _leave_open(self, subject: str, sentence: str) -> None:
        self.checks.append(Check(subject=subject, outcome="not_obtained", sentence=sentence))

    def _require(self, subject: str, is_right: bool, right: str, wrong: str) -> None:  # noqa: FBT001
        (self._confirm if is_right else self._contradict)(subject, right if is_right else wrong)

    def _read_item(self) -> dict[str, Any]:
        key = {"id": {"S": self._id}}
        answer = self._target.dynamodb().get_item(TableName=self._table, Key=key, ConsistentRead=True)
        if "Item" not in answer:
            raise CannotRun(f"There is no signature request {self._id}.")
        item = {name: _read_text(value) for name, value in answer["Item"].items()}
        try:
            Signature.from_item(item)
        except InvalidRecord as error:
            names = ", ".join(error.problems)
            self._contradict("signature request", f"The signature request breaks the rules of its table: {names}.")
        return item

    def _read_versions(self, key: str) -> list[Version] | None:
        versions: list[Version] = []
        try:
            listing = self._target.s3().get_paginator("list_object_versions")
            for page in listing.paginate(Bucket=self._bucket, Prefix=key):
                if "IsTruncated" not in page:  # botocore parses any other XML as an empty list
                    raise ArchiveUnavailable("MalformedAnswer")
                for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    if entry["Key"] == key:
                        versions.append(_describe_version(entry))
        except ClientError as error:
            self._leave_open("versions", f"The versions of the key: {describe_error(error)}")
            return None
        versions.sort(key=lambda one: (one.is_latest, one.created_at), reverse=True)
        markers = sum(one.is_delete_marker for one in versions)
        if versions:
            self._require(
                "versions",
                (len(versions), markers) == (1, 0),
                "The key has one version and no delete marker: it was never overwritten or deleted.",
                f"The key has {len(versions) - markers} versions and {markers} delete markers: it was overwritten or "
                "deleted.",
            )
        return versions

    def _read_certificate(self, key: str, versions: list[Version] | None) -> tuple[bytes, Any] | None:
        """Reads the oldest version: the first archived copy is the certificate."""
        copies = [one for one in versions or [] if not one.is_delete_marker]
        which = {"VersionId": copies[-1].version_id} if copies and versions != copies[:1] else {}
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

    def _check_certificate(self, content: bytes, response: Any, folder: Path) -> Certificate:
        file = folder / f"{self._id}-certificate.pdf"
        file.write_bytes(content)
        certificate = Certificate(
            file=file.name,
            size=len(content),
            sha256_computed=hashlib.sha256(content).hexdigest(),
            sha256_stored=_read_checksum(response),
            sha256_in_folder=hashlib.sha256(file.read_bytes()).hexdigest(),
            version_id=response.get("VersionId"),
            created_at=response["LastModified"],
            retention_mode=response.get("ObjectLockMode"),
            retained_until=response.get("ObjectLockRetainUntilDate"),
            legal_hold=response.get("ObjectLockLegalHoldStatus"),
            metadata=response["Metadata"],
        )
        if certificate.sha256_stored is None:
            self._leave_open("SHA-256", "S3 has stored no SHA-256 of the whole certificate.")
        else:
            self._require(
                "SHA-256",
                certificate.sha256_stored == certificate.sha256_computed,
                "The certificate has the SHA-256 that S3 stored when it was archived.",
                "The certificate does not have the SHA-256 that S3 stored when it was archived.",
            )
        self._require(
            "copy",
            certificate.sha256_in_folder == certificate.sha256_computed,
            "The copy in this folder is the archived certificate, byte for byte.",
            "The copy in this folder differs from the archived certificate.",
        )
        self._require(
            "whole PDF", is_whole_pdf(content), "The certificate is a whole PDF.", "The certificate is not a whole PDF."
        )
        if certificate.retained_until is None:
            words = "S3 states no retention: there is none, or you lack the permission s3:GetObjectRetention."
            self._leave_open("retention", words)
        else:
            until = f"{certificate.retained_until:%Y-%m-%d %H:%M:%S %Z}"
            self._confirm(
                "retention", f"S3 Object Lock ({certificate.retention_mode}) retains this version until {until}."
            )
        return certificate

    def _check_origin(self, certificate: Certificate, item: dict[str, Any]) -> None:
        fetched_at = certificate.metadata.get("fetched-at")
        request_id = certificate.metadata.get("provider-request-id")
        if fetched_at is None or request_id is None:
            words = "not recorded with the certificate, which an earlier version of the service archived."
            self._leave_open("origin", f"When it was fetched, and as which request of the provider, is {words}")
        else:
            self._require(
                "origin",
                request_id == item.get("providerRequestId"),
                f"The service fetched it from the provider at {fetched_at}, as the provider's request {request_id}.",
                f"It was fetched as the provider's request {request_id}, not as that of the signature request.",
            )

    def _check_signatures(self, content: bytes) -> list[PdfSignature] | None:
        try:
            signatures = inspect_signatures(content)
        except SignaturesUnreadable as error:
            self._leave_open("signatures", f"The digital signatures of the PDF could not be read: {error}.")
            return None
        if not signatures:
            self._leave_open("signatures", "The PDF has no digital signature of its own.")
        for one in signatures:
            sentence = describe_signature(one)
            if one.is_intact is None:
                self._leave_open("signatures", sentence)
            else:
                self._require("signatures", not one.is_broken, sentence, sentence)
        return signatures

    def _check_logs(self, since: datetime | None, project: str, certificate: Certificate | None) -> Logs | None:
        try:
            logs = read_logs(self._target, self._id, since)
        except LogsUnavailable as error:
            self._leave_open("logs", f"Downloads and refusals: {error}.")
            return None
        self._confirm("logs", f"The logs hold {len(logs.lines)} lines about it since {logs.since:%Y-%m-%d %H:%M %Z}.")
        if len(logs.lines) >= LIMIT:
            self._leave_open("logs", f"Only the first {LIMIT:,} lines were read. Give a later --since for the others.")
        if certificate and certificate.created_at < logs.since:
            words = "the certificate is older, and earlier lines have expired or were not asked for."
            self._leave_open("logs", f"Downloads before {logs.since:%Y-%m-%d %H:%M %Z}: {words}")
        served = [line for line in logs.lines if line.get("message") == "certificate_served"]
        others = sorted({str(line.get("project_id")) for line in served} - {project})
        if others:
            self._contradict("logs", f"It was served to another project: {', '.join(others)}.")
        return logs


def describe_signature(one: PdfSignature) -> str:
    """Describes a signature in one sentence."""
    name = f"{'Time stamp' if one.kind == 'time_stamp' else 'Signature'} {one.field}"
    if one.is_intact is None:
        return f"{name} could not be checked: {one.problem}."
    if not one.is_intact:
        return f"{name} is broken: {one.problem or 'the signed bytes were changed'}."
    return (
        f"{name} is intact, {_TRUST[one.trust or 'not_established']}. It covers {_COVERAGE[one.coverage or 'part']}; "
        + (f"{_CHANGES[one.changes or 'forbidden']}.")
    )


def _read_text(value: Any) -> str | None:
    """Texts and numbers as they are stored; other types, which no rule allows, as JSON."""
    match value:
        case {"S": str(text)} | {"N": str(text)}:
            return text
        case {"NULL": True}:
            return None
    return json.dumps(value, default=str)


def _read_checksum(response: Any) -> str | None:
    """The checksum of an object that was written in parts is one of their checksums."""
    text = response.get("ChecksumSHA256", "")
    return b64decode(text).hex() if re.fullmatch(r"[A-Za-z0-9+/]{43}=", text) else None


def _describe_version(entry: Any) -> Version:
    return Version(
        version_id=entry["VersionId"],
        created_at=entry["LastModified"],
        size=entry.get("Size"),
        is_delete_marker="Size" not in entry,
        is_latest=entry["IsLatest"],
    )
