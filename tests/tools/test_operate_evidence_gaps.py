"""`certificates evidence`: what can't be obtained is stated, and texts from outside are harmless."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pypdf import PdfReader

from tests.support import signed_pdf
from tests.support.evidence import (  # noqa: F401
    DENIED,
    NO_LOGS,
    NO_ORIGIN,
    ORIGIN,
    SERVED,
    STARTED,
    STORED,
    UNSIGNED,
    Case,
    groups,
    make_case,
    make_cases,
    read_text,
    results,
    row,
)
from tests.support.pdf import pdf
from tests.support.signed_pdf import unsigned
from tools.fake_cloud.server import Answer, reply
from tools.operate.evidence import logs as evidence_logs

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
def test_logs_that_can_not_be_read_are_stated(case: Case, answers: list[Answer], reason: str) -> None:
    case.seed()
    case.archive(unsigned())
    case.script("CLOUDWATCH_LOGS", *answers)
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
    case: Case, answer: Answer, options: tuple[str, ...], begin: str
) -> None:
    case.seed()
    case.archive(unsigned())
    case.script("CLOUDWATCH_LOGS", answer, STARTED, results())
    _, found = case.collect(*options)
    words = f"It was archived before {begin} UTC; earlier log lines have expired or were not asked for."
    assert words in found["notObtained"]
    assert f"Log lines since {begin} UTC: downloads 0, refusals 0." in read_text()


def test_logs_are_read_as_far_back_as_they_are_kept(case: Case) -> None:
    case.seed()
    case.script("CLOUDWATCH_LOGS", groups(days=30), STARTED, results())
    _, found = case.collect()
    since, until = (datetime.fromisoformat(found["logs"][name]) for name in ("since", "until"))
    assert until - since == timedelta(days=30)


def test_more_lines_than_a_query_returns_are_stated(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.operate.evidence.collection.LIMIT", 40)
    case.seed()
    case.archive(unsigned())
    case.script("CLOUDWATCH_LOGS", groups(), STARTED, results(*[row(**SERVED)] * 40))
    _, found = case.collect()
    assert "Only the first 40 log lines were read. Give a later --since." in found["notObtained"]
    assert len(found["logs"]["lines"]) == 40
    assert "10 more are in evidence.json." in read_text()
    assert read_text().count(SERVED["request_id"]) == 30


def test_versions_that_may_not_be_listed_and_retention_that_has_ended_are_stated(case: Case) -> None:
    case.seed()
    ended = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": "2026-06-06T00:00:00Z"}
    s3 = case.script("S3", DENIED, reply(200, unsigned(), STORED | ended))
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


# ── texts from outside ───────────────────────────────────────────────────────────────────────────────────────────────

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e<b>**\u5951\U0001f58a" + "x" * 5000


def test_hostile_texts_reach_neither_the_terminal_nor_the_pdf(case: Case) -> None:
    case.seed(name={"S": HOSTILE}, renderId={"S": HOSTILE}, completedAt={"S": HOSTILE})
    case.archive(unsigned(), Metadata=ORIGIN | {"provider-request-id": "%1B%5D0;owned%07"})
    line = dict.fromkeys(SERVED, HOSTILE)
    case.script(
        "CLOUDWATCH_LOGS", groups(), STARTED, results(row(**line), row(**line | {"message": "certificate_served"}))
    )
    result, found = case.collect()
    assert found["signatureRequest"]["name"] == HOSTILE
    assert len(found["findings"]) == 2
    text = read_text()
    assert "owned" in text
    assert {one for one in result.stdout + text if not one.isprintable()} <= {"\n"}
    assert len(PdfReader("out/evidence.pdf").pages) == 2
