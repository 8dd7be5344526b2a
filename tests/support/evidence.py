"""Runs `certificates evidence` with scripted responses of CloudWatch Logs and S3."""

import hashlib
import io
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import jsonschema
import pytest
from botocore.retries.standard import ExponentialBackoff
from click.testing import Result
from pypdf import PdfReader

from develop.fakes.server import Response, ScriptedServer, reply
from develop.template import ROOT
from operate.evidence import collection, report
from operate.evidence import logs as evidence_logs
from operate.evidence.checks import Check
from operate.evidence.record import Evidence
from operate.output import make_printable
from operate.stack import find_deployed
from tests.support.deployed import S3
from tests.support.operator import Operator, ScriptAws, operator, scripted_services, signature_id
from tests.support.signed_pdf import unsigned
from tests.support.stack import REPLICA, STACK

SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/evidence.schema.json").read_text()))
ARCHIVED_AT = datetime(2026, 6, 5, 11, 42, 10, tzinfo=UTC)
ORIGIN = {"fetched-at": "2026-06-05T11:42:09Z", "provider-request-id": "req%2F1"}
REQUEST_ID = {"S": "req/1"}
REPLICA_BUCKET = REPLICA["ReplicaBucketArn"].rpartition(":")[2]
GROUPS = [f"craftkit-test-{name}CertificateLogGroup" for name in ("Download", "Archive")]
NO_LOGS = "The log lines could not be read: a log group does not exist any more."
NO_ORIGIN = [
    "When it was fetched is not recorded with it.",
    "As which request of the provider it was fetched is not recorded with it.",
]


@dataclass(frozen=True)
class Case:
    """The only signature request that a test uses."""

    operate: Operator
    number: int
    script: ScriptAws

    @property
    def id(self) -> str:
        return signature_id(self.number)

    def seed(self, **attributes: Any) -> None:
        self.operate.seed(self.number, **attributes)

    @property
    def key(self) -> str:
        return f"prj_1/{self.id}.pdf"

    @property
    def bucket(self) -> str:
        return self.operate.name("CertificatesBucket")

    def archive(self, content: bytes, **arguments: Any) -> None:
        self.operate.archive(self.number, content, **arguments)

    def copy(self, content: bytes) -> None:
        """Writes to the second copy, as S3's replication does."""
        S3.put_object(Bucket=REPLICA_BUCKET, Key=self.key, Body=content, ChecksumAlgorithm="SHA256")

    def delete(self, **arguments: Any) -> None:
        """Sets a delete marker, or deletes a version."""
        S3.delete_object(Bucket=self.bucket, Key=self.key, BypassGovernanceRetention=True, **arguments)

    def log(
        self, *lines: Mapping[str, str], others: Sequence[Mapping[str, str]] = (), since: Response | None = None
    ) -> ScriptedServer:
        """Scripts what CloudWatch Logs has: lines of archiving and of served certificates, and others."""
        found = [results(*(row(**one) for one in some)) for some in (lines, others)]
        return self.script("CLOUDWATCH_LOGS", since or groups(), STARTED, found[0], STARTED, found[1])

    def collect(self, *options: str, with_report: bool = False) -> tuple[Result, Any]:
        """Runs the command. Returns its result and evidence.json, which matches the schema.

        The report, which takes longer than the rest, is rendered only for tests that read it.
        """
        empty = mock.patch.object(report, "render_evidence", return_value=b"%PDF-")
        with nullcontext() if with_report else empty:
            result = self.operate("evidence", self.id, "--out", "out", *options)
        assert isinstance(result.exception, SystemExit | None), result.exception
        found = json.loads(Path("out/evidence.json").read_text())
        SCHEMA.validate(found)
        assert result.exit_code == bool(found["contradictions"])
        lines = [f"contradicted: {sentence}" for sentence in found["contradictions"]]
        lines += [f"not determined: {sentence}" for sentence in found["notDetermined"]]
        assert sorted(result.stdout.splitlines()[:-1]) == sorted(map(make_printable, lines))
        return result, found

    def gather(self) -> Evidence:
        """Collects the evidence without the digital signatures, and renders nothing: both take longer than the rest."""
        with mock.patch.object(collection, "check_signatures", return_value=([], [])):
            return collection.Collection(find_deployed(STACK.name, None), self.id, ()).collect(Path(), None)[0]

    def check(self, subject: str) -> list[Check]:
        return [one for one in self.gather().checks if one.subject == subject]


