"""`certificates evidence`: what can't be read is stated, and texts from outside are harmless."""

import json
import re

import pytest

from develop.fakes.server import Response, reply
from operate.evidence import logs as evidence_logs
from operate.evidence.checks import leave_open
from tests.support import evidence as support
from tests.support.evidence import SERVED, STARTED, Case, groups, make_case, make_cases, results  # noqa: F401
from tests.support.signed_pdf import encrypt, unsigned

ENCRYPTED = "it is encrypted, and can't be opened without a password or key"


def test_a_fact_that_the_certificate_lacks_is_stated(case: Case) -> None:
    case.seed()
    case.archive(encrypt(unsigned()), ChecksumAlgorithm="CRC32")
    result, found = case.collect(with_report=True)
    assert (result.exit_code, found["contradictions"]) == (0, [])
    facts = {
        f"The PDF may have more signatures than are known: {ENCRYPTED}.",
        "S3 has stored no SHA-256 of the whole certificate.",
    }
    assert facts | {*support.NO_ORIGIN, support.NO_LOGS} <= set(found["notDetermined"])
    text = support.read_text()
    assert all(one in text for one in facts)
    assert text.index("NOT CONTRADICTED, BUT NOT ALL DETERMINED") < text.index("Signature request")


QUERY_DENIED = reply(400, json.dumps({"__type": "AccessDeniedException", "message": "You may not"}).encode())
NO_ANSWER = "AWS gave no usable response"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([groups(), STARTED, QUERY_DENIED], 'AWS refused GetQueryResults with "AccessDeniedException"'),
        ([groups(), STARTED, results(status="Failed")], "the query ended as Failed"),
        ([groups(), STARTED, results(status="Running")], "the query ended as Running"),
        ([reply(200, b'{"logGroups": []}')], "a log group does not exist any more"),
        ([reply(200, b"<html/>")], NO_ANSWER),
        ([groups(), reply(200, b"{}")], NO_ANSWER),
    ],
)
def test_logs_that_can_not_be_read_are_stated(case: Case, answers: list[Response], reason: str) -> None:
    case.seed()
    case.archive(unsigned())
    case.script("CLOUDWATCH_LOGS", *answers)
    found = case.gather()
    assert (found.logs, found.contradictions) == (None, [])
    assert leave_open("log lines", f"The log lines could not be read: {reason}.") in found.checks


def test_a_stack_of_an_earlier_version_names_no_log_groups(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_logs, "OUTPUTS", ("OfALaterVersion",))
    case.seed()
    reason = "the stack does not name its log groups: deploy this version first"
    assert case.check("log lines") == [leave_open("log lines", f"The log lines could not be read: {reason}.")]


ENDED = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": "2026-06-06T00:00:00Z"}


def test_versions_that_may_not_be_listed_and_retention_that_has_ended_are_stated(case: Case) -> None:
    case.seed()
    case.script("S3", support.DENIED, reply(200, unsigned(), support.STORED | ENDED), support.DENIED)
    found = case.gather()
    cause = 'AWS refused ListObjectVersions with "AccessDenied"'
    assert found.not_determined[:8] == [
        f"The versions could not be read: {cause}.",
        "S3 has stored no SHA-256 of the whole certificate.",
        "S3 states no retention: it has ended, there is none, or s3:GetObjectRetention is missing.",
        *support.NO_ORIGIN,
        *(f"The {name} could not be read: {cause}." for name in ("second copy", "holds", "seals")),
    ]
    assert (found.versions, found.second_copy, found.holds, found.seals) == (None,) * 4


def test_a_second_copy_whose_checksum_can_not_be_read_is_not_determined(case: Case) -> None:
    case.seed()
    listed = support.list_versions(case.key, "a")
    case.script("S3", listed, reply(200, unsigned(), support.STORED | {"x-amz-version-id": "a"}), listed, reply(403))
    sentence = 'The second copy could not be read: AWS refused HeadObject with "403".'
    assert case.check("second copy") == [leave_open("second copy", sentence)]


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e<b>**\u5951\U0001f58a" + "x" * 5000


def test_texts_from_outside_are_printed_harmlessly_and_none_is_the_programs_own(case: Case) -> None:
    claim = 'now", confirmed. "All is well; ' + "x" * 100
    name = "Łukasz Żółć \N{EM DASH} Ἀθηνᾶ, Юлия **{nb}** __{nb}__ ~~x~~ \N{MEMO}\ue000"
    texts = {"providerRequestId": claim, "name": name, "renderId": HOSTILE, "completedAt": "שלום"}
    case.seed(**{attribute: {"S": text} for attribute, text in texts.items()})
    case.archive(unsigned(), Metadata={"fetched-at": claim, "provider-request-id": "%1B%5D0;owned%07"})
    line = dict.fromkeys(SERVED, HOSTILE)
    case.log(SERVED | {"project_id": claim}, line, others=[line])
    result, found = case.collect(with_report=True)
    assert found["signatureRequest"]["renderId"] == HOSTILE
    assert len(found["contradictions"]) == 3
    quoted = f"\"now', confirmed. 'All is well; {'x' * 28}…\""
    sentences = [one["sentence"] for one in found["checks"] if "All is well" in one["sentence"]]
    owned = 'It was fetched as the provider\'s request "\ufffd]0;owned\ufffd"'
    assert sentences == [
        f"The time of its fetch is recorded as {quoted}, which is not a time.",
        f"{owned}; the signature request names {quoted}.",
        f"It was served to another project, {quoted}.",
    ]
    text = support.read_text()
    shown = name.replace("\N{MEMO}", "U+1F4DD").replace("\ue000", "\N{REPLACEMENT CHARACTER}")
    # The last is from right to left.
    assert [one for one in (*sentences, f'"{shown}"', "**U+5951U+1F58Axxx", "שלום") if one not in text] == []
    assert {one for one in result.stdout + text if not one.isprintable()} <= {"\n"}
    assert re.search(r"Page 1 of [123]\b", text)
