"""`certificates evidence`: the facts of one report are compared with each other, and no sentence says more than was
read."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from develop.fakes.server import reply
from operate.evidence.comparison import CLOCK_SKEW, check_logs, check_origin
from operate.evidence.logs import read_logs
from operate.evidence.record import Certificate, Logs
from operate.stack import find_deployed
from tests.support.deployed import S3
from tests.support.evidence import (  # noqa: F401
    ARCHIVED_AT,
    DENIED,
    GROUPS,
    ORIGIN,
    REFUSED,
    REPLICA_BUCKET,
    REQUEST_ID,
    SERVED,
    STORED,
    Case,
    groups,
    make_case,
    make_cases,
    select,
)
from tests.support.signed_pdf import unsigned
from tests.support.stack import STACK

SIZE = str(len(unsigned()))
GET, HEAD = (SERVED | {"method": method, "bytes": SIZE} for method in ("GET", "HEAD"))
PART, NOT_MODIFIED = (GET | {"status": status, "bytes": count} for status, count in (("206", "100"), ("304", "0")))
ARCHIVED = {"timestamp": "2026-06-05 11:42:10.500", "message": "certificate_archived", "bytes": SIZE}
FAILED = {"timestamp": SERVED["timestamp"], "message": "archive_write_failed", "request_id": SERVED["request_id"]}
AGREE, OTHER_SIZE, OTHER_TIME = (
    f"Log lines that {words}"
    for words in (
        "agree with the size and the creation of this version",
        "tell of a certificate of another size",
        "do not agree with the creation of this version",
    )
)
MALFORMED = "Log lines that could not be compared with this version"
AFTER_FAILURE = "Log lines that tell of a download after a failed write to the archive, maybe of other bytes"


def at(seconds: float) -> dict[str, str]:
    """The time of a log line, so long after the version's creation."""
    return {"timestamp": f"{ARCHIVED_AT + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S.000}"}


SKEW = CLOCK_SKEW.total_seconds()


def certificate(**changes: Any) -> Certificate:
    sha256 = hashlib.sha256(unsigned()).hexdigest()
    found: dict[str, Any] = dict.fromkeys(("sha256_computed", "sha256_stored", "sha256_in_folder"), sha256)
    unknown = dict.fromkeys(("sha256_in_metadata", "retention_mode", "retained_until", "legal_hold"))
    found |= {"file": "a.pdf", "size": len(unsigned()), "version_id": "a", "created_at": ARCHIVED_AT, "metadata": {}}
    return Certificate(**found | unknown | changes)


def make_logs(lines: list[dict[str, str]], others: Sequence[dict[str, str]] = ()) -> Logs:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return Logs(groups=GROUPS, since=since, until=ARCHIVED_AT, lines=lines, other_lines=list(others))


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([GET, HEAD, PART, NOT_MODIFIED, ARCHIVED, GET | {"method": "GET"} | at(10**7)], {AGREE: "confirmed"}),
        (
            [GET | at(-SKEW + 60), ARCHIVED | at(SKEW - 60), {"message": "already_archived"} | at(60)],
            {AGREE: "confirmed"},
        ),
        ([GET | {"bytes": "1999"}], {OTHER_SIZE: "contradicted"}),
        ([HEAD | {"bytes": "1999"}], {OTHER_SIZE: "contradicted"}),
        ([ARCHIVED | {"bytes": "1999"}], {OTHER_SIZE: "contradicted"}),
        ([PART | {"bytes": str(len(unsigned()) + 1)}], {OTHER_SIZE: "contradicted"}),
        *(
            ([line | at(-SKEW - 60)], {OTHER_TIME: "contradicted"})
            for line in (GET, HEAD, PART, NOT_MODIFIED, ARCHIVED)
        ),
        ([{"message": "already_archived"} | at(-SKEW - 60)], {OTHER_TIME: "contradicted"}),
        ([ARCHIVED | at(SKEW + 60)], {OTHER_TIME: "contradicted"}),
        ([FAILED, GET | {"bytes": "1999"} | at(-SKEW - 60)], {AFTER_FAILURE: "not_determined"}),
        ([GET | {"bytes": "many"}, GET | {"timestamp": "canary"}], {MALFORMED: "not_determined"}),
        ([GET, GET | {"bytes": "1999"}], {AGREE: "confirmed", OTHER_SIZE: "contradicted"}),
    ],
)
def test_log_lines_are_compared_with_the_version(lines: list[dict[str, str]], expected: dict[str, str]) -> None:
    found = select(check_logs(make_logs(lines), "prj_1", certificate(), ARCHIVED_AT, None), "log lines")
    assert {sentence.partition(":")[0]: outcome for outcome, sentence in found} == expected


