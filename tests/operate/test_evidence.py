"""`certificates evidence`: a whole report, what contradicts a certificate, and the folder."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import ANY

import pytest

from develop.fakes.server import Response, reply
from operate.evidence.record import make_schema
from tests.support import signed_pdf
from tests.support.deployed import S3
from tests.support.evidence import (  # noqa: F401
    DENIED,
    GROUPS,
    NO_VERSIONS,
    ORIGIN,
    REFUSED,
    REPLICA_BUCKET,
    REQUEST_ID,
    SCHEMA,
    SERVED,
    STARTED,
    STORED,
    Case,
    groups,
    make_case,
    make_cases,
    read_text,
    results,
    row,
)
from tests.support.operator import NO_URL, WRONG_STATUS, before, signature_id
from tests.support.signed_pdf import sign, unsigned


def test_the_evidence_about_an_intact_certificate(case: Case) -> None:
    content = signed_pdf.add_validation_data(sign(unsigned(), is_stamped=True))
    case.seed(
        providerRequestId=REQUEST_ID, name={"S": "Contract"}, secret={"S": "canary"}, completedAt={"N": "1780000000"}
    )
    case.archive(content, Metadata=ORIGIN)
    case.copy(content)
    served = SERVED | {"bytes": str(len(content))}
    running = results(status="Running")
    answers = (groups(), STARTED, running, results(row(**served, ptr="a")), STARTED, results(row(**REFUSED)))
    logs = case.script("CLOUDWATCH_LOGS", *answers)
    result, found = case.collect()

    sha256 = hashlib.sha256(content).hexdigest()
    created, version = (found["certificate"][name] for name in ("createdAt", "versionId"))
    listed = {"createdAt": ANY, "size": len(content), "isDeleteMarker": False, "isLatest": True}
    sentences = {
        "versions": "The key has one version and no delete marker now.",
        "certificate": f'The archive holds it: version "{version}" of {len(content):,} bytes, created at '
        "2026-06-05 11:42:10 UTC.",
        "SHA-256": "The certificate has the SHA-256 that S3 stored when it was archived.",
        "copy": "The copy in this folder is the archived certificate, byte for byte.",
        "whole PDF": "The certificate is a whole PDF.",
        "retention": ANY,
        "fetch time": "It was fetched at 2026-06-05 11:42:09 UTC, within 15 minutes of this version's creation.",
        "origin": 'It was fetched as the provider\'s request "req/1".',
        "second copy": "The second copy has one version now, with the SHA-256 of the certificate.",
        "signature": ANY,
        "downloads": "The log lines, complete since 2026-01-01 00:00:00 UTC, show: downloads 1, HEAD 0, "
        "not modified 0.",
        "refusals": "The log lines, complete since 2026-01-01 00:00:00 UTC, show: refusals 1.",
        "log lines": "Log lines that agree with the size and the creation of this version: 1, the first of "
        f'"{SERVED["timestamp"]}".',
    }
    assert found == {
        "format": "craftkit-evidence-2",
        "madeAt": ANY,
        "program": {"name": "craftkit-certificates", "version": ANY, "pyHanko": ANY},
        "place": {
            "stack": "craftkit-test",
            "region": "eu-central-1",
            "table": case.operate.name("SignaturesTable"),
            "bucket": case.bucket,
            "key": case.key,
        },
        "signatureRequest": {
            "id": case.id,
            "projectId": "prj_1",
            "status": "completed",
            "certificateUrl": f"https://api.craftkit.example/v1/signatures/{case.id}/certificate",
            "providerRequestId": "req/1",
            "name": "Contract",
            "completedAt": "1780000000",
        },
        "certificate": {
            "file": f"{case.id}-certificate.pdf",
            "size": len(content),
            "sha256Computed": sha256,
            "sha256Stored": sha256,
            "sha256InMetadata": None,
            "sha256InFolder": sha256,
            "versionId": version,
            "createdAt": "2026-06-05T11:42:10Z",
            "retentionMode": "GOVERNANCE",
            "retainedUntil": ANY,
            "legalHold": None,
            "metadata": ORIGIN,
        },
        "versions": [{"versionId": version} | listed],
        "secondCopy": {"bucket": REPLICA_BUCKET, "versions": [{"versionId": ANY} | listed], "sha256": sha256},
        "signatures": [ANY],
        "logs": {
            "groups": GROUPS,
            "since": "2026-01-01T00:00:00Z",
            "until": ANY,
            "lines": [served],
            "otherLines": [REFUSED],
        },
        "checks": ANY,
        "contradictions": [],
        "notDetermined": ANY,
    }
    assert created == "2026-06-05T11:42:10Z"
    checks = {one["subject"]: one for one in found["checks"]}
    assert {subject: one["sentence"] for subject, one in checks.items() if subject in sentences} == sentences
    assert {one["outcome"] for subject, one in checks.items() if subject in sentences} == {"confirmed"}
    assert checks["retention"]["sentence"].startswith('S3 Object Lock ("GOVERNANCE") retains this version until 2036-')
    out = Path("out").absolute()
    *_, last = result.stdout.splitlines()
    assert (last, result.stderr) == (f"Contradictions: 0. The evidence is in {out}.", "")
    names = (f"{case.id}-certificate.pdf", "evidence.json", "evidence.pdf", "README.txt", "SHA256SUMS")
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in out.iterdir()} == dict.fromkeys(names, "0o600")
    assert oct(out.stat().st_mode & 0o777) == "0o700"
    assert (out / f"{case.id}-certificate.pdf").read_bytes() == content
    queries = [json.loads(logs.requests[number].body) for number in (1, 4)]
    for query, operator in zip(queries, ("in", "not in"), strict=True):
        assert (query["logGroupNames"], query["startTime"]) == (GROUPS, 1767225600)
        assert query["queryString"].startswith(f'filter signature_id = "{case.id}" and message {operator} [')

    text = read_text()
    assert all(one["sentence"] in text for one in found["checks"])
    for shown in (sha256, '"Contract"', "2026-06-05 11:42:10 UTC", "ck_live_aBcDe", "Page 1 of "):
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


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    ("archive", "contradictions"),
    [
        (lambda _: None, ["The archive holds no certificate for this signature request now."]),
        (overwrite, ["The key was overwritten or deleted (versions: 2, delete markers: 0)."]),
        (hide, ["The key was overwritten or deleted (versions: 1, delete markers: 1)."]),
        (
            damage,
            [
                "The certificate does not have the SHA-256 that S3 stored when it was archived.",
                "The certificate is not a whole PDF.",
            ],
        ),
    ],
    ids=["missing", "overwritten", "hidden", "damaged"],
)
def test_each_contradiction_is_a_finding(
    case: Case, archive: Callable[["Case"], None], contradictions: list[str]
) -> None:
    case.seed(providerRequestId=REQUEST_ID)
    archive(case)
    assert case.gather().contradictions == contradictions


def test_the_first_archived_copy_is_the_certificate(case: Case) -> None:
    case.seed()
    overwrite(case)
    case.delete()
    S3.put_object(Bucket=case.bucket, Key=f"{case.key}.old", Body=b"another key")
    found = case.gather()
    assert Path(f"{case.id}-certificate.pdf").read_bytes() == unsigned()
    kinds = [(one.is_delete_marker, one.is_latest, one.size) for one in found.versions or []]
    assert kinds == [(True, True, None), (False, False, len(unsigned()) + 1), (False, False, len(unsigned()))]
    assert found.certificate
    assert found.versions
    assert found.certificate.version_id == found.versions[2].version_id


def test_a_missing_certificate_is_reported_in_a_folder_without_it(case: Case) -> None:
    case.seed(**NO_URL)
    result, found = case.collect()
    assert (result.exit_code, found["certificate"], found["versions"], found["signatures"]) == (1, None, [], None)
    names = ["README.txt", "SHA256SUMS", "evidence.json", "evidence.pdf"]
    assert sorted(file.name for file in Path("out").iterdir()) == names
    text = read_text()
    assert text.index("CONTRADICTED: certificate") < text.index("Signature request")
    assert f"1 of {len(found['checks'])} checks contradict the certificate." in text


def test_an_item_that_breaks_the_rules_is_a_finding(case: Case) -> None:
    case.seed(**WRONG_STATUS, name={"L": [{"S": "a"}]})
    case.archive(unsigned())
    found = case.gather()
    assert found.contradictions == ["The signature request breaks the rules of its table: status."]
    assert found.signature_request["name"] == '{"L": [{"S": "a"}]}'


@pytest.mark.parametrize(
    "arguments", [("evidence", signature_id(0), "--out", "out"), ("archive", "verify", "--signatures")]
)
def test_missing_packages_are_named_in_one_line(
    case: Case, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    for name in ("pyhanko", "fpdf"):
        monkeypatch.setitem(sys.modules, name, None)
    result = case.operate(*arguments)
    advice = "Run python -m pip install '.[operate,evidence]' in the project's folder."
    assert (result.exit_code, result.stdout, result.stderr) == (
        2,
        "",
        f"Error: Not installed: fpdf2, pyhanko. {advice}\n",
    )


def test_no_other_command_imports_the_packages_of_the_evidence() -> None:
    code = (
        "import operate.cli, sys; print({'asn1crypto', 'fpdf', 'matplotlib', 'pyhanko', 'uharfbuzz'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


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


def test_a_link_is_refused_before_anything_is_read(case: Case, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for target in (tmp_path / "missing", tmp_path):
        out.symlink_to(target)
        result = case.operate("evidence", case.id, "--out", "out")
        assert (result.exit_code, result.stderr) == (2, f"Error: {out} exists and is not an empty folder.\n")
        out.unlink()


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
    case: Case, tmp_path: Path, answers: list[Response], message: str
) -> None:
    case.seed()
    case.script("S3", *answers)
    result = case.operate("evidence", case.id, "--out", "out")
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_differs_from_the_archive_is_a_finding(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
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
