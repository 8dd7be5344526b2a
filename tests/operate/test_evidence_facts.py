"""The facts of one report are compared with each other, and no sentence says more than was read."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from develop.fakes.server import reply
from operate.evidence.checks import Check, confirm, leave_open
from operate.evidence.comparison import (
    CLOCK_SKEW,
    check_holds,
    check_logs,
    check_origin,
    check_second_copy,
    check_versions,
)
from operate.evidence.logs import read_logs
from operate.evidence.record import Certificate, Hold, Logs, SecondCopy, Version
from operate.stack import find_deployed
from tests.support import evidence as support
from tests.support.deployed import S3
from tests.support.evidence import ARCHIVED_AT, ORIGIN, REFUSED, SERVED, STORED, Case, groups, make_case, make_cases  # noqa: F401
from tests.support.signed_pdf import unsigned
from tests.support.stack import STACK

LENGTH = len(unsigned())
SIZE = str(LENGTH)
SHA256, OTHER = hashlib.sha256(unsigned()).hexdigest(), "0" * 64
FETCHED_AT = {"fetched-at": ORIGIN["fetched-at"]}


def certificate(**metadata: str) -> Certificate:
    found: dict[str, Any] = dict.fromkeys(("sha256_computed", "sha256_stored", "sha256_in_folder"), SHA256)
    unknown = dict.fromkeys(("sha256_in_metadata", "retention_mode", "retained_until", "legal_hold"))
    found |= {"file": "a.pdf", "size": LENGTH, "version_id": "a", "created_at": ARCHIVED_AT, "metadata": metadata}
    return Certificate(**found | unknown)


def version(id_: str = "a", size: int | None = LENGTH) -> Version:
    """A delete marker has no size."""
    return Version(version_id=id_, created_at=ARCHIVED_AT, size=size, is_delete_marker=size is None, is_latest=True)


MARKER = version("b", None)


def compare_versions(*versions: Version) -> list[Check]:
    return list(check_versions(certificate(), list(versions)))


def compare_copy(*versions: Version, sha256: str | None = SHA256) -> list[Check]:
    return [check_second_copy(certificate(), SecondCopy(bucket="b", versions=list(versions), sha256=sha256))]


def hold(hours: int = 1, **fields: Any) -> Hold:
    """A hold that was set so many hours after the certificate was archived."""
    facts = {"scope": "project", "action": "set", "reason": "a", "by": "b", "is_completed": True}
    return Hold(**facts | fields, at=ARCHIVED_AT + timedelta(hours=hours))


SET, SET_BEFORE, NOT_RELEASED = hold(), hold(-1), hold(action="release", is_completed=False)


def compare_holds(*holds: Hold, is_held: bool = False) -> list[Check]:
    check = check_holds(certificate(), list(holds), is_held=is_held)
    return [check] if check else []


def compare_origin(named: str | None, metadata: dict[str, str]) -> list[Check]:
    return list(check_origin(certificate(**metadata), named))


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    ("checks", "subject", "outcome", "words"),
    [
        (compare_versions(version(), version("b")), "versions", "contradicted", "(versions: 2, delete markers: 0)"),
        (compare_versions(MARKER, version()), "versions", "contradicted", "(versions: 1, delete markers: 1)"),
        (compare_versions(), "versions", "contradicted", "was read is not in S3's list"),
        (compare_versions(version("b")), "versions", "contradicted", "was read is not in S3's list"),
        (compare_versions(version(size=7)), "versions", "contradicted", f"7 bytes; {LENGTH:,} were read"),
        (compare_copy(), "second copy", "not_determined", "does not have it yet"),
        (compare_copy(version(), sha256=None), "second copy", "not_determined", "the same size, and no SHA-256"),
        (compare_copy(version(), sha256=OTHER), "second copy", "contradicted", "differs from the certificate"),
        (compare_copy(version(size=7), sha256=None), "second copy", "contradicted", "differs from the certificate"),
        (compare_copy(version(), version("b")), "second copy", "contradicted", "(versions: 2, delete markers: 0)"),
        (compare_copy(MARKER, version()), "second copy", "contradicted", "(versions: 1, delete markers: 1)"),
        (compare_origin("r2", ORIGIN), "origin", "contradicted", '"req/1"; the signature request names "r2".'),
        (compare_origin(None, ORIGIN), "origin", "contradicted", '"req/1"; the signature request names none.'),
        (compare_origin("r5", FETCHED_AT), "origin", "contradicted", "without a record of the provider's request"),
        (compare_origin("x" * 1025, FETCHED_AT), "origin", "not_determined", "its id is too long"),
        (compare_origin("", FETCHED_AT), "origin", "not_determined", "is not recorded"),
        (compare_origin("req/1", {}), "origin", "not_determined", "is not recorded"),
        (compare_holds(is_held=True), "hold", "not_determined", "no record says since when and why"),
        (compare_holds(SET, NOT_RELEASED, SET), "hold", "contradicted", "although it was not released"),
        (compare_holds(SET, NOT_RELEASED), "hold", "not_determined", "may never have had one. The hold was released"),
        (compare_holds(SET_BEFORE), "hold", "not_determined", "may never have had one. The hold was set"),
    ],
)
def test_each_fact_is_compared(checks: list[Check], subject: str, outcome: str, words: str) -> None:
    *_, last = (one for one in checks if one.subject == subject)
    assert last.outcome == outcome
    assert words in last.sentence


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
    checks = compare_origin(None, {"fetched-at": fetched_at} if fetched_at else {})
    assert [one.outcome for one in checks if one.subject == "fetch time"] == [outcome]


@pytest.mark.parametrize("lists", [[("a",)], [(), ("a",)]], ids=["listed", "archived after the list"])
def test_the_version_that_is_listed_is_read(case: Case, lists: list[tuple[str, ...]]) -> None:
    case.seed()
    first, *others = [support.list_versions(case.key, *one) for one in lists]
    s3 = case.script("S3", first, reply(200, unsigned(), STORED | {"x-amz-version-id": "a"}), *others, support.DENIED)
    assert case.check("versions") == [confirm("versions", "The key has one version and no delete marker now.")]
    assert ("versionId=a" in s3.requests[1].target) == bool(lists[0])


@pytest.mark.threat("wrong-bytes")
def test_a_version_that_replaced_a_deleted_one_is_a_contradiction(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.seed(providerRequestId=support.REQUEST_ID)
    case.archive(unsigned(), Metadata=ORIGIN)
    case.copy(unsigned())
    (first,) = S3.list_object_versions(Bucket=case.bucket, Prefix=case.key)["Versions"]
    case.delete(VersionId=first["VersionId"])
    monkeypatch.setattr("moto.s3.models.utcnow", lambda: datetime(2026, 9, 1))  # noqa: DTZ001 - as moto's
    case.archive(unsigned() + b" ", Metadata=ORIGIN)
    case.log(ARCHIVED, GET)
    found = case.gather()
    assert confirm("versions", "The key has one version and no delete marker now.") in found.checks
    assert found.contradictions == [
        "It was fetched at 2026-06-05 11:42:09 UTC, but this version was created at 2026-09-01 00:00:00 UTC.",
        "The second copy differs from the certificate.",
        f'{OTHER_SIZE}: 2, the first of "{ARCHIVED["timestamp"]}".',
    ]


GET, HEAD = (SERVED | {"method": method, "bytes": SIZE} for method in ("GET", "HEAD"))
PART, NOT_MODIFIED = (GET | {"status": status, "bytes": count} for status, count in (("206", "100"), ("304", "0")))
ARCHIVED = {"timestamp": "2026-06-05 11:42:10.500", "message": "certificate_archived", "bytes": SIZE}
FAILED = {"timestamp": SERVED["timestamp"], "message": "archive_write_failed", "request_id": SERVED["request_id"]}
AGREE = "Log lines that agree with the size and the creation of this version"
OTHER_SIZE = "Log lines that report a certificate of another size"
OTHER_TIME = "Log lines that do not agree with the creation of this version"
MALFORMED = "Log lines that could not be compared with this version"
AFTER_FAILURE = "Log lines that report a download after a failed write to the archive, maybe of other bytes"
SKEW = CLOCK_SKEW.total_seconds()
LATE, EARLY = SKEW + 60, -SKEW - 60


def at(seconds: float) -> dict[str, str]:
    """The time of a log line, so long after the version's creation."""
    return {"timestamp": f"{ARCHIVED_AT + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S.000}"}