@pytest.mark.threat("wrong-bytes")
def test_a_version_that_took_the_place_of_a_deleted_one_is_a_contradiction(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.seed(providerRequestId=REQUEST_ID)
    case.archive(unsigned(), Metadata=ORIGIN)
    case.copy(unsigned())
    (first,) = S3.list_object_versions(Bucket=case.bucket, Prefix=case.key)["Versions"]
    case.delete(VersionId=first["VersionId"])
    monkeypatch.setattr("moto.s3.models.utcnow", lambda: datetime(2026, 9, 1))  # noqa: DTZ001 - as moto's
    case.archive(unsigned() + b" ", Metadata=ORIGIN)
    case.log(ARCHIVED, GET)
    found = case.gather()
    assert select(found.checks, "versions") == [("confirmed", "The key has one version and no delete marker now.")]
    assert found.contradictions == [
        "It was fetched at 2026-06-05 11:42:09 UTC, but this version was created at 2026-09-01 00:00:00 UTC.",
        "The second copy differs from the certificate.",
        f'{OTHER_SIZE}: 2, the first of "{ARCHIVED["timestamp"]}".',
    ]


LONG = "x" * 1025
FETCHED = "It was fetched as the provider's request"
NOT_RECORDED = "As which request of the provider it was fetched is not recorded with it."
WITHOUT = "It was fetched without a record of the provider's request"
FETCHED_AT = {"fetched-at": ORIGIN["fetched-at"]}


@pytest.mark.parametrize(
    ("named", "metadata", "outcome", "sentence"),
    [
        ("req/1", ORIGIN, "confirmed", f'{FETCHED} "req/1".'),
        ("req_2", ORIGIN, "contradicted", f'{FETCHED} "req/1"; the signature request names "req_2".'),
        (None, ORIGIN, "contradicted", f'{FETCHED} "req/1"; the signature request names none.'),
        ("req_5", FETCHED_AT, "contradicted", f'{WITHOUT}; the signature request names "req_5".'),
        (LONG, FETCHED_AT, "not_determined", "The provider's request is not recorded with it: its id is too long."),
        ("", FETCHED_AT, "not_determined", NOT_RECORDED),
        ("req/1", {}, "not_determined", NOT_RECORDED),
    ],
)
def test_the_recorded_request_is_compared_with_the_signature_request(
    named: str | None, metadata: dict[str, str], outcome: str, sentence: str
) -> None:
    assert select(check_origin(certificate(metadata=metadata), named), "origin") == [(outcome, sentence)]


@pytest.mark.parametrize(
    ("fetched_at", "outcome"),
    [
        ("2026-06-05T11:42:09Z", "confirmed"),
        ("2026-06-05T13:42:09+02:00", "confirmed"),
        ("2026-06-05T11:56:00Z", "confirmed"),
        ("2026-06-05T11:58:00Z", "contradicted"),
        ("2026-06-05T11:26:00Z", "contradicted"),
        ("2099-01-01T00:00:00Z", "contradicted"),
        ("2026-06-05T11:42:09", "not_determined"),
        ("0001-01-01T00:00:00+23:00", "not_determined"),
        ("yesterday", "not_determined"),
        (None, "not_determined"),
    ],
)
def test_the_time_of_the_fetch_is_compared_with_the_versions_creation(fetched_at: str | None, outcome: str) -> None:
    metadata = {"fetched-at": fetched_at} if fetched_at else {}
    ((found, _),) = select(check_origin(certificate(metadata=metadata), None), "fetch time")
    assert found == outcome


def test_the_digest_of_the_metadata_is_compared_with_the_certificate(case: Case) -> None:
    case.seed()
    case.archive(unsigned(), Metadata={"repr-digest": f"sha-256=:{'A' * 43}=:"})
    assert [found for found, _ in case.check("SHA-256")] == ["confirmed", "contradicted"]


def listing(*versions: str, size: int = len(unsigned())) -> Any:
    entries = "".join(
        f"<Version><Key>KEY</Key><VersionId>{one}</VersionId><IsLatest>true</IsLatest><Size>{size}</Size>"
        "<LastModified>2026-06-05T11:42:10Z</LastModified></Version>"
        for one in versions
    )
    return f"<ListVersionsResult><IsTruncated>false</IsTruncated>{entries}</ListVersionsResult>"


ONE_VERSION = ("confirmed", "The key has one version and no delete marker now.")
NOT_LISTED = ("contradicted", "The version that was read is not in S3's list of the key's versions.")
OTHER_LISTED = ("contradicted", f"S3 lists the version with 7 bytes; {len(unsigned()):,} were read.")


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ([listing("a")], ONE_VERSION),
        ([listing(), listing("a")], ONE_VERSION),
        ([listing(), listing()], NOT_LISTED),
        ([listing("b")], NOT_LISTED),
        ([listing("a", size=7)], OTHER_LISTED),
    ],
)
def test_the_version_that_was_read_is_one_of_those_listed(
    case: Case, lists: list[str], expected: tuple[str, str]
) -> None:
    case.seed()
    first, *others = [reply(200, one.replace("KEY", case.key).encode()) for one in lists]
    read = reply(200, unsigned(), STORED | {"x-amz-version-id": "a"})
    s3 = case.script("S3", first, read, *others, DENIED)
    assert case.check("versions")[-1] == expected
    assert ("versionId=" in s3.requests[1].target) == (lists[0] != listing())


