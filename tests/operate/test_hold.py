"""`certificates hold`, on resources made from the template. Moto refuses to delete a version that is held, but does not
evaluate bucket policies, and asks no permission for a hold."""

from types import SimpleNamespace
from unittest.mock import ANY

import botocore.handlers
import pytest
from botocore.exceptions import ClientError

from operate.holds import Holds
from operate.stack import find_deployed
from tests.support.deployed import S3
from tests.support.operator import Operator, before, fail_at, json_lines, kill_at, local_operator, run, signature_id

RECORD = b'{"scope": "prj_1/", "action": "set", "reason": "", "by": ""}'
ARN = "arn:aws:sts::123456789012:user/moto"
MEANWHILE = "another run has changed its holds. See `hold list`, and run the command again."


def certificates(operate: Operator) -> list[tuple[str, str]]:
    pages = S3.get_paginator("list_object_versions").paginate(Bucket=operate.name("CertificatesBucket"))
    versions = [(one["Key"], one["VersionId"]) for page in pages for one in page.get("Versions", [])]
    return [version for version in versions if not version[0].startswith(".")]


def held(operate: Operator) -> list[str]:
    """The keys of the certificates of which S3 holds a version, one for each version."""
    bucket = operate.name("CertificatesBucket")
    found = []
    for key, version_id in certificates(operate):
        described = S3.head_object(Bucket=bucket, Key=key, VersionId=version_id)
        found += [key] * (described.get("ObjectLockLegalHoldStatus") == "ON")
    return found


def key(number: int, project: str = "prj_1") -> str:
    return f"{project}/{signature_id(number)}.pdf"


def listed(operate: Operator) -> list[tuple[object, ...]]:
    """Whose hold, the action, its reason, and whether it is completed."""
    lines = json_lines(operate("hold", "list", "--json").stdout)
    names = ("signatureRequestId", "action", "reason", "completed")
    return [(line["projectId"], *(line[name] for name in names)) for line in lines]


