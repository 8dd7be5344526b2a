"""`certificates evidence`: a whole report, what contradicts a certificate, and the folder."""

import hashlib
import json
import sys
from pathlib import Path
from unittest.mock import ANY

import pytest

from develop.fakes.server import Response, reply
from operate.evidence.record import make_schema
from tests.support import evidence as support
from tests.support import signed_pdf
from tests.support.deployed import S3
from tests.support.evidence import ORIGIN, REFUSED, SERVED, STARTED, Case, groups, make_case, make_cases, results, row  # noqa: F401
from tests.support.operator import NO_URL, WRONG_STATUS, before, signature_id
from tests.support.signed_pdf import sign, unsigned
from tests.support.stack import STACK


def test_the_evidence_about_an_intact_certificate(case: Case) -> None:
    content = signed_pdf.add_validation_data(sign(unsigned(), stamper=signed_pdf.TIME_STAMPER))
    case.seed(providerRequestId=support.REQUEST_ID, name={"S": "Contract"}, secret={"S": "canary"})
    case.archive(content, Metadata=ORIGIN)
    case.copy(content)
    served = SERVED | {"bytes": str(len(content))}
    answers = [results(status="Running"), results(row(**served, ptr="a")), STARTED, results(row(**REFUSED))]
    logs = case.script("CLOUDWATCH_LOGS", groups(), STARTED, *answers)
    result, found = case.collect(with_report=True)

    sha256, name = hashlib.sha256(content).hexdigest(), f"{case.id}-certificate.pdf"
    source = {"stack": STACK.name, "region": "eu-central-1", "table": case.operate.name("SignaturesTable")}
    request = {"id": case.id, "projectId": "prj_1", "status": "completed", "name": "Contract"}
    certificate = dict.fromkeys(("sha256Computed", "sha256Stored", "sha256InFolder"), sha256) | {
        "file": name,
        "size": len(content),
        "versionId": ANY,
        "createdAt": "2026-06-05T11:42:10Z",
        "retentionMode": "GOVERNANCE",
        "retainedUntil": ANY,
        "legalHold": None,
        "sha256InMetadata": None,
        "metadata": ORIGIN,
    }
    versions = [{"versionId": ANY, "createdAt": ANY, "size": len(content), "isDeleteMarker": False, "isLatest": True}]
    period = {"groups": support.GROUPS, "since": "2026-01-01T00:00:00Z", "until": ANY}
    url = f"https://api.craftkit.example/v1/signatures/{case.id}/certificate"
    assert found == {
        "format": "craftkit-evidence-2",
        "madeAt": ANY,
        "program": {"name": "craftkit-certificates", "version": ANY, "pyHanko": ANY},
        "source": source | {"bucket": case.bucket, "key": case.key},
        "signatureRequest": request | {"certificateUrl": url, "providerRequestId": "req/1"},
        "certificate": certificate,
        "versions": versions,
        "seals": [],
        "holds": [],
        "secondCopy": {"bucket": support.REPLICA_BUCKET, "versions": versions, "sha256": sha256},
        "signatures": [ANY],
        "logs": period | {"lines": [served], "otherLines": [REFUSED]},
        "checks": ANY,
        "contradictions": [],
        "notDetermined": ANY,
    }
    version, until = (found["certificate"][name] for name in ("versionId", "retainedUntil"))
    until, line = f"{until[:10]} {until[11:19]} UTC", SERVED["timestamp"]
    complete = "The log lines, complete since 2026-01-01 00:00:00 UTC, show:"
    confirmed = [one["sentence"] for one in found["checks"] if one["outcome"] == "confirmed"]
    assert confirmed[:8] + confirmed[-3:] == [
        "The key has one version and no delete marker now.",
        f'The archive has it: version "{version}" of {len(content):,} bytes, created at 2026-06-05 11:42:10 UTC.',
        "The certificate has the SHA-256 that S3 stored when it was archived.",
        "The copy in this folder is the archived certificate, byte for byte.",
        "The certificate is a whole PDF.",
        f'S3 Object Lock ("GOVERNANCE") retains this version until {until}.',
        "It was fetched at 2026-06-05 11:42:09 UTC, within 15 minutes of this version's creation.",
        'It was fetched as the provider\'s request "req/1".',
        f"{complete} downloads 1, HEAD 0, not modified 0.",
        f"{complete} refusals 1.",
        f'Log lines that agree with the size and the creation of this version: 1, the first of "{line}".',
    ]
    assert "The second copy has one version now, with the SHA-256 of the certificate." in confirmed
    out = Path("out").absolute()
    *_, last = result.stdout.splitlines()
    assert (last, result.stderr) == (f"Contradictions: 0. The evidence is in {out}.", "")
    files = dict.fromkeys((name, "evidence.json", "evidence.pdf", "README.txt", "SHA256SUMS"), "0o600")
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in out.iterdir()} == files
    assert oct(out.stat().st_mode & 0o777) == "0o700"
    assert (out / name).read_bytes() == content
    for number, operator in ((1, "in"), (4, "not in")):
        query = json.loads(logs.requests[number].body)
        assert (query["logGroupNames"], query["startTime"]) == (support.GROUPS, 1767225600)
        assert query["queryString"].startswith(f'filter signature_id = "{case.id}" and message {operator} [')

    text = support.read_text()
    assert all(one["sentence"] in text for one in found["checks"])
    for shown in (sha256, '"Contract"', "2026-06-05 11:42:10 UTC", "ck_live_aBcDe", "Page 1 of "):
        assert shown in text
    assert "canary" not in text + Path("out/evidence.json").read_text()


