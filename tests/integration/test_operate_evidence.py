"""`certificates evidence`, on resources made from the template."""

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import jsonschema
import pytest
from botocore.retries.standard import ExponentialBackoff
from click.testing import Result
from pypdf import PdfReader

from tests.conftest import STACK
from tests.support import signed_pdf
from tests.support.operator import (
    NO_URL,
    WRONG_STATUS,
    Operator,
    ScriptAws,
    before,
    operator,
    scripted_services,
    signature_id,
)
from tests.support.pdf import pdf
from tests.support.signed_pdf import SEAL, STAMPED_AT, TIME_STAMPER, issuer, sign, subject, unsigned
from tools.fake_cloud.server import Answer, reply
from tools.operate import evidence_logs
from tools.operate.evidence_record import make_schema
from tools.operate.output import make_printable
from tools.template import ROOT

SCHEMA = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/evidence.schema.json").read_text()))
ORIGIN = {"fetched-at": "2026-06-05T11:42:11Z", "provider-request-id": "req%2F1"}
REQUEST_ID = {"S": "req/1"}
GROUPS = [f"craftkit-test-{name}CertificateLogGroup" for name in ("Download", "Archive")]
NO_LOGS = "The log lines about downloads and refusals: a log group does not exist any more."
NO_ORIGIN = "When it was fetched, and as which request of the provider, is not recorded with it."
UNSIGNED = "The PDF has no digital signature of its own."


@dataclass(frozen=True)
class Case:
    """The only signature request that a test uses."""

    operate: Operator
    number: int

    @property
    def id(self) -> str:
        return signature_id(self.number)

    def seed(self, **attributes: Any) -> None:
        self.operate.seed(self.number, **attributes)

    def archive(self, content: bytes, **arguments: Any) -> None:
        self.operate.archive(self.number, content, **arguments)

    def delete(self) -> None:
        """Sets a delete marker."""
        key = f"prj_1/{self.id}.pdf"
        self.operate.aws.client("s3").delete_object(Bucket=self.operate.name("CertificatesBucket"), Key=key)

    def collect(self, *options: str) -> tuple[Result, Any]:
        """Runs the command. Returns its result and evidence.json, which matches the schema."""
        result = self.operate("evidence", self.id, "--out", "out", *options)
        assert isinstance(result.exception, SystemExit | None), result.exception
        found = json.loads(Path("out/evidence.json").read_text())
        SCHEMA.validate(found)
        assert result.exit_code == bool(found["findings"])
        lines = [f"contradicted: {sentence}" for sentence in found["findings"]]
        lines += [f"not obtained: {sentence}" for sentence in found["notObtained"]]
        assert sorted(result.stdout.splitlines()[:-1]) == sorted(map(make_printable, lines))
        return result, found


@pytest.fixture(scope="module")
def cases() -> Iterator[Iterator[Case]]:
    """One stack for all tests: each creation takes longer than most tests."""
    with operator(STACK) as operate:
        yield (Case(operate, number) for number in itertools.count(1))