def respond(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Responds to this AWS call with nothing, as a proxy could. S3 does not get it."""
    parsed = {"ResponseMetadata": {"HTTPStatusCode": 200}}
    response = SimpleNamespace(status_code=200), parsed
    handlers = [*botocore.handlers.BUILTIN_HANDLERS, (f"before-call.{call}", lambda **_: response)]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)


def refuse(monkeypatch: pytest.MonkeyPatch, code: str, number: int = 1) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObjectLegalHold")
    fail_at(monkeypatch, "s3.PutObjectLegalHold", number, error)


def test_a_hold_is_set_recorded_listed_and_released(operate: Operator) -> None:
    operate.seed(1)
    operate.archive(1)
    operate.archive(2)
    result = operate("hold", "set", signature_id(1).upper(), "--reason", "Case 7 \u202e")
    shown = f"{signature_id(1).upper()}: 1 changed, 0 unchanged.\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, shown, "")
    assert held(operate) == [key(1)]
    (shown,) = json_lines(operate("hold", "list", "--json").stdout)
    hold = {"projectId": "prj_1", "signatureRequestId": signature_id(1), "at": ANY, "action": "set", "completed": True}
    assert shown == hold | {"by": ARN, "reason": "Case 7 \u202e"}
    first, last = f"projectId=prj_1  signatureRequestId={signature_id(1)}  at=", f"by={ARN}  reason=Case 7 \ufffd\n"
    assert operate("hold", "list").stdout == f"{first}{shown['at']}  action=set  completed=True  {last}"
    version = dict(certificates(operate))[key(1)]
    bucket = operate.name("CertificatesBucket")
    with pytest.raises(ClientError, match="AccessDenied"):
        S3.delete_object(Bucket=bucket, Key=key(1), VersionId=version, BypassGovernanceRetention=True)
    result = operate("hold", "release", signature_id(1), "--reason", "Case closed")
    assert (result.exit_code, result.stdout, held(operate)) == (0, f"{signature_id(1)}: 1 changed, 0 unchanged.\n", [])
    assert listed(operate) == []
    S3.delete_object(Bucket=bucket, Key=key(1), VersionId=version, BypassGovernanceRetention=True)


def test_a_projects_hold_covers_its_certificates_of_this_moment_and_no_other_projects(operate: Operator) -> None:
    for number in (1, 2):
        operate.archive(number)
    operate.archive(2)  # a second version is held, too: the first one is the certificate
    S3.put_object(Bucket=operate.name("CertificatesBucket"), Key=key(3, "prj_10"), Body=b"")
    hold = ("hold", "set", "--project", "prj_1", "--reason", "Audit")
    assert operate(*hold).stdout == "project prj_1: 3 changed, 0 unchanged.\n"
    operate.archive(4)
    assert held(operate) == [key(1), key(2), key(2)]
    assert operate(*hold).stdout == "project prj_1: 1 changed, 3 unchanged.\n"
    assert held(operate) == [key(1), key(2), key(2), key(4)]
    assert listed(operate) == [("prj_1", None, "set", "Audit", True)] * 2


def test_a_certificate_stays_held_as_long_as_one_hold_covers_it(operate: Operator) -> None:
    id_ = operate.seed(1)
    operate.archive(1)
    operate.archive(2)
    one, project = (id_, "--reason", "Case"), ("--project", "prj_1", "--reason", "Audit")
    for covered in (one, project):
        assert operate("hold", "set", *covered).exit_code == 0
    found = Holds(find_deployed(operate.stack.name, None)).find_for("prj_1", id_)
    assert {(one.reason, one.by, one.is_completed) for one in found} == {("Audit", ARN, True), ("Case", ARN, True)}
    assert operate("hold", "release", *project).stdout == "project prj_1: 1 changed, 1 unchanged.\n"
    assert (held(operate), listed(operate)) == ([key(1)], [("prj_1", id_, "set", "Case", True)])
    operate("hold", "set", *project)
    assert operate("hold", "release", *one).stdout == f"{id_}: 0 changed, 1 unchanged.\n"
    assert (held(operate), listed(operate)) == ([key(1), key(2)], [("prj_1", None, "set", "Audit", True)])
    operate("hold", "release", *project)
    result = operate("hold", "release", *project)
    assert (result.exit_code, result.stderr, held(operate)) == (1, "project prj_1: there is no hold.\n", [])


def test_each_certificate_that_is_not_held_has_a_line_and_changes_the_exit_code(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        operate.seed(number)
    operate.archive(1)
    operate.archive(2)
    refuse(monkeypatch, "AccessDenied")
    ids = (signature_id(1), signature_id(2), signature_id(3), signature_id(4), "none")
    result = operate("hold", "set", *ids, "--reason", "Case")
    version = dict(certificates(operate))[key(1)]
    assert (result.exit_code, held(operate)) == (1, [key(2)])
    assert result.stderr.splitlines() == [
        f"{key(1)} (version {version}): AWS refused PutObjectLegalHold: no.",
        f"{ids[2]}: no certificate is archived.",
        f"{ids[3]}: there is no such signature request, or its item is broken.",
        "none: there is no such signature request, or its item is broken.",
    ]
    assert [(line[1], line[4]) for line in listed(operate)] == [(ids[0], False), (ids[1], True)]


def test_a_run_that_fails_is_shown_and_completed_by_the_next(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        operate.archive(number)
    for action, wanted in (("set", 5), ("release", 0)):
        command = ("hold", action, "--project", "prj_1", "--reason", "Audit")
        with monkeypatch.context() as first_run:
            refuse(first_run, "ExpiredToken", 3)
            result = operate(*command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("Error: AWS refused PutObjectLegalHold: no.")
        assert listed(operate)[-1][2:] == (action, "Audit", False)
        assert operate(*command).exit_code == 0
        assert len(held(operate)) == wanted
    assert listed(operate) == []


@pytest.mark.parametrize(
    ("call", "exit_code", "message"),
    [
        ("s3.PutObjectLegalHold", 1, "prj_1/{id}.pdf (version {version}): S3 did not keep the change."),
        ("s3.PutObject", 2, "Error: AWS gave no usable response: MalformedAnswer."),
        ("s3.GetObjectLegalHold", 2, "Error: AWS gave no usable response: MalformedAnswer."),
        ("sts.GetCallerIdentity", 2, "Error: The response is not from AWS. Check the proxy and AWS_ENDPOINT_URL."),
    ],
)
def test_a_response_that_changes_nothing_is_not_a_hold(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, call: str, exit_code: int, message: str
) -> None:
    operate.archive(1)
    respond(monkeypatch, call)
    result = operate("hold", "set", "--project", "prj_1", "--reason", "Audit")
    words = message.format(id=signature_id(1), version=dict(certificates(operate))[key(1)])
    assert (result.exit_code, result.stderr) == (exit_code, f"{words}\n")


@pytest.mark.parametrize("action", ["set", "release"])
def test_two_runs_at_once_are_reported(operate: Operator, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    id_ = operate.seed(1)
    operate.archive(1)
    assert operate("hold", "set", id_, "--reason", "Case").exit_code == 0
    other = (id_,) if action == "set" else ("--project", "prj_1")

    def set_another(call: int) -> None:
        if call == 1:
            assert operate("hold", "set", *other, "--reason", "Other").exit_code == 0

    before(monkeypatch, "s3.GetObjectLegalHold", set_another)
    result = operate("hold", action, id_, "--reason", "Case")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"{id_}: {MEANWHILE}\n")
    assert held(operate) == [key(1)]


def test_two_runs_on_one_project_take_two_numbers(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [operate.seed(number) for number in (1, 2)]
    for number in (1, 2):
        operate.archive(number)

    def set_another(call: int) -> None:
        if call == 1:
            assert operate("hold", "set", ids[0], "--reason", "First").exit_code == 0

    before(monkeypatch, "s3.PutObject", set_another)
    assert operate("hold", "set", ids[1], "--reason", "Second").exit_code == 0
    assert listed(operate) == [("prj_1", ids[0], "set", "First", True), ("prj_1", ids[1], "set", "Second", True)]
    assert held(operate) == [key(1), key(2)]


@pytest.mark.parametrize(
    ("record", "body", "words"),
    [
        ("prj_1/a/000001.json", RECORD, "prj_1/a/000001.json is not a record of a hold"),
        ("prj_2/000001.json", RECORD, "prj_2/000001.json is not a record of a hold"),
        ("notes.txt", RECORD, "notes.txt is not a record of a hold"),
        ("prj_1/000001.json", b"[" * 100_000, "prj_1/000001.json is not a record of a hold"),
        ("prj_1/000002.json", RECORD, "prj_1/000001.json is missing"),
    ],
)
def test_a_record_that_is_malformed_or_missing_is_an_error(
    operate: Operator, record: str, body: bytes, words: str
) -> None:
    S3.put_object(Bucket=operate.name("CertificatesBucket"), Key=f".holds/{record}", Body=body)
    result = operate("hold", "list")
    assert (result.exit_code, result.stderr) == (2, f"Error: .holds/{words}.\n")


def test_invalid_options_record_nothing(operate: Operator) -> None:
    operate.archive(1)
    for arguments in ((), ("1", "--project", "prj_1"), ("--project", "prj_1", "--reason", " ")):
        result = operate("hold", "set", "--reason", "a", *arguments)
        assert (result.exit_code, result.stdout, listed(operate)) == (2, "", [])


@pytest.mark.threat("lost-certificate")
def test_a_run_that_was_killed_is_shown_and_completed_by_the_next() -> None:
    with local_operator() as (operate, local):
        bucket = operate.name("CertificatesBucket")
        for number in range(50):
            S3.put_object(Bucket=bucket, Key=key(number), Body=b"")
        hold = ("hold", "set", "--project", "prj_1", "--reason", "Audit", *local)
        kill_at("put_object_legal_hold", 10, *hold)
        (line,) = json_lines(run("hold", "list", "--json", *local).stdout)
        first = len(held(operate))
        second, records = run(*hold), json_lines(run("hold", "list", "--json", *local).stdout)
        all_held = held(operate)
    assert 0 < first < 50
    assert (line["completed"], line["by"]) == (False, "local")
    words = f"{50 - first:,} changed, {first:,} unchanged"
    assert (second.exit_code, second.stdout) == (0, f"project prj_1: {words}.\n")
    assert (len(all_held), [record["completed"] for record in records]) == (50, [False, True])
