"""`certificates archive verify`, on resources made from the template."""

import math
from fractions import Fraction
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from certificates.certificate import Certificate
from develop.fakes.server import Response, reply
from operate import replica, signature_requests
from operate.commands.verify import find_upper_bound
from tests.support.deployed import S3
from tests.support.operator import (
    NO_URL,
    WRONG_STATUS,
    Operator,
    ScriptAws,
    before,
    fail_at,
    json_lines,
    kill_at,
    local_operator,
    run,
    signature_id,
    summary,
)
from tests.support.pdf import pdf
from tests.support.responses import digest

NO_VERSIONS = reply(200, b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>")
STATE = Path(".verify-craftkit-test.json")
DENIED = reply(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")


def delete(operate: Operator, number: int) -> None:
    """Without a version: a delete marker hides what is there, which Object Lock allows."""
    key = f"prj_1/{signature_id(number)}.pdf"
    S3.delete_object(Bucket=operate.name("CertificatesBucket"), Key=key)


@pytest.mark.threat("wrong-bytes", "lost-certificate")
def test_each_certificate_that_is_missing_damaged_deleted_or_overwritten_is_found(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 11):
        operate.seed(number)
    operate.archive(1, Metadata={"repr-digest": digest(pdf())})
    operate.archive(3, ChecksumAlgorithm="CRC32")
    operate.archive(4, ChecksumSHA256="A" * 43 + "=")
    operate.archive(5, pdf()[:-40])
    operate.archive(6, b"<!doctype html>%%EOF")
    operate.archive(7, Metadata={"repr-digest": digest(b"another")})
    for number in (8, 10, 11, 8, 9, 9, 8):
        operate.archive(number)
        if number != 9:
            delete(operate, number)
    operate.archive(8)
    operate.seed(12, **NO_URL)
    operate.seed(13, **WRONG_STATUS)
    problems = {2: "missing", 3: "no_checksum", 4: "wrong_checksum", 5: "not_a_pdf", 6: "not_a_pdf"}
    problems |= {7: "wrong_digest", 10: "missing"}
    altered = {8: (4, 3), 9: (2, 0), 10: (1, 1), 11: (1, 1)}
    counts = {"scanned": 12, "available": 10, "intact": 3, "missing": 2, "damaged": 5, "altered": 4, "broken": 1}
    expected: list[dict[str, object]] = [
        {
            "problem": "altered",
            "key": f"prj_1/{signature_id(number)}.pdf",
            "versions": versions,
            "deleteMarkers": markers,
        }
        for number, (versions, markers) in altered.items()
    ]
    expected += [
        {"problem": problem, "signatureRequestId": signature_id(number), "projectId": "prj_1"}
        for number, problem in problems.items()
    ]
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    calls: list[int] = []
    with monkeypatch.context() as first_run:
        before(first_run, "s3.ListObjectVersions", calls.append)
        as_json = operate("archive", "verify", "--json")
    assert (json_lines(as_json.stdout), len(calls)) == ([*expected, counts], 7)
    table = operate("archive", "verify")
    lines = table.stdout.splitlines()
    assert lines[:11] == ["  ".join(f"{name}={value}" for name, value in one.items()) for one in expected]
    assert summary("\n".join(lines[11:])) == {name: str(value) for name, value in counts.items()}
    broken = f"broken item {signature_id(13)} (status: literal_error)\n"
    assert [(result.exit_code, result.stderr) for result in (as_json, table)] == [(1, broken)] * 2


def stored(content: bytes, announced: int | None = None) -> Response:
    headers = {"ETag": '"e"', "x-amz-checksum-sha256": Certificate(pdf()).sha256}
    return reply(200, content, headers | {"Content-Length": str(announced or len(content))})


@pytest.mark.parametrize("transient", [stored(pdf()[:-1], len(pdf())), stored(pdf() + b" ")])
def test_a_response_that_was_truncated_or_damaged_in_transit_is_read_again(
    operate: Operator, script_aws: ScriptAws, transient: Response
) -> None:
    operate.seed(1)
    s3 = script_aws("S3", NO_VERSIONS, transient, stored(pdf()))
    result = operate("archive", "verify")
    assert (result.exit_code, summary(result.stdout)["intact"], len(s3.requests)) == (0, "1", 3)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([NO_VERSIONS, stored(pdf()[:-1], len(pdf()))], "Error: "),
        ([NO_VERSIONS, DENIED], "AWS refused GetObject: no"),
        ([DENIED], "AWS refused ListObjectVersions: no"),
        ([reply(200, b"<html/>")], "AWS gave no usable response: MalformedAnswer"),
    ],
)
def test_an_archive_that_can_not_be_read_is_neither_intact_nor_damaged(
    operate: Operator, script_aws: ScriptAws, answers: list[Response], message: str
) -> None:
    operate.seed(1)
    script_aws("S3", *answers)
    result = operate("archive", "verify")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert message in result.stderr