@pytest.fixture
def case(cases: Iterator[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    monkeypatch.setattr(evidence_logs, "PAUSE", 0)
    monkeypatch.setattr(evidence_logs, "ATTEMPTS", 3)
    return next(cases)


@pytest.fixture
def script_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptAws]:
    with scripted_services(monkeypatch) as found:
        yield found


def read_text() -> str:
    """The text of evidence.pdf, with single spaces."""
    pages = PdfReader(io.BytesIO(Path("out/evidence.pdf").read_bytes())).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def row(**fields: str) -> list[dict[str, str]]:
    """A log line as Logs Insights returns it."""
    return [{"field": name.replace("timestamp", "@timestamp"), "value": value} for name, value in fields.items()]


def groups(days: int | None = 365, created: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> Answer:
    times = {"creationTime": round(created.timestamp() * 1000)} | ({"retentionInDays": days} if days else {})
    return reply(200, json.dumps({"logGroups": [{"logGroupName": name} | times for name in GROUPS]}).encode())


def results(*rows: list[dict[str, str]], status: str = "Complete") -> Answer:
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
    "status": "401",
    "code": "unauthorized",
}


def test_the_evidence_about_an_intact_certificate(case: Case, script_aws: ScriptAws) -> None:
    content = signed_pdf.add_validation_data(sign(unsigned(), is_stamped=True))
    case.seed(providerRequestId=REQUEST_ID, name={"S": "Contract"}, secret={"S": "canary"}, completedAt={"N": "1"})
    case.archive(content, Metadata=ORIGIN)
    logs = script_aws(
        "CLOUDWATCH_LOGS", groups(), STARTED, results(status="Running"), results(row(**REFUSED), row(**SERVED, ptr="a"))
    )
    result, found = case.collect()

    sha256 = hashlib.sha256(content).hexdigest()
    signature = {
        "field": "Seal",
        "kind": "signature",
        "signer": subject(SEAL),
        "issuer": issuer(),
        "signedAt": f"{STAMPED_AT:%Y-%m-%dT%H:%M:%SZ}",
        "timeSource": "time_stamp",
        "timeAuthority": subject(TIME_STAMPER),
        "timeTrust": "unknown_authority",
        "isIntact": True,
        "trust": "unknown_authority",
        "coverage": "whole_revision",
        "changes": "permitted",
        "permitted": None,
        "problem": None,
    }
    created = found["certificate"]["createdAt"]
    sentences = {
        "versions": "The key has one version and no delete marker: it was never overwritten or deleted.",
        "SHA-256": "The certificate has the SHA-256 that S3 stored when it was archived.",
        "copy": "The copy in this folder is the archived certificate, byte for byte.",
        "whole PDF": "The certificate is a whole PDF.",
        "retention": ANY,
        "origin": "It was fetched at 2026-06-05T11:42:11Z as the provider's request req/1.",
        "signature": "Signature Seal is intact, signed by an authority that this machine does not trust. "
        "It covers the whole file as it was then; only permitted additions were made afterwards.",
        "logs": "Log lines since 2026-01-01 00:00:00 UTC: downloads 1, refusals 1.",
    }
    assert found == {
        "format": "craftkit-evidence-1",
        "madeAt": ANY,
        "program": {"name": "craftkit-certificates", "version": ANY, "pyHanko": ANY, "trustedAuthorities": ANY},
        "place": {
            "stack": "craftkit-test",
            "region": "eu-central-1",
            "table": case.operate.name("SignaturesTable"),
            "bucket": case.operate.name("CertificatesBucket"),
            "key": f"prj_1/{case.id}.pdf",
        },
        "signatureRequest": {
            "id": case.id,
            "projectId": "prj_1",
            "status": "completed",
            "certificateUrl": f"https://api.craftkit.example/v1/signatures/{case.id}/certificate",
            "providerRequestId": "req/1",
            "name": "Contract",
            "completedAt": "1",
        },
        "certificate": {
            "file": f"{case.id}-certificate.pdf",
            "size": len(content),
            "sha256Computed": sha256,
            "sha256Stored": sha256,
            "sha256InFolder": sha256,
            "versionId": found["versions"][0]["versionId"],
            "createdAt": created,
            "retentionMode": "GOVERNANCE",
            "retainedUntil": ANY,
            "legalHold": None,
            "metadata": ORIGIN,
        },
        "versions": [
            {"versionId": ANY, "createdAt": created, "size": len(content), "isDeleteMarker": False, "isLatest": True}
        ],
        "signatures": [signature],
        "logs": {"groups": GROUPS, "since": "2026-01-01T00:00:00Z", "until": ANY, "lines": [REFUSED, SERVED]},
        "checks": [
            {"subject": subject, "outcome": "confirmed", "sentence": sentence}
            for subject, sentence in sentences.items()
        ],
        "findings": [],
        "notObtained": [],
    }
    assert found["checks"][4]["sentence"].startswith("S3 Object Lock (GOVERNANCE) retains this version until 2036-")
    out = Path("out").absolute()
    assert (result.stdout, result.stderr) == (f"Contradictions: 0. The evidence is in {out}.\n", "")
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in out.iterdir()} == dict.fromkeys(
        (f"{case.id}-certificate.pdf", "evidence.json", "evidence.pdf"), "0o600"
    )
    assert oct(out.stat().st_mode & 0o777) == "0o700"
    assert (out / f"{case.id}-certificate.pdf").read_bytes() == content
    query = json.loads(logs.requests[1].body)
    assert (query["logGroupNames"], query["startTime"]) == (GROUPS, 1767225600)
    assert query["queryString"].startswith(f'filter signature_id = "{case.id}"\n')

    text = read_text()
    assert "Nothing that was checked contradicts the certificate." in text
    assert all(one["sentence"] in text for one in found["checks"])
    for shown in (sha256, "Contract", "2026-06-05 11:42:10 UTC", "ck_live_aBcDe", SERVED["request_id"], "Page 1 of "):
        assert shown in text
    assert "canary" not in text + Path("out/evidence.json").read_text()