def compare_lines(
    lines: list[dict[str, str]], others: Sequence[dict[str, str]] = (), subject: str = "log lines"
) -> list[Check]:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    logs = Logs(groups=support.GROUPS, since=since, until=ARCHIVED_AT, lines=lines, other_lines=list(others))
    return [one for one in check_logs(logs, "prj_1", certificate(), ARCHIVED_AT, None) if one.subject == subject]


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([GET, HEAD, PART, NOT_MODIFIED, ARCHIVED, GET | at(10**7)], {AGREE: "confirmed"}),
        (
            [GET | at(-SKEW + 60), ARCHIVED | at(SKEW - 60), {"message": "already_archived"} | at(60)],
            {AGREE: "confirmed"},
        ),
        *(([line | {"bytes": "1999"}], {OTHER_SIZE: "contradicted"}) for line in (GET, HEAD, ARCHIVED)),
        ([PART | {"bytes": str(LENGTH + 1)}], {OTHER_SIZE: "contradicted"}),
        *(([line | at(EARLY)], {OTHER_TIME: "contradicted"}) for line in (GET, HEAD, PART, NOT_MODIFIED, ARCHIVED)),
        ([{"message": "already_archived"} | at(EARLY)], {OTHER_TIME: "contradicted"}),
        ([ARCHIVED | at(LATE)], {OTHER_TIME: "contradicted"}),
        ([FAILED, GET | {"bytes": "1999"} | at(EARLY)], {AFTER_FAILURE: "not_determined"}),
        ([GET | {"bytes": "many"}, GET | {"timestamp": "canary"}], {MALFORMED: "not_determined"}),
        ([GET, GET | {"bytes": "1999"}], {AGREE: "confirmed", OTHER_SIZE: "contradicted"}),
    ],
)
def test_log_lines_are_compared_with_the_version(lines: list[dict[str, str]], expected: dict[str, str]) -> None:
    assert {one.sentence.partition(":")[0]: one.outcome for one in compare_lines(lines)} == expected