# ── the second copy ──────────────────────────────────────────────────────────────────────────────────────────────────


def overwrite_copy(case: Case) -> None:
    case.copy(unsigned())
    case.copy(unsigned())


def hide_copy(case: Case) -> None:
    case.copy(unsigned())
    S3.delete_object(Bucket=REPLICA_BUCKET, Key=case.key)


OVERWRITTEN = "The second copy was overwritten or deleted"


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    ("copy", "outcome", "sentence"),
    [
        (lambda _: None, "not_determined", "The second copy does not have it, or not yet."),
        (
            lambda case: case.copy(unsigned()),
            *("confirmed", "The second copy has one version now, with the SHA-256 of the certificate."),
        ),
        (
            lambda case: case.copy(unsigned(), "CRC32"),
            *("not_determined", "The second copy has the same size, and no SHA-256 of the whole certificate."),
        ),
        (
            lambda case: case.copy(unsigned()[:-1] + b"x"),
            *("contradicted", "The second copy differs from the certificate."),
        ),
        (overwrite_copy, "contradicted", f"{OVERWRITTEN} (versions: 2, delete markers: 0)."),
        (hide_copy, "contradicted", f"{OVERWRITTEN} (versions: 1, delete markers: 1)."),
    ],
    ids=["none", "same", "no checksum", "other bytes", "overwritten", "hidden"],
)
def test_the_second_copy_is_compared_with_the_certificate(
    case: Case, copy: Callable[[Case], None], outcome: str, sentence: str
) -> None:
    case.seed()
    case.archive(unsigned())
    copy(case)
    assert case.check("second copy") == [(outcome, sentence)]


def test_a_second_copy_whose_checksum_can_not_be_read_is_not_determined(case: Case) -> None:
    case.seed()
    one = reply(200, listing("a").replace("KEY", case.key).encode())
    read = reply(200, unsigned(), STORED | {"x-amz-version-id": "a"})
    case.script("S3", one, read, one, reply(403))
    sentence = 'The SHA-256 of the second copy could not be read: AWS refused HeadObject with "403".'
    assert case.check("second copy") == [("not_determined", sentence)]


# ── the period and the number of log lines ───────────────────────────────────────────────────────────────────────────

MAY, JULY = "2026-05-01T00:00:00+00:00", "2026-07-01T00:00:00+00:00"
BEFORE_MAY, BEFORE_JULY = (
    f"Log lines before {day} 00:00:00 UTC have expired or were not asked for." for day in ("2026-05-01", "2026-07-01")
)


def beginning(*created: str, days: int | None = None) -> Any:
    return groups(days, *(datetime.fromisoformat(one) for one in created))


