"""`certificates evidence`: what can't be obtained is stated, and texts from outside are harmless."""

import json
import re
from typing import Any

import pytest
from pypdf import PdfReader

from develop.fakes.server import Response, reply
from operate.evidence import logs as evidence_logs
from tests.support import signed_pdf
from tests.support.evidence import (  # noqa: F401
    DENIED,
    NO_COPY,
    NO_LOGS,
    NO_ORIGIN,
    ORIGIN,
    REPLICA_BUCKET,
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
)
from tests.support.signed_pdf import unsigned

ENCRYPTED = "it is encrypted, and can't be opened without a password or key"

# ── what can't be obtained ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (
            signed_pdf.encrypt(unsigned(), "secret"),
            {},
            f"The PDF may have more signatures than are known: {ENCRYPTED}.",
        ),
        (unsigned(), {"ChecksumAlgorithm": "CRC32"}, "S3 has stored no SHA-256 of the whole certificate."),
    ],
    ids=["encrypted", "no checksum"],
)
def test_what_the_certificate_does_not_have_is_stated(
    case: Case, content: bytes, options: dict[str, Any], sentence: str
) -> None:
    case.seed()
    case.archive(content, **options)
    result, found = case.collect()
    assert (result.exit_code, found["contradictions"]) == (0, [])
    assert {sentence, *NO_ORIGIN, NO_LOGS} <= set(found["notDetermined"])
    text = read_text()
    assert sentence in text
    assert text.index("NOT CONTRADICTED, BUT NOT ALL DETERMINED") < text.index("Signature request")


QUERY_DENIED = reply(400, json.dumps({"__type": "AccessDeniedException", "message": "You may not"}).encode())
REFUSED_WITH = 'with "AccessDeniedException"'


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([QUERY_DENIED], f"AWS refused DescribeLogGroups {REFUSED_WITH}"),
        ([groups(), QUERY_DENIED], f"AWS refused StartQuery {REFUSED_WITH}"),
        ([groups(), STARTED, QUERY_DENIED], f"AWS refused GetQueryResults {REFUSED_WITH}"),
        ([groups(), STARTED, results(status="Failed")], "the query ended as Failed"),
        ([groups(), STARTED, results(status="Running")], "the query ended as Running"),
        ([groups(), STARTED, results(), STARTED, results(status="Running")], "the query ended as Running"),
        ([reply(200, b'{"logGroups": []}')], "a log group does not exist any more"),
        ([reply(200, b"<html/>")], "AWS gave no usable response"),
        ([groups(), reply(200, b"{}")], "AWS gave no usable response"),
    ],
)
def test_logs_that_can_not_be_read_are_stated(case: Case, answers: list[Response], reason: str) -> None:
    case.seed()
    case.archive(unsigned())
    case.script("CLOUDWATCH_LOGS", *answers)
    found = case.gather()
    sentence = f"The log lines about downloads and refusals could not be read: {reason}."
    expected = [*NO_ORIGIN, NO_COPY, sentence]
    assert (found.logs, found.contradictions, found.not_determined) == (None, [], expected)


def test_versions_that_may_not_be_listed_and_retention_that_has_ended_are_stated(case: Case) -> None:
    case.seed()
    ended = {"x-amz-object-lock-mode": "COMPLIANCE", "x-amz-object-lock-retain-until-date": "2026-06-06T00:00:00Z"}
    s3 = case.script("S3", DENIED, reply(200, unsigned(), STORED | ended), DENIED)
    found = case.gather()
    cause = 'AWS refused ListObjectVersions with "AccessDenied"'
    assert found.not_determined[:6] == [
        f"The versions of its key in {case.bucket} could not be listed: {cause}.",
        "S3 has stored no SHA-256 of the whole certificate.",
        "S3 states no retention: it has ended, there is none, or s3:GetObjectRetention is missing.",
        *NO_ORIGIN,
        f"The versions of its key in {REPLICA_BUCKET} could not be listed: {cause}.",
    ]
    assert (found.versions, found.second_copy, len(s3.requests)) == (None, None, 3)


def test_a_stack_of_an_earlier_version_names_no_log_groups(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_logs, "OUTPUTS", ("OfALaterVersion",))
    case.seed()
    words = "the stack does not name its log groups: deploy this version first"
    sentence = f"The log lines about downloads and refusals could not be read: {words}."
    assert case.check("logs") == [("not_determined", sentence)]


# ── texts from outside ───────────────────────────────────────────────────────────────────────────────────────────────

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e<b>**\u5951\U0001f58a" + "x" * 5000


def test_hostile_texts_reach_neither_the_terminal_nor_the_pdf(case: Case) -> None:
    case.seed(name={"S": HOSTILE}, renderId={"S": HOSTILE}, completedAt={"S": HOSTILE})
    case.archive(unsigned(), Metadata=ORIGIN | {"provider-request-id": "%1B%5D0;owned%07"})
    line = dict.fromkeys(SERVED, HOSTILE)
    case.log(line, line | {"message": "certificate_served"}, others=[line])
    result, found = case.collect()
    assert found["signatureRequest"]["name"] == HOSTILE
    assert len(found["contradictions"]) == 2
    text = read_text()
    assert "owned" in text
    assert "**U+5951U+1F58Axxx" in text
    assert {one for one in result.stdout + text if not one.isprintable()} <= {"\n"}
    assert len(PdfReader("out/evidence.pdf").pages) <= 3


def test_a_text_from_outside_can_not_be_read_as_the_reports_own(case: Case) -> None:
    claim = 'now", confirmed. "All is well; ' + "x" * 100
    case.seed(providerRequestId={"S": claim})
    case.archive(unsigned(), Metadata={"fetched-at": claim, "provider-request-id": "a"})
    case.log(SERVED | {"project_id": claim})
    _, found = case.collect()
    quoted = f"\"now', confirmed. 'All is well; {'x' * 28}…\""
    sentences = [one["sentence"] for one in found["checks"] if "All is well" in one["sentence"]]
    assert sentences == [
        f"The time of its fetch is recorded as {quoted}, which is not a time.",
        f'It was fetched as the provider\'s request "a"; the signature request names {quoted}.',
        f"It was served to another project, {quoted}.",
    ]
    assert all(one in read_text() for one in sentences)


def test_letters_of_any_script_are_printed_and_no_text_is_a_command_to_the_pdf_library(case: Case) -> None:
    name = "Łukasz Żółć \N{EM DASH} Ἀθηνᾶ, Юлия **{nb}** __{nb}__ ~~x~~ \N{MEMO}\ue000"
    case.seed(name={"S": name}, completedAt={"S": "שלום"})
    case.archive(unsigned())
    case.collect()
    shown = name.replace("\N{MEMO}", "U+1F4DD").replace("\ue000", "\N{REPLACEMENT CHARACTER}")
    text = read_text()
    assert f'"{shown}"' in text
    assert "שלום" in text  # from right to left
    assert re.search(r"Page 1 of \d\b", text)