def test_the_schema_is_that_of_the_program() -> None:
    assert support.SCHEMA.schema == make_schema()


@pytest.mark.threat("wrong-bytes")
def test_a_damaged_certificate_is_a_contradiction(case: Case) -> None:
    case.seed()
    metadata = {"repr-digest": f"sha-256=:{'A' * 43}=:"}
    case.archive(unsigned()[:-40], ChecksumSHA256="A" * 43 + "=", Metadata=metadata)
    assert case.gather().contradictions == [
        "The certificate does not have the SHA-256 that S3 stored when it was archived.",
        "The certificate does not have the SHA-256 in the version's metadata.",
        "The certificate is not a whole PDF.",
    ]


@pytest.mark.threat("wrong-bytes")
def test_the_first_archived_copy_is_the_certificate(case: Case) -> None:
    case.seed()
    case.archive(unsigned())
    case.archive(unsigned() + b" ")
    case.delete()
    S3.put_object(Bucket=case.bucket, Key=f"{case.key}.old", Body=b"another key")
    found = case.gather()
    assert Path(f"{case.id}-certificate.pdf").read_bytes() == unsigned()
    assert found.certificate
    assert [(one.version_id == found.certificate.version_id, one.size) for one in found.versions or []] == [
        (False, None),
        (False, len(unsigned()) + 1),
        (True, len(unsigned())),
    ]
    assert found.contradictions == ["The key was overwritten or deleted (versions: 2, delete markers: 1)."]


def test_a_missing_certificate_is_reported_in_a_folder_without_it(case: Case) -> None:
    case.seed(**NO_URL)
    result, found = case.collect(with_report=True)
    assert (result.exit_code, found["certificate"], found["versions"], found["signatures"]) == (1, None, [], None)
    assert found["contradictions"] == ["The archive has no certificate for this signature request now."]
    names = ["README.txt", "SHA256SUMS", "evidence.json", "evidence.pdf"]
    assert sorted(file.name for file in Path("out").iterdir()) == names
    text = support.read_text()
    assert text.index("CONTRADICTED: certificate") < text.index("Signature request")
    assert f"1 of {len(found['checks'])} checks contradict the certificate." in text


def test_an_item_that_breaks_the_rules_is_a_finding(case: Case) -> None:
    case.seed(**WRONG_STATUS, name={"L": [{"S": "a"}]})
    case.archive(unsigned())
    found = case.gather()
    assert found.contradictions == ["The signature request breaks the rules of its table: status."]
    assert found.signature_request["name"] == '{"L": [{"S": "a"}]}'


@pytest.mark.parametrize(
    "arguments",
    [
        ("evidence", signature_id(0), "--out", "out"),
        ("archive", "verify", "--signatures"),
        ("archive", "seal"),
        ("archive", "status", "--max-seal-age", "1"),
    ],
)
def test_missing_packages_are_named_in_one_line(
    case: Case, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    for name in ("pyhanko", "fpdf"):
        monkeypatch.setitem(sys.modules, name, None)
    result = case.operate(*arguments)
    advice = "Run python -m pip install --editable '.[operate,evidence]' in the project's folder."
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: Not installed: fpdf2, pyhanko. {advice}\n"


def test_an_empty_folder_is_filled_and_any_other_is_refused_before_anything_is_read(case: Case, tmp_path: Path) -> None:
    case.seed()
    case.archive(unsigned())
    out, link, broken = tmp_path / "out", tmp_path / "link", tmp_path / "broken"
    out.mkdir()
    case.collect()
    link.symlink_to(tmp_path)
    broken.symlink_to(tmp_path / "missing")
    for refused in (out, link, broken):
        result = case.operate("evidence", case.id, "--out", refused.name)
        message = f"Error: {refused} exists and is not an empty folder.\n"
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


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


CUT = reply(200, unsigned()[:-1], support.STORED | {"Content-Length": str(len(unsigned()))})


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([support.DENIED], "AWS refused GetObject: no."),
        ([reply(200, b"<html/>")], "AWS gave no usable response: MalformedAnswer."),
        ([support.list_versions("a"), CUT], "AWS gave no usable response: IncompleteRead."),
    ],
)
def test_a_certificate_that_can_not_be_read_leaves_no_folder(
    case: Case, tmp_path: Path, answers: list[Response], message: str
) -> None:
    case.seed()
    case.script("S3", *answers)
    result = case.operate("evidence", case.id, "--out", "out")
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_differs_from_the_archive_is_a_contradiction(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.seed()
    case.archive(unsigned())
    write_bytes = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, content: write_bytes(path, content + b" "))
    assert case.gather().contradictions == ["The copy in this folder differs from the archived certificate."]


def test_an_interruption_leaves_no_folder(case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    case.seed()
    before(monkeypatch, "s3.GetObject", interrupt)
    result = case.operate("evidence", case.id, "--out", "out")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", "Error: Interrupted.\n")
    assert list(tmp_path.iterdir()) == []
