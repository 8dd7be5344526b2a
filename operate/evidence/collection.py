"""Collects what is known about one certificate, and checks it."""

import hashlib
import json
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter

from certificates.aws import error_code
from certificates.errors import CertificateError, InvalidRecord, NotArchived
from certificates.models import Item, Owned, SignatureRequest, Time
from certificates.records import Records
from operate.command_line import CannotRun
from operate.evidence.checks import Check, contradict, leave_open, quote
from operate.evidence.comparison import (
    check_certificate,
    check_holds,
    check_logs,
    check_origin,
    check_seals,
    check_second_copy,
    check_versions,
)
from operate.evidence.logs import LogsUnavailable, read_logs
from operate.evidence.record import Certificate, Evidence, Hold, Program, Seal, SecondCopy, Source, Version
from operate.evidence.signature_checks import check_signatures
from operate.holds import Holds
from operate.replica import find_replica
from operate.seals.proof import Proof, find_problem, find_proofs, name_proof
from operate.seals.seals import Seals, name_object
from operate.seals.time_stamp import Certificates
from operate.stack import DeployedStack
from operate.versions import Versions

_ATTRIBUTES = (
    *("id", "projectId", "status", "certificateUrl", "providerRequestId"),
    *("renderId", "name", "createdAt", "completedAt"),
)


