"""S3 legal holds on certificates, and the records of who set and released them, when and why.

The scope of a hold is the beginning of the keys that it covers: `prj_1/` or `prj_1/<signature request>.pdf`. The
records of a project are objects of the archive, created once and locked like certificates: `.holds/prj_1/000001.json`.
Their numbers order them. A record is written before the first certificate changes, and `000001-completed.json` after
the last: a run that was killed shows.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from itertools import batched, groupby
from typing import Literal

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from pydantic import BaseModel

from certificates.aws import error_code
from certificates.errors import ArchiveUnavailable
from operate.command_line import CannotRun, describe_error
from operate.stack import CONNECTIONS, DeployedStack
from operate.versions import Versions

_PREFIX = ".holds/"
_NAME = re.compile(r"\.holds/([^/]+)/([0-9]{6})\.json")
_COMPLETED = "-completed.json"
_REFUSALS = {"AccessDenied", "NoSuchKey", "NoSuchVersion"}
"""Errors of one certificate. Others, such as an expired sign-in, would repeat for each."""


Action = Literal["set", "release"]


class Record(BaseModel):
    """`at` is S3's time. `is_completed` once all certificates of the scope have been changed."""

    number: int
    scope: str
    action: Action
    reason: str
    by: str
    at: datetime
    is_completed: bool


class Holds:
    """Reads and changes the holds of a stack. Its methods raise CannotRun, CertificateError and AwsError."""

    def __init__(self, stack: DeployedStack) -> None:
        self._stack = stack
        self._s3, self._bucket = stack.client("s3"), stack.output("CertificatesBucketName")
        self._archive = Versions(self._s3, self._bucket)

    def find(self, project_id: str = "") -> dict[str, list[Record]]:
        """Returns the holds that are set, of one project or of all, by their scopes. If the last record of a hold is
        not completed, some certificates may not be held."""
        records = self._read_records(project_id)
        for scope, its in groupby(records, key=lambda one: one.scope.partition("/")[0]):
            for number, one in enumerate(its, 1):
                if one.number != number:
                    raise CannotRun(f"{_PREFIX}{scope}/{number:06}.json is missing.")
        return _find_held(records)

    def find_for(self, project_id: str, signature_request_id: str) -> list[Record]:
        """Returns the records of the holds on one certificate."""
        key = f"{project_id}/{signature_request_id}.pdf"
        return [one for scope, records in self.find(project_id).items() if key.startswith(scope) for one in records]

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
        return "ON" in response["LegalHold"].values()

    def change(self, scope: str, action: Action, reason: str) -> Counter[str]:
        """Sets or releases all versions of the certificates that are archived by now. Those that another hold covers
        stay held. Counts what is "changed" and "unchanged"; of each version that S3 refused, the count has a line.

        Raises CannotRun if there is nothing to set or release, or another run changes holds on the same certificates.
        """
        project = scope.partition("/")[0]
        history = self._read_records(project)
        held = _find_held(history)
        if action == "release" and scope not in held:
            raise CannotRun("there is no hold.")
        if action == "set" and not next(self._list(scope), None):
            raise CannotRun("no certificate is archived.")
        number = max((one.number for one in history), default=0) + 1
        record = f"{_PREFIX}{project}/{number:06}"
        fields = {"scope": scope, "action": action, "reason": reason, "by": self._operator}
        if not self._archive.create_object(f"{record}.json", json.dumps(fields).encode()):
            return self.change(scope, action, reason)  # another run took the number
        kept = tuple(held.keys() - {scope})
        counts: Counter[str] = Counter()
        with ThreadPoolExecutor(CONNECTIONS) as workers:
            for versions in batched(self._list(scope), 1000, strict=False):
                wanted = [action == "set" or key.startswith(kept) for key, _ in versions]
                counts.update(workers.map(self._switch, versions, wanted))
        records = self._read_records(project)
        newer = [one.scope for one in records if one.number > number]
        if any(other.startswith(scope) or scope.startswith(other) for other in newer):
            last = [its[-1] for its in _find_held(records).values()]
            set_since = tuple(one.scope for one in last if one.action == "set" and one.number > number)
            for version in self._list(scope):  # this run may have taken away what another has set
                if version[0].startswith(set_since):
                    self._switch(version, wanted=True)
            raise CannotRun("another run has changed its holds. See `hold list`, and run the command again.")
        if counts.keys() <= {"changed", "unchanged"}:
            self._archive.create_object(f"{record}{_COMPLETED}", json.dumps(counts).encode())
        return counts

    def _switch(self, version: tuple[str, str], wanted: bool) -> str:  # noqa: FBT001
        """Reads the status again: a response that is not from S3 may look like success."""
        key, version_id = version
        try:
            if self.is_held(key, version_id) == wanted:
                return "unchanged"
            status = {"Status": "ON" if wanted else "OFF"}
            self._s3.put_object_legal_hold(Bucket=self._bucket, Key=key, VersionId=version_id, LegalHold=status)
            if self.is_held(key, version_id) == wanted:
                return "changed"
        except ClientError as error:
            if error_code(error) not in _REFUSALS:
                raise
            return f"{key} (version {version_id}): {describe_error(error)}"
        return f"{key} (version {version_id}): S3 did not keep the change."

    def _list(self, prefix: str) -> Iterator[tuple[str, str]]:
        return ((one["Key"], one["VersionId"]) for one in self._archive.list_versions(prefix) if "Size" in one)

    def _read_records(self, project_id: str) -> list[Record]:
        """Returns the records of one project or of all in their order."""
        versions = dict(self._list(f"{_PREFIX}{project_id}/" if project_id else _PREFIX))

        def read(key: str) -> Record:
            found = self._archive.read_version(key, versions[key])
            facts = {"at": found.response["LastModified"], "is_completed": key[:-5] + _COMPLETED in versions}
            try:
                project, number = _NAME.fullmatch(key).groups()  # type: ignore[union-attr]
                one = Record.model_validate({**json.loads(found.content), **facts, "number": number})
                if one.scope.startswith(f"{project}/"):
                    return one
            except (AttributeError, ValueError, TypeError, RecursionError):
                pass
            raise CannotRun(f"{key} is not a record of a hold.")

        with ThreadPoolExecutor(CONNECTIONS) as readers:
            return list(readers.map(read, sorted(key for key in versions if not key.endswith(_COMPLETED))))

    @cached_property
    def _operator(self) -> str:
        """The ARN of the identity that is signed in. Reading it needs no permission."""
        if self._stack.is_local:
            return "local"
        identity = self._stack.client("sts").get_caller_identity()
        if "Arn" not in identity:  # botocore parses any other XML as an empty response
            raise ResponseParserError
        return str(identity["Arn"])


def _find_held(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Returns the records of each scope since its last release that was completed."""
    held: dict[str, list[Record]] = {}
    for record in records:
        held.setdefault(record.scope, []).append(record)
        if record.action == "release" and record.is_completed:
            del held[record.scope]
    return held
