"""S3 legal holds on certificates, and the records of who set and released them, when and why.

A hold covers a project or one signature request. Its records are objects of the archive, created once and locked like
certificates: `.holds/<projectId>/<signature request, or "project">/000001.json`. Their numbers order them. A record is
written before the first certificate changes, and `000001-completed.json` after the last: a run that was killed shows.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import batched
from typing import Literal

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from certificates.aws import error_code
from certificates.errors import ArchiveUnavailable
from operate.command_line import CannotRun, describe_error
from operate.stack import CONNECTIONS, DeployedStack, check_pages

_PREFIX = ".holds/"
_PROJECT = "project"
_COMPLETED = "-completed.json"
_REFUSALS = {"AccessDenied", "NoSuchKey", "NoSuchVersion"}
"""Errors of one certificate. Others, such as an expired sign-in, would repeat for each."""

_MEANWHILE = "another run has changed its holds. See `hold list`, and run the command again."

Action = Literal["set", "release"]


@dataclass(frozen=True)
class Scope:
    """What a hold covers: one signature request, or a project."""

    project_id: str
    signature_request_id: str | None = None

    def __str__(self) -> str:
        return self.signature_request_id or f"project {self.project_id}"

    @property
    def certificates(self) -> str:
        """The beginning of the certificates' keys."""
        return f"{self.project_id}/" + (f"{self.signature_request_id}.pdf" if self.signature_request_id else "")

    @property
    def records(self) -> str:
        """The beginning of the records' keys."""
        return f"{_PREFIX}{self.project_id}/{self.signature_request_id or _PROJECT}/"


@dataclass(frozen=True)
class Record:
    """`at` is S3's time. `is_completed` once all certificates of the scope have been changed."""

    scope: Scope
    action: Action
    reason: str
    by: str
    at: datetime
    is_completed: bool