WITHOUT_METHOD = {name: value for name, value in GET.items() if name != "method"}
CUT = f'but nothing after "{GET["timestamp"]}": a query returns 5 lines. Use --since.'


@pytest.mark.parametrize(
    ("served", "refusals", "expected"),
    [
        ([GET, WITHOUT_METHOD], 0, ("downloads", "confirmed", "downloads 2, HEAD 0, not modified 0.")),
        ([PART, HEAD, NOT_MODIFIED], 5, ("downloads", "confirmed", "downloads 1, HEAD 1, not modified 1.")),
        ([GET] * 5, 0, ("downloads", "not_determined", f"downloads 5, HEAD 0, not modified 0, {CUT}")),
        ([GET] * 5, 2, ("refusals", "confirmed", "refusals 2.")),
        ([], 5, ("refusals", "not_determined", f"refusals 5, {CUT}")),
        ([GET | {"project_id": "prj_2"}], 0, ("project", "contradicted", 'It was served to another project, "prj_2".')),
    ],
)
def test_downloads_and_refusals_are_counted_apart(
    monkeypatch: pytest.MonkeyPatch, served: list[dict[str, str]], refusals: int, expected: tuple[str, str, str]
) -> None:
    monkeypatch.setattr("operate.evidence.comparison.LIMIT", 5)
    (one,) = compare_lines(served, [REFUSED | {"timestamp": GET["timestamp"]}] * refusals, expected[0])
    words = one.sentence.removeprefix(f"{COMPLETE.format(day='2026-01-01')} ")
    assert (one.subject, one.outcome, words) == expected


COMPLETE = "The log lines, complete since {day} 00:00:00 UTC, show:"
EARLIER = "Log lines before {day} 00:00:00 UTC have expired or were not asked for."


def midnight(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T00:00:00+00:00")


@pytest.mark.parametrize(
    ("created", "asked", "times", "is_missing"),
    [
        (("2026-05-01", "2026-05-01"), None, ("2026-05-01", "2026-05-01"), False),
        (("2026-01-01", "2026-07-01"), None, ("2026-01-01", "2026-07-01"), True),
        (("2026-05-01", "2026-05-01"), "2020-01-01", ("2020-01-01", "2026-05-01"), True),
        (("2026-05-01", "2026-05-01"), "2026-07-01", ("2026-07-01", "2026-07-01"), True),
        (("2026-05-01", "2026-05-01"), "2026-05-02", ("2026-05-02", "2026-05-02"), False),
    ],
    ids=["all kept", "a group made again", "asked for more", "asked for less", "asked for enough"],
)
def test_the_period_is_that_which_every_log_group_has(
    case: Case, created: tuple[str, str], asked: str | None, times: tuple[str, str], *, is_missing: bool
) -> None:
    start, complete = times
    server = case.log(since=groups(None, *map(midnight, created)))
    since = midnight(asked) if asked else None
    logs = read_logs(find_deployed(STACK.name, None), case.id, since)
    assert json.loads(server.requests[1].body)["startTime"] == midnight(start).timestamp()
    assert logs.since == midnight(complete)
    checks = list(check_logs(logs, "prj_1", certificate(), ARCHIVED_AT, since))
    counts = "downloads 0, HEAD 0, not modified 0."
    assert confirm("downloads", f"{COMPLETE.format(day=complete)} {counts}") in checks
    assert (leave_open("earlier logs", EARLIER.format(day=complete)) in checks) == is_missing


def test_lines_that_a_group_no_longer_keeps_are_not_in_the_period(case: Case) -> None:
    case.log(since=groups(days=30))
    logs = read_logs(find_deployed(STACK.name, None), case.id, datetime(2020, 1, 1, tzinfo=UTC))
    assert logs.until - logs.since == timedelta(days=30)


def test_the_period_is_compared_with_the_oldest_known_time(case: Case) -> None:
    case.seed(createdAt={"S": "2026-04-01T00:00:00Z"})
    case.archive(unsigned())
    case.log(since=groups(None, midnight("2026-05-01"), midnight("2026-05-01")))
    assert case.check("earlier logs") == [leave_open("earlier logs", EARLIER.format(day="2026-05-01"))]