@pytest.fixture(scope="module", name="cases")
def make_cases() -> Iterator[Iterator[tuple[Operator, int]]]:
    """One stack for all tests of a file: each creation takes longer than most tests."""
    with operator(STACK) as operate:
        S3.create_bucket(Bucket=REPLICA_BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        S3.put_bucket_versioning(Bucket=REPLICA_BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield ((operate, number) for number in itertools.count(1))


@pytest.fixture(name="case")
def make_case(cases: Iterator[tuple[Operator, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    ticks = itertools.count()
    now = lambda: ARCHIVED_AT.replace(tzinfo=None) + timedelta(milliseconds=10 * next(ticks))  # noqa: E731
    monkeypatch.setattr("moto.s3.models.utcnow", now)
    monkeypatch.setattr(evidence_logs, "PAUSE", 0)
    monkeypatch.setattr(evidence_logs, "ATTEMPTS", 3)
    with scripted_services(monkeypatch) as script:
        yield Case(*next(cases), script)


PROGRAMS = ("sh", "sha256sum", "head", "tail", "tr", "basenc", "wc", "openssl")


def forge(file: Path, content: bytes) -> None:
    """Replaces the certificate, and its SHA-256 in README.txt and SHA256SUMS, as anyone can who changes the folder."""
    readme, old, new = (
        Path("out/README.txt"),
        *(hashlib.sha256(one).hexdigest() for one in (file.read_bytes(), content)),
    )
    file.write_bytes(content)
    readme.write_text(readme.read_text().replace(old, new))
    names = sorted(one for one in Path("out").iterdir() if one.name != "SHA256SUMS")
    sums = "".join(f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}\n" for one in names)
    Path("out/SHA256SUMS").write_text(sums)


def run_readme() -> int:
    """Runs the commands of README.txt, with their programs alone, in a copy of the folder. Returns the exit code."""
    lines = Path("out/README.txt").read_text().splitlines()
    commands = "\n".join(line[4:] for line in lines if line.startswith("    "))
    with tempfile.TemporaryDirectory() as programs, tempfile.TemporaryDirectory() as copy:
        for name in PROGRAMS:
            Path(programs, name).symlink_to(str(shutil.which(name)))
        shutil.copytree("out", copy, dirs_exist_ok=True)
        arguments = ["env", "-i", f"PATH={programs}", "sh", "-ec", commands]
        return subprocess.run(arguments, cwd=copy, capture_output=True, check=False).returncode


def read_text() -> str:
    """The text of evidence.pdf, with single spaces."""
    pages = PdfReader(io.BytesIO(Path("out/evidence.pdf").read_bytes())).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def row(**fields: str) -> list[dict[str, str]]:
    """A log line as Logs Insights returns it."""
    return [{"field": name.replace("timestamp", "@timestamp"), "value": value} for name, value in fields.items()]


def groups(days: int | None = 365, *created: datetime) -> Response:
    """The log groups, which keep their lines for so many days."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        {"logGroupName": name, "creationTime": round(time.timestamp() * 1000)}
        | ({"retentionInDays": days} if days else {})
        for name, time in zip(GROUPS, created or (start, start), strict=True)
    ]
    return reply(200, json.dumps({"logGroups": found}).encode())


def list_versions(key: str, *versions: str) -> Response:
    """S3's list of these versions, as large as the certificate."""
    entries = "".join(
        f"<Version><Key>{key}</Key><VersionId>{one}</VersionId><IsLatest>true</IsLatest><Size>{len(unsigned())}</Size>"
        "<LastModified>2026-06-05T11:42:10Z</LastModified></Version>"
        for one in versions
    )
    return reply(200, f"<ListVersionsResult><IsTruncated>false</IsTruncated>{entries}</ListVersionsResult>".encode())


def results(*rows: list[dict[str, str]], status: str = "Complete") -> Response:
    return reply(200, json.dumps({"status": status, "results": rows}).encode())


STARTED = reply(200, b'{"queryId": "1"}')
SERVED = {
    "timestamp": "2026-06-05 11:43:01.123",
    "message": "certificate_served",
    "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    "method": "GET",
    "status": "200",
    "key_prefix": "ck_live_aBcDe",
    "project_id": "prj_1",
    "source": "archive",
    "bytes": "2000",
}
REFUSED = {
    "timestamp": "2026-06-05 11:42:59.001",
    "message": "request_refused",
    "method": "GET",
    "status": "401",
    "code": "unauthorized",
}
DENIED = reply(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
STORED = {"ETag": '"e"', "Last-Modified": "Fri, 05 Jun 2026 11:42:10 GMT"}