def test_the_schema_is_that_of_the_program() -> None:
    assert SCHEMA.schema == make_schema()


# ── what contradicts ─────────────────────────────────────────────────────────────────────────────────────────────────


def overwrite(case: Case) -> None:
    case.archive(unsigned())
    case.archive(unsigned() + b" ")


def hide(case: Case) -> None:
    case.archive(unsigned())
    case.delete()


def damage(case: Case) -> None:
    case.archive(unsigned()[:-40], ChecksumSHA256="A" * 43 + "=")


BROKEN = "Signature Seal is broken: what it covers was changed, or the signature itself."
FORBIDDEN = "Signature Seal is broken: what it covers is unchanged, but forbidden changes were made afterwards."


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    ("archive", "findings"),
    [
        (lambda _: None, ["The archive holds no certificate for this signature request."]),
        (overwrite, ["The key was overwritten or deleted (versions: 2, delete markers: 0)."]),
        (hide, ["The key was overwritten or deleted (versions: 1, delete markers: 1)."]),
        (
            damage,
            [
                "The certificate does not have the SHA-256 that S3 stored when it was archived.",
                "The certificate is not a whole PDF.",
            ],
        ),
        (lambda case: case.archive(signed_pdf.change_byte(sign(unsigned()))), [BROKEN]),
        (lambda case: case.archive(signed_pdf.change_page(sign(unsigned()))), [FORBIDDEN]),
        (
            lambda case: case.archive(unsigned(), Metadata=ORIGIN | {"provider-request-id": "req_2"}),
            ["It was fetched as the provider's request req_2; the signature request names req/1."],
        ),
    ],
    ids=["missing", "overwritten", "hidden", "damaged", "altered", "forbidden change", "other request"],
)
def test_each_contradiction_is_a_finding(case: Case, archive: Callable[["Case"], None], findings: list[str]) -> None:
    case.seed(providerRequestId=REQUEST_ID)
    archive(case)
    result, found = case.collect()
    assert (result.exit_code, found["findings"]) == (1, findings)
    text = read_text()
    assert all(finding in text for finding in findings)
    assert f"{len(findings)} of {len(found['checks'])} checks contradict the certificate." in text


def test_an_origin_without_the_providers_request_is_confirmed(case: Case) -> None:
    case.seed(providerRequestId=REQUEST_ID)
    case.archive(unsigned(), Metadata={"fetched-at": "2026-06-05T11:42:11Z"})
    _, found = case.collect()
    (origin,) = [check for check in found["checks"] if check["subject"] == "origin"]
    words = "It was fetched at 2026-06-05T11:42:11Z as the provider's request (not recorded: too long)."
    assert (origin["outcome"], origin["sentence"]) == ("confirmed", words)


def test_the_first_archived_copy_is_the_certificate(case: Case) -> None:
    case.seed()
    overwrite(case)
    case.delete()
    bucket, other = case.operate.name("CertificatesBucket"), f"prj_1/{case.id}.pdf.old"
    case.operate.aws.client("s3").put_object(Bucket=bucket, Key=other, Body=b"another key")
    _, found = case.collect()
    assert Path(f"out/{case.id}-certificate.pdf").read_bytes() == unsigned()
    kinds = [(one["isDeleteMarker"], one["isLatest"], one["size"]) for one in found["versions"]]
    assert kinds == [(True, True, None), (False, False, len(unsigned()) + 1), (False, False, len(unsigned()))]
    assert found["certificate"]["versionId"] == found["versions"][2]["versionId"]


def test_a_missing_certificate_is_reported_in_a_folder_without_it(case: Case) -> None:
    case.seed(**NO_URL)
    result, found = case.collect()
    assert (result.exit_code, found["certificate"], found["versions"], found["signatures"]) == (1, None, [], None)
    assert sorted(file.name for file in Path("out").iterdir()) == ["evidence.json", "evidence.pdf"]


def test_an_item_that_breaks_the_rules_is_a_finding(case: Case) -> None:
    case.seed(**WRONG_STATUS, name={"L": [{"S": "a"}]})
    case.archive(unsigned())
    _, found = case.collect()
    assert found["findings"] == ["The signature request breaks the rules of its table: status."]
    assert found["signatureRequest"]["name"] == '{"L": [{"S": "a"}]}'