class Collection:
    def __init__(self, stack: DeployedStack, id_: str, trusted: Certificates) -> None:
        """`trusted` are the time-stamping authorities to trust."""
        self._stack = stack
        self._id = id_
        self._trusted = trusted
        self._checks: list[Check] = []
        self.proofs: list[Proof] = []
        """Of which the folder has the files."""

    def collect(self, folder: Path, since: datetime | None) -> tuple[Evidence, bytes]:
        """Writes the certificate into the folder, if there is one, and returns all evidence and its bytes.

        Raises CannotRun, CertificateError and AwsError if the signature request or the certificate can't be read.
        """
        made_at = datetime.now(UTC)
        table, bucket = map(self._stack.output, ("SignaturesTableName", "CertificatesBucketName"))
        item = self._read_item(table)
        request = {name: _format_value(item[name]) for name in _ATTRIBUTES if name in item}
        project = Owned.from_item(item).project_id
        key = f"{project}/{self._id}.pdf"
        source = Source(
            stack=self._stack.name, region=self._stack.session.region_name, table=table, bucket=bucket, key=key
        )

        def list_versions() -> list[Version] | None:
            return self._attempt("versions", lambda: self._read_versions(bucket, key))

        versions = list_versions()
        certificate, content = self._read_certificate(source, versions, folder)
        if certificate and versions == []:  # archived since
            versions = list_versions()
        if versions is not None:
            self._checks += check_versions(certificate, versions)
        holds = copy = signatures = None
        if certificate:
            self._checks += check_certificate(certificate, content)
            self._checks += check_origin(certificate, request.get("providerRequestId"))
            replica = find_replica(self._stack)
            copy = self._attempt("second copy", lambda: self._read_second_copy(replica, key)) if replica else None
            self._checks += [check_second_copy(certificate, copy)] if copy else []
            holds = self._attempt("holds", lambda: self._read_holds(project, certificate, key))
            signatures, found = check_signatures(content)
            self._checks += found
        seals = self._attempt("seals", lambda: self._read_seals(bucket, key, certificate, folder))
        logs = self._attempt("log lines", lambda: read_logs(self._stack, self._id, since))
        if logs:
            self._checks += check_logs(logs, project, certificate, _find_oldest(item, certificate), since)
        evidence = Evidence(
            made_at=made_at,
            program=Program(version=version("craftkit-certificates"), py_hanko=version("pyhanko")),
            source=source,
            signature_request=request,
            certificate=certificate,
            versions=versions,
            second_copy=copy,
            seals=seals,
            holds=holds,
            signatures=signatures,
            logs=logs,
            checks=self._checks,
            contradictions=[one.sentence for one in self._checks if one.outcome == "contradicted"],
            not_determined=[one.sentence for one in self._checks if one.outcome == "not_determined"],
        )
        return evidence, content

    def _attempt[Result](self, subject: str, read: Callable[[], Result]) -> Result | None:
        """Returns None if it can't be read, and adds a check that says so, without AWS's message."""
        try:
            return read()
        except LogsUnavailable as error:
            cause = str(error)
        except CannotRun as error:
            cause = quote(error.message)
        except CertificateError as error:
            cause = f"AWS gave no usable response ({quote(str(error))})"
        except ClientError as error:
            cause = f"AWS refused {error.operation_name} with {quote(error_code(error))}"
        except BotoCoreError as error:
            cause = f"AWS did not respond ({error_code(error)})"
        self._checks.append(leave_open(subject, f"The {subject} could not be read: {cause}."))
        return None

    def _read_item(self, table: str) -> Item:
        item = Records(self._stack.client("dynamodb"), table).signature(self._id)
        if item is None:
            raise CannotRun(f"There is no signature request {self._id}.")
        try:
            SignatureRequest.from_item(item)
        except InvalidRecord as error:
            sentence = f"The signature request breaks the rules of its table: {', '.join(error.problems)}."
            self._checks.append(contradict("signature request", sentence))
        return item

    def _read_versions(self, bucket: str, key: str) -> list[Version]:
        """Returns the versions and delete markers, the newest first."""
        found = [
            Version(
                version_id=entry["VersionId"],
                created_at=entry["LastModified"],
                size=entry.get("Size"),
                is_delete_marker="Size" not in entry,
                is_latest=entry["IsLatest"],
            )
            for entry in Versions(self._stack.client("s3"), bucket).list_versions(key)
            if entry["Key"] == key
        ]
        return sorted(found, key=lambda one: (one.is_latest, one.created_at), reverse=True)

    def _read_certificate(
        self, source: Source, versions: list[Version] | None, folder: Path
    ) -> tuple[Certificate | None, bytes]:
        """Reads the oldest version: the first archived copy is the certificate."""
        copies = [one.version_id for one in versions or [] if not one.is_delete_marker]
        try:
            found = Versions(self._stack.client("s3"), source.bucket).read_version(
                source.key, copies[-1] if copies else None
            )
        except NotArchived:
            sentence = "The archive has no certificate for this signature request now."
            self._checks.append(contradict("certificate", sentence))
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
            version_id=found.response.get("VersionId", "null"),  # as S3 lists it in a bucket without versions
            created_at=found.response["LastModified"],
            retention_mode=found.response.get("ObjectLockMode"),
            retained_until=found.response.get("ObjectLockRetainUntilDate"),
            legal_hold=found.response.get("ObjectLockLegalHoldStatus"),
            metadata=found.response["Metadata"],
        )
        return certificate, found.content

    def _read_seals(self, bucket: str, key: str, certificate: Certificate | None, folder: Path) -> list[Seal]:
        """Writes the files into the folder with which the proof is checked, if it convinces."""
        reported: list[tuple[str, str]] = []
        seals = Seals(self._stack.client("s3"), bucket, self._trusted, lambda *problem: reported.append(problem))
        proofs = find_proofs(seals.read(), key)
        self._checks.append(check_seals(certificate, proofs, reported))
        if find_problem(proofs) is None:
            self.proofs = proofs
            for number, proof in enumerate(proofs):
                for file, content in proof.write_files(name_proof(number)).items():
                    (folder / file).write_bytes(content)
        return [
            Seal(
                list=name_object(one.seal, "jsonl"),
                version_id=one.version,
                size=one.size,
                sha256=one.sha256,
                time=one.stamp.time,
                authority=one.stamp.authority,
            )
            for one in proofs
        ]

    def _read_holds(self, project: str, certificate: Certificate, key: str) -> list[Hold]:
        archive = Holds(self._stack)
        records = sorted(archive.find_for(project, self._id), key=lambda one: one.number)
        scopes = ["project" if one.scope.endswith("/") else "signature_request" for one in records]
        holds = [
            Hold.model_validate(one.model_dump(exclude={"number"}) | {"scope": scope})
            for one, scope in zip(records, scopes, strict=True)
        ]
        check = check_holds(certificate, holds, is_held=archive.is_held(key, certificate.version_id))
        self._checks += [check] if check else []
        return holds

    def _read_second_copy(self, bucket: str, key: str) -> SecondCopy:
        versions, sha256 = self._read_versions(bucket, key), None
        if [one.is_delete_marker for one in versions] == [False]:
            version_id = versions[0].version_id
            found = self._stack.client("s3").head_object(
                Bucket=bucket, Key=key, VersionId=version_id, ChecksumMode="ENABLED"
            )
            sha256 = _as_hex(found.get("ChecksumSHA256"))
        return SecondCopy(bucket=bucket, versions=versions, sha256=sha256)


def _find_oldest(item: Item, certificate: Certificate | None) -> datetime | None:
    """Returns the earliest time that is known of the certificate or its signature request."""
    known = [certificate.created_at] if certificate else []
    for text in (
        item.get("createdAt"),
        item.get("completedAt"),
        certificate and certificate.metadata.get("fetched-at"),
    ):
        with suppress(ValueError):
            known.append(TypeAdapter(Time).validate_python(text))
    return min(known, default=None)


def _format_value(value: object) -> str | None:
    """Returns texts and numbers as they are stored; other types, which no rule allows, as JSON."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)


def _as_hex(sha256: str | None) -> str | None:
    """Returns None for a checksum of the checksums of parts, which has another form."""
    return b64decode(sha256).hex() if sha256 and len(sha256) == 44 else None