def test_an_interrupted_run_resumes_and_counts_what_was_found_before(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signature_requests, "STEP_ITEMS", 2)
    for number in range(9):
        operate.seed(number)
        operate.archive(number, b"damaged" if number == 1 else pdf())
    delete(operate, 0)

    with monkeypatch.context() as first_run:
        fail_at(first_run, "s3.GetObject", 4, ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject"))
        first = operate("archive", "verify", "--json")
    assert (first.exit_code, first.stderr.endswith(f" Run it again to resume ({STATE}).\n")) == (2, True)
    problems = [finding["problem"] for finding in json_lines(first.stdout)]
    assert problems == ["altered", "missing", "not_a_pdf"]

    other = operate("archive", "verify", "--signatures")
    assert (other.exit_code, other.stderr.startswith(f"Error: {STATE} belongs to another table or to")) == (2, True)
    read: list[int] = []
    fail_at(monkeypatch, "s3.ListObjectVersions", 1, AssertionError())
    before(monkeypatch, "s3.GetObject", read.append)
    again = operate("archive", "verify", "--json")
    assert (again.exit_code, again.stderr, len(read)) == (1, f"Resuming after 2 items ({STATE}).\n", 7)
    counts = {"scanned": 9, "available": 9, "intact": 7, "missing": 1, "damaged": 1, "altered": 1, "broken": 0}
    assert json_lines(again.stdout) == [counts]
    assert not STATE.exists()


def test_an_interrupted_list_resumes(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    monkeypatch.setattr(replica, "STEP_KEYS", 2)
    for number in [*range(9)] * 3:
        operate.archive(number)

    with monkeypatch.context() as first_run:
        fail_at(first_run, "s3.ListObjectVersions", 4, ConnectTimeoutError(endpoint_url="https://s3.example"))
        first = operate("archive", "verify", "--json")
    calls: list[int] = []
    before(monkeypatch, "s3.ListObjectVersions", calls.append)
    again = operate("archive", "verify", "--json")
    *findings, numbers = [*json_lines(first.stdout), *json_lines(again.stdout)]
    assert (first.exit_code, again.exit_code, numbers["altered"], len(calls)) == (2, 1, 9, 8)
    assert [finding["key"] for finding in findings] == [f"prj_1/{signature_id(number)}.pdf" for number in range(9)]


@pytest.mark.threat("lost-certificate")
def test_a_run_that_was_killed_resumes_and_counts_what_was_found_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = Path(".verify-craftkit-local.json")
    with local_operator() as (operate, local):
        for number in range(70):
            operate.seed(number)
        kill_at("get_object", 120, "archive", "verify", *local)  # moto calls it twice
        again = run("archive", "verify", "--json", *local)
    *findings, numbers = json_lines(again.stdout)
    assert (again.exit_code, again.stderr) == (1, f"Resuming after 50 items ({state}).\n")
    assert (numbers["scanned"], numbers["missing"], len(findings)) == (70, 70, 20)


def test_a_sample_reads_exactly_so_many_certificates_and_the_same_ones_for_the_same_seed(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        operate.seed(number)
    read: list[int] = []
    before(monkeypatch, "s3.GetObject", read.append)
    verify = ("archive", "verify", "--json", "--sample", "12")
    results = [operate(*verify, "--seed", seed) for seed in ("7", "7", "8")]
    results.append(operate(*verify))
    *_, last = numbers = [json_lines(result.stdout)[-1] for result in results]
    first, same, other, random = [sorted(map(str, json_lines(result.stdout)[:-1])) for result in results]
    assert (first == same, len({*map(str, (first, other, random))}), len(first), len(read)) == (True, 3, 12, 48)
    counts = {"scanned": 40, "available": 40, "intact": 0, "missing": 12, "damaged": 0, "altered": 0, "broken": 0}
    statement = {"sample": 12, "seed": "7", "defects": 12, "atMost": 1.0}
    words = {"statement": "12 defects among 12: at most 100 % at 95 % (seed 7)"}
    assert numbers[0] == {**counts, **statement, **words}
    assert operate(*verify, "--seed", last["seed"]).stdout.splitlines()[:-1] == results[-1].stdout.splitlines()[:-1]
    assert ({result.exit_code for result in results}, list(Path().iterdir())) == ({1}, [])


def test_a_sample_states_what_it_allows_to_say(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        operate.seed(number)
        operate.archive(number)
    STATE.write_text("of a run that was interrupted")
    result = operate("archive", "verify", "--sample", "3", "--seed", "a")
    statement = "no defect among 3: at most 64 % at 95 % (seed a)"
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, statement)
    assert result.stderr == "Seed a.\n"
    operate.archive(2)
    operate.seed(6, **WRONG_STATUS)
    result = operate("archive", "verify", "--sample", "9", "--seed", "a", "--json")
    altered, numbers = json_lines(result.stdout)
    assert (altered["key"], altered["problem"]) == (f"prj_1/{signature_id(2)}.pdf", "altered")
    statement = "1 defect among all 5; broken items, which were not checked: 1 (seed a)"
    assert (result.exit_code, numbers["statement"], numbers["atMost"]) == (1, statement, 0.2)
    assert STATE.read_text() == "of a run that was interrupted"
    fail_at(monkeypatch, "dynamodb.Scan", 1, AssertionError())
    result = operate("archive", "verify", "--seed", "a")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "Error: --seed needs --sample.")


@pytest.mark.parametrize(("defects", "size"), [(0, 1), (0, 3000), (1, 10), (3, 100), (99, 100), (10, 10)])
def test_a_greater_share_of_defects_would_show_in_95_of_100_samples(defects: int, size: int) -> None:
    bound = Fraction(find_upper_bound(defects, size))
    most = sum(math.comb(size, n) * bound**n * (1 - bound) ** (size - n) for n in range(defects + 1))
    assert float(most) == pytest.approx(0.05 if defects < size else 1)