def test_a_download_by_another_project_is_a_finding(case: Case, script_aws: ScriptAws) -> None:
    case.seed()
    case.archive(unsigned())
    script_aws("CLOUDWATCH_LOGS", groups(), STARTED, results(row(**SERVED | {"project_id": "prj_2"}), row(**REFUSED)))
    _, found = case.collect()
    assert found["findings"] == ["It was served to another project, prj_2."]


# ── what can't be obtained ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (unsigned(), {}, UNSIGNED),
        (
            signed_pdf.encrypt(unsigned(), "secret"),
            {},
            "The digital signatures of the PDF could not be read: the PDF is encrypted, and needs a password.",
        ),
        (
            pdf(),
            {},
            "The digital signatures of the PDF could not be read: the structure of the PDF is damaged (PdfReadError).",
        ),
        (unsigned(), {"ChecksumAlgorithm": "CRC32"}, "S3 has stored no SHA-256 of the whole certificate."),
    ],
    ids=["unsigned", "encrypted", "damaged structure", "no checksum"],
)
def test_what_the_certificate_does_not_have_is_stated(
    case: Case, content: bytes, options: dict[str, Any], sentence: str
) -> None:
    case.seed()
    case.archive(content, **options)
    result, found = case.collect()
    assert (result.exit_code, found["findings"]) == (0, [])
    assert {sentence, NO_ORIGIN, NO_LOGS} <= set(found["notObtained"])
    assert sentence in read_text()


QUERY_DENIED = reply(400, json.dumps({"__type": "AccessDeniedException", "message": "You may not"}).encode())
RECENT = datetime.now(UTC) + timedelta(days=1)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([QUERY_DENIED], "AWS refused DescribeLogGroups: You may not"),
        ([groups(), QUERY_DENIED], "AWS refused StartQuery: You may not"),
        ([groups(), STARTED, QUERY_DENIED], "AWS refused GetQueryResults: You may not"),
        ([groups(), STARTED, results(status="Failed")], "the query ended as Failed"),
        ([groups(), STARTED, results(status="Running")], "the query ended as Running"),
        ([reply(200, b'{"logGroups": []}')], "a log group does not exist any more"),
        ([reply(200, b"<html/>")], "AWS gave no usable response"),
        ([groups(), reply(200, b"{}")], "AWS gave no usable response"),
    ],
)
def test_logs_that_can_not_be_read_are_stated(
    case: Case, script_aws: ScriptAws, answers: list[Answer], reason: str
) -> None:
    case.seed()
    case.archive(unsigned())
    script_aws("CLOUDWATCH_LOGS", *answers)
    result, found = case.collect()
    sentence = f"The log lines about downloads and refusals: {reason}."
    assert (result.exit_code, found["logs"], found["notObtained"]) == (0, None, [NO_ORIGIN, UNSIGNED, sentence])
    assert sentence in read_text()


@pytest.mark.parametrize(
    ("answer", "options", "begin"),
    [
        (groups(created=datetime(2999, 1, 1, tzinfo=UTC)), (), "2999-01-01 00:00:00"),
        (groups(days=None), ("--since", "2999-02-01T01:00:00+01:00"), "2999-02-01 00:00:00"),
    ],
)
def test_log_lines_that_have_expired_are_stated(
    case: Case, script_aws: ScriptAws, answer: Answer, options: tuple[str, ...], begin: str
) -> None:
    case.seed()
    case.archive(unsigned())
    script_aws("CLOUDWATCH_LOGS", answer, STARTED, results())
    _, found = case.collect(*options)
    words = f"It was archived before {begin} UTC; earlier log lines have expired or were not asked for."
    assert words in found["notObtained"]
    assert f"Log lines since {begin} UTC: downloads 0, refusals 0." in read_text()


def test_logs_are_read_as_far_back_as_they_are_kept(case: Case, script_aws: ScriptAws) -> None:
    case.seed()
    script_aws("CLOUDWATCH_LOGS", groups(days=30), STARTED, results())
    _, found = case.collect()
    since, until = (datetime.fromisoformat(found["logs"][name]) for name in ("since", "until"))
    assert until - since == timedelta(days=30)