class Holds:
    """Reads and changes the holds of a stack. Its methods raise CannotRun, CertificateError and AwsError."""

    def __init__(self, stack: DeployedStack) -> None:
        self._stack = stack
        self._s3 = stack.s3()
        self._bucket = stack.output("CertificatesBucketName")

    def find(self, project_id: str | None = None) -> dict[Scope, list[Record]]:
        """Returns the holds that are set, of one project or of all: the records since the last release that was
        completed. If the last one is not completed, some certificates may not be held."""
        histories = self._read_records(f"{_PREFIX}{project_id}/" if project_id else _PREFIX)
        held = {}
        for scope, records in histories.items():
            released = [n for n, record in enumerate(records, 1) if record.action == "release" and record.is_completed]
            if rest := records[max(released, default=0) :]:
                held[scope] = rest
        return held

    def find_for(self, project_id: str, signature_request_id: str) -> list[Record]:
        """Returns the records of the holds on one certificate."""
        scopes = (Scope(project_id), Scope(project_id, signature_request_id))
        return [record for scope, records in self.find(project_id).items() if scope in scopes for record in records]

    def is_held(self, key: str, version_id: str) -> bool:
        """Returns the status that S3 enforces."""
        try:
            response = self._s3.get_object_legal_hold(Bucket=self._bucket, Key=key, VersionId=version_id)
        except ClientError as error:
            if error_code(error) == "NoSuchObjectLockConfiguration":  # it was never held
                return False
            raise
        if "LegalHold" not in response:  # botocore parses any other XML as an empty response
            raise ArchiveUnavailable("MalformedAnswer")
        return response["LegalHold"].get("Status") == "ON"

    def change(self, scope: Scope, action: Action, reason: str) -> tuple[Counter[str], list[str]]:
        """Sets or releases all versions of the certificates that are archived by now. Those that another hold covers
        stay held. Returns the numbers "changed" and "unchanged", and a line about each version that S3 refused.

        Raises CannotRun if there is nothing to set or release.
        """
        others = self._find_others(scope)
        if action == "release" and scope not in self.find(scope.project_id):
            raise CannotRun(f"{scope}: there is no hold.")
        if action == "set" and next(self._list_versions(scope.certificates), None) is None:
            raise CannotRun(f"{scope}: no certificate is archived.")
        number = len(self._read_records(scope.records).get(scope, [])) + 1
        record = f"{scope.records}{number:06}"
        self._create(f"{record}.json", scope, {"action": action, "reason": reason, "by": self._operator})
        kept = tuple(other.certificates for other in others)
        counts: Counter[str] = Counter()
        failures = []
        with ThreadPoolExecutor(CONNECTIONS) as workers:
            for versions in batched(self._list_versions(scope.certificates), 1000, strict=False):
                wanted = [action == "set" or key.startswith(kept) for key, _ in versions]
                for outcome in workers.map(self._switch, versions, wanted):
                    if outcome in {"changed", "unchanged"}:
                        counts[outcome] += 1
                    else:
                        failures.append(outcome)
        is_last = len(self._read_records(scope.records).get(scope, [])) == number
        if not is_last or (action == "release" and self._find_others(scope) != others):
            raise CannotRun(f"{scope}: {_MEANWHILE}")
        if not failures:
            self._create(f"{record}{_COMPLETED}", scope, counts)
        return counts, failures

    def _find_others(self, scope: Scope) -> set[Scope]:
        """Returns the other scopes with a hold that have certificates in common with this one."""
        found = self.find(scope.project_id).keys() - {scope}
        return {other for other in found if None in (scope.signature_request_id, other.signature_request_id)}

    def _switch(self, version: tuple[str, str], wanted: bool) -> str:  # noqa: FBT001
        """Reads the status again: a response that is not from S3 may look like success."""
        key, version_id = version
        try:
            if self.is_held(key, version_id) == wanted:
                return "unchanged"
            self._s3.put_object_legal_hold(
                Bucket=self._bucket, Key=key, VersionId=version_id, LegalHold={"Status": "ON" if wanted else "OFF"}
            )
            if self.is_held(key, version_id) == wanted:
                return "changed"
        except ClientError as error:
            if error_code(error) not in _REFUSALS:
                raise
            return f"{key} (version {version_id}): {describe_error(error)}"
        return f"{key} (version {version_id}): S3 did not keep the change."

    def _read_records(self, prefix: str) -> dict[Scope, list[Record]]:
        """Returns the records of each scope in their order."""
        versions = dict(self._list_versions(prefix))
        keys = sorted(key for key in versions if not key.endswith(_COMPLETED))
        records: dict[Scope, list[Record]] = {}

        def read(key: str) -> Record:
            response = self._s3.get_object(Bucket=self._bucket, Key=key, VersionId=versions[key])
            try:
                _, project_id, covered, _ = key.split("/")
                scope = Scope(project_id, None if covered == _PROJECT else covered)
                is_completed = key.removesuffix(".json") + _COMPLETED in versions
                fields = json.loads(response["Body"].read())
                return Record(scope, **fields, at=response["LastModified"], is_completed=is_completed)
            except (ValueError, LookupError, TypeError):
                raise CannotRun(f"{key} is not a record of a hold.") from None

        with ThreadPoolExecutor(CONNECTIONS) as readers:
            for record in readers.map(read, keys):
                records.setdefault(record.scope, []).append(record)
        return records

    def _list_versions(self, prefix: str) -> Iterator[tuple[str, str]]:
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in check_pages(pages):
            yield from ((version["Key"], version["VersionId"]) for version in page.get("Versions", []))

    def _create(self, key: str, scope: Scope, content: Mapping[str, object]) -> None:
        body = json.dumps(content).encode()
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256", IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) in {"PreconditionFailed", "ConditionalRequestConflict"}:
                raise CannotRun(f"{scope}: {_MEANWHILE}") from error
            raise

    @cached_property
    def _operator(self) -> str:
        """The ARN of the identity that is signed in. Reading it needs no permission."""
        if self._stack.is_local:
            return "local"
        identity = self._stack.session.client("sts", **self._stack.options).get_caller_identity()
        if "Arn" not in identity:  # botocore parses any other XML as an empty response
            raise ResponseParserError
        return identity["Arn"]