@pytest.mark.parametrize(
    ("since", "asked", "times", "missing"),
    [
        (beginning(MAY, MAY), None, ("2026-05-01", "2026-05-01"), []),
        (beginning("2026-01-01T00:00:00+00:00", JULY), None, ("2026-01-01", "2026-07-01"), [BEFORE_JULY]),
        (beginning(MAY, MAY), "2020-01-01T00:00:00Z", ("2020-01-01", "2026-05-01"), [BEFORE_MAY]),
        (beginning(MAY, MAY), JULY, ("2026-07-01", "2026-07-01"), [BEFORE_JULY]),
        (beginning(MAY, MAY), "2026-05-02T00:00:00Z", ("2026-05-02", "2026-05-02"), []),
    ],
    ids=["all kept", "a group made again", "asked for more", "asked for less", "asked for enough"],
)
def test_the_period_is_that_which_every_log_group_has(
    case: Case, since: Any, asked: str | None, times: tuple[str, str], missing: list[str]
) -> None:
    server = case.log(since=since)
    asked_since = datetime.fromisoformat(asked) if asked else None
    logs = read_logs(find_deployed(STACK.name, None), case.id, asked_since)
    start, period = (datetime.fromisoformat(f"{day}T00:00:00+00:00") for day in times)
    assert (json.loads(server.requests[1].body)["startTime"], logs.since) == (start.timestamp(), period)
    checks = list(check_logs(logs, "prj_1", certificate(), ARCHIVED_AT, asked_since))
    words = f"The log lines, complete since {times[1]} 00:00:00 UTC, show: downloads 0, HEAD 0, not modified 0."
    assert select(checks, "downloads") == [("confirmed", words)]
    assert select(checks, "earlier logs") == [("not_determined", one) for one in missing]


def test_lines_that_a_group_no_longer_keeps_are_not_in_the_period(case: Case) -> None:
    case.log(since=groups(days=30))
    logs = read_logs(find_deployed(STACK.name, None), case.id, datetime(2020, 1, 1, tzinfo=UTC))
    assert logs.until - logs.since == timedelta(days=30)


def test_the_period_is_compared_with_the_oldest_known_time(case: Case) -> None:
    case.seed(createdAt={"S": "2026-04-01T00:00:00Z"})
    case.archive(unsigned())
    case.log(since=beginning(MAY, MAY))
    assert case.check("earlier logs") == [("not_determined", BEFORE_MAY)]


def test_downloads_are_told_from_responses_without_bytes_and_from_refusals() -> None:
    without_method = {name: value for name, value in GET.items() if name != "method"}
    logs = make_logs([GET, PART, without_method, HEAD, NOT_MODIFIED], [REFUSED, REFUSED])
    checks = list(check_logs(logs, "prj_1", certificate(), ARCHIVED_AT, None))
    begin = "The log lines, complete since 2026-01-01 00:00:00 UTC, show: "
    assert select(checks, "downloads") == [("confirmed", f"{begin}downloads 3, HEAD 1, not modified 1.")]
    assert select(checks, "refusals") == [("confirmed", f"{begin}refusals 2.")]


@pytest.mark.parametrize(
    ("numbers", "cut", "sentence"),
    [
        ((40, 1), "downloads", f'downloads 40, HEAD 0, not modified 0, but nothing after "{GET["timestamp"]}"'),
        ((1, 40), "refusals", f'refusals 40, but nothing after "{REFUSED["timestamp"]}"'),
    ],
)
def test_a_list_that_was_cut_says_so_in_its_own_check(
    monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, int], cut: str, sentence: str
) -> None:
    monkeypatch.setattr("operate.evidence.comparison.LIMIT", 40)
    served, refused = numbers
    logs = make_logs([GET] * served, [REFUSED] * refused)
    checks = list(check_logs(logs, "prj_1", certificate(), ARCHIVED_AT, None))
    begin = "The log lines, complete since 2026-01-01 00:00:00 UTC, show: "
    assert select(checks, cut) == [("not_determined", f"{begin}{sentence}: a query returns 40 lines. Use --since.")]
    assert select(checks, ({"downloads", "refusals"} - {cut}).pop())[0][0] == "confirmed"


def test_a_download_by_another_project_is_a_contradiction() -> None:
    logs = make_logs([GET | {"project_id": "prj_2"}], [REFUSED])
    assert select(check_logs(logs, "prj_1", certificate(), ARCHIVED_AT, None), "project") == [
        ("contradicted", 'It was served to another project, "prj_2".')
    ]