def test_more_lines_than_a_query_returns_are_stated(
    case: Case, script_aws: ScriptAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.operate.evidence_collection.LIMIT", 40)
    case.seed()
    case.archive(unsigned())
    script_aws("CLOUDWATCH_LOGS", groups(), STARTED, results(*[row(**SERVED)] * 40))
    _, found = case.collect()
    assert "Only the first 40 log lines were read. Give a later --since." in found["notObtained"]
    assert len(found["logs"]["lines"]) == 40
    assert "10 more are in evidence.json." in read_text()
    assert read_text().count(SERVED["request_id"]) == 30


DENIED = reply(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
NO_VERSIONS = reply(200, b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>")
STORED = {"ETag": '"e"', "Last-Modified": "Fri, 05 Jun 2026 11:42:10 GMT"}


def test_versions_that_may_not_be_listed_and_retention_that_has_ended_are_stated(
    case: Case, script_aws: ScriptAws
) -> None:
    case.seed()
    ended = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": "2026-06-06T00:00:00Z"}
    s3 = script_aws("S3", DENIED, reply(200, unsigned(), STORED | ended))
    _, found = case.collect()
    assert found["notObtained"][:3] == [
        "The versions of the key: AWS refused ListObjectVersions: no.",
        "S3 has stored no SHA-256 of the whole certificate.",
        "S3 states no retention: it has ended, there is none, or s3:GetObjectRetention is missing.",
    ]
    assert (found["versions"], len(s3.requests)) == (None, 2)


def test_a_stack_of_an_earlier_version_names_no_log_groups(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_logs, "OUTPUTS", ("OfALaterVersion",))
    case.seed()
    _, found = case.collect()
    words = "the stack does not name its log groups: deploy this version first"
    assert f"The log lines about downloads and refusals: {words}." in found["notObtained"]


# ── the folder ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_folder_is_filled_and_any_other_is_refused(case: Case, tmp_path: Path) -> None:
    case.seed()
    case.archive(unsigned())
    out = tmp_path / "out"
    out.mkdir()
    case.collect()
    again = case.operate("evidence", case.id, "--out", "out")
    message = f"Error: {out} exists and is not an empty folder.\n"
    assert (again.exit_code, again.stdout, again.stderr) == (2, "", message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((signature_id(0),), f"There is no signature request {signature_id(0)}."),
        (("1",), "Invalid value for ID: must be a UUID"),
        ((signature_id(0), "--out", "missing/out"), "[Errno 2] No such file or directory: "),
    ],
)
def test_an_error_leaves_no_folder(case: Case, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = case.operate("evidence", "--out", "out", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith(f"Error: {message}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([DENIED], "AWS refused GetObject: no."),
        ([reply(200, b"<html/>")], "AWS gave no usable response: MalformedAnswer."),
        (
            [NO_VERSIONS, reply(200, unsigned()[:-1], STORED | {"Content-Length": str(len(unsigned()))})],
            "AWS gave no usable response: IncompleteRead.",
        ),
    ],
)
def test_a_certificate_that_can_not_be_read_leaves_no_folder(
    case: Case, script_aws: ScriptAws, tmp_path: Path, answers: list[Answer], message: str
) -> None:
    case.seed()
    script_aws("S3", *answers)
    result = case.operate("evidence", case.id, "--out", "out")
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_differs_from_the_archive_is_a_finding(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.seed()
    case.archive(unsigned())
    write_bytes = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, content: write_bytes(path, content + b" "))
    _, found = case.collect()
    assert found["findings"] == ["The copy in this folder differs from the archived certificate."]


def test_an_interruption_leaves_no_folder(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    case.seed()
    before(monkeypatch, "s3.GetObject", interrupt)
    result = case.operate("evidence", case.id, "--out", "out")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Error: Interrupted.\n")
    assert list(tmp_path.iterdir()) == []


# ── texts from outside ───────────────────────────────────────────────────────────────────────────────────────────────

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e<b>**\u5951\U0001f58a" + "x" * 5000


def test_hostile_texts_reach_neither_the_terminal_nor_the_pdf(case: Case, script_aws: ScriptAws) -> None:
    case.seed(name={"S": HOSTILE}, renderId={"S": HOSTILE}, completedAt={"S": HOSTILE})
    case.archive(unsigned(), Metadata=ORIGIN | {"provider-request-id": "%1B%5D0;owned%07"})
    line = dict.fromkeys(SERVED, HOSTILE)
    script_aws(
        "CLOUDWATCH_LOGS", groups(), STARTED, results(row(**line), row(**line | {"message": "certificate_served"}))
    )
    result, found = case.collect()
    assert found["signatureRequest"]["name"] == HOSTILE
    assert len(found["findings"]) == 2
    text = read_text()
    assert "owned" in text
    assert {one for one in result.stdout + text if not one.isprintable()} <= {"\n"}
    assert len(PdfReader("out/evidence.pdf").pages) == 2
