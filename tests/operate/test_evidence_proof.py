"""`certificates evidence`: seals and holds."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from develop.local.time_stamps import NAME, TimeStampAuthority
from operate.holds import Holds
from operate.seals.seals import Seals
from operate.stack import find_deployed
from tests.support.deployed import S3
from tests.support.evidence import ARCHIVED_AT, Case, forge, make_case, make_cases, run_readme  # noqa: F401
from tests.support.signed_pdf import unsigned
from tests.support.stack import STACK
from tests.support.time_stamp_authority import stamp, trust

AUTHORITY = TimeStampAuthority()
ENDED = TimeStampAuthority(days=-1)
ENDED_LATER = TimeStampAuthority(days=-0.5)
SEALED_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=48)
SEALED = f'Sealed at {SEALED_AT:%Y-%m-%d %H:%M:%S} UTC by "{NAME}"'


@pytest.fixture(name="archive")
def make_archive(case: Case, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """An archived certificate, and no seal or hold yet. S3 stores one object a second."""
    Path("root.pem").write_bytes(AUTHORITY.root + ENDED.root + ENDED_LATER.root)
    seconds = itertools.count()
    now = lambda: ARCHIVED_AT.replace(tzinfo=None) + timedelta(seconds=next(seconds))  # noqa: E731
    monkeypatch.setattr("moto.s3.models.utcnow", now)
    case.seed()
    case.archive(unsigned())
    yield case
    delete(case, "")


def seal(case: Case, authority: TimeStampAuthority = AUTHORITY, hours: int = 0, *, renew: bool = False) -> None:
    """Seals what no seal has, so many hours after the first seal."""
    seals = Seals(S3, case.bucket, trust(AUTHORITY, ENDED, ENDED_LATER), lambda *_: None)
    seals.seal(partial(stamp, authority=authority, time=SEALED_AT + timedelta(hours=hours)), renew=renew)


def delete(case: Case, prefix: str) -> None:
    """Deletes all versions and delete markers."""
    listed = S3.list_object_versions(Bucket=case.bucket, Prefix=prefix)
    for one in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
        names: Any = {"Bucket": case.bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
        if "Size" in one:
            S3.put_object_legal_hold(**names, LegalHold={"Status": "OFF"})
        S3.delete_object(**names, BypassGovernanceRetention=True)


def replace(case: Case) -> None:
    delete(case, case.key)
    case.archive(unsigned() + b"%")


def lose_token(case: Case) -> None:
    """After another seal: of the newest, a token may be missing."""
    S3.put_object(Bucket=case.bucket, Key="prj_1/other.pdf", Body=b"", ChecksumAlgorithm="SHA256")
    seal(case)
    delete(case, ".seals/00000001.tst")


def find_check(case: Case, subject: str, *options: str) -> tuple[str, str]:
    _, found = case.collect("--tsa-ca", "root.pem", *options)
    (check,) = [one for one in found["checks"] if one["subject"] == subject]
    return check["outcome"], check["sentence"]


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize("authority", [AUTHORITY, ENDED], ids=["valid", "ended after it was renewed"])
def test_a_sealed_certificate_is_proven_from_its_own_bytes_by_openssl(
    archive: Case, authority: TimeStampAuthority
) -> None:
    for name in ("0-secret-id", "secret-id"):  # the hashes on the path are on both sides
        S3.put_object(Bucket=archive.bucket, Key=f"prj_1/{name}.pdf", Body=b"", ChecksumAlgorithm="SHA256")
    seal(archive, authority)
    seal(archive, hours=12, renew=True)
    renewed = f'{SEALED_AT + timedelta(hours=12):%Y-%m-%d %H:%M:%S} UTC by "{NAME}"'
    sentence = f"{SEALED}; its time stamp was stamped again at {renewed}."
    assert find_check(archive, "seal") == ("confirmed", sentence)
    found = json.loads(Path("out/evidence.json").read_text())
    tokens = [Path(f"out/{name}.tst").read_bytes() for name in ("seal", "renewal-1")]
    facts = found["certificate"]
    assert [list(one.values()) for one in found["seals"]] == [
        [".seals/00000001.jsonl", facts["versionId"], facts["size"], facts["sha256Computed"], *found_at(0)],
        [".seals/00000002.jsonl", *stored(archive, ".seals/00000001.tst", tokens[0]), *found_at(12)],
    ]
    assert "secret-id" not in "".join(file.read_text(errors="replace") for file in Path("out").iterdir())
    assert run_readme() == 0
    forge(Path("out", facts["file"]), unsigned() + b"%")
    assert run_readme() != 0


def test_a_renewal_is_renewed(archive: Case) -> None:
    """The first two authorities ended 24 and 36 hours after the seal. Only the renewals that are needed are shown."""
    seal(archive, ENDED)
    for hours, authority in ((6, ENDED_LATER), (12, ENDED_LATER), (26, AUTHORITY), (30, AUTHORITY)):
        seal(archive, authority, hours, renew=True)
    words = "; its time stamp was stamped again at ".join(
        f'{SEALED_AT + timedelta(hours=hours):%Y-%m-%d %H:%M:%S} UTC by "{NAME}"' for hours in (0, 12, 30)
    )
    assert find_check(archive, "seal") == ("confirmed", f"Sealed at {words}.")
    assert [one["list"] for one in json.loads(Path("out/evidence.json").read_text())["seals"]] == [
        f".seals/0000000{number}.jsonl" for number in (1, 3, 5)
    ]
    assert run_readme() == 0


def test_a_certificate_that_only_an_untrusted_seal_had_is_sealed_again(archive: Case) -> None:
    seal(archive, TimeStampAuthority())
    seal(archive, hours=12, renew=True)
    time = SEALED_AT + timedelta(hours=12)
    assert find_check(archive, "seal") == ("confirmed", f'Sealed at {time:%Y-%m-%d %H:%M:%S} UTC by "{NAME}".')


@pytest.mark.threat("wrong-bytes")
def test_a_seal_that_took_the_place_of_a_renewed_one_confirms_nothing(archive: Case) -> None:
    """Even if someone can make its authority's time stamps. The renewal of the former seal does not renew it."""
    seal(archive)
    seal(archive, hours=12, renew=True)
    renewal = [S3.get_object(Bucket=archive.bucket, Key=f".seals/00000002.{end}")["Body"].read() for end in ENDS]
    delete(archive, "")
    archive.archive(unsigned() + b"%")
    seal(archive, hours=1)
    for end, body in zip(ENDS, renewal, strict=True):
        S3.put_object(Bucket=archive.bucket, Key=f".seals/00000002.{end}", Body=body)
    outcome, sentence = find_check(archive, "seal")
    assert (outcome, sentence.endswith(": .seals/00000002.jsonl (broken_chain).")) == ("contradicted", True)
    (shown,) = json.loads(Path("out/evidence.json").read_text())["seals"]
    assert shown["list"] == ".seals/00000001.jsonl"


ENDS = ("jsonl", "tst")


def found_at(hours: int) -> list[str]:
    return [f"{SEALED_AT + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}", NAME]


def stored(case: Case, key: str, content: bytes) -> list[Any]:
    version = S3.head_object(Bucket=case.bucket, Key=key)["VersionId"]
    return [version, len(content), hashlib.sha256(content).hexdigest()]


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replace, "with another size or SHA-256."),
        (lambda case: delete(case, case.key), "the archive does not have it now."),
        (
            lambda case: S3.delete_object(Bucket=case.bucket, Key=".seals/00000001.jsonl"),
            "its seal is not as it was: .seals/00000001.jsonl (altered).",
        ),
        (lose_token, "its seal is not as it was: .seals/00000001.tst (missing)."),
    ],
    ids=["replaced", "deleted", "hidden list", "lost token"],
)
def test_what_differs_from_the_seal_is_a_contradiction(
    archive: Case, change: Callable[[Case], object], words: str
) -> None:
    seal(archive)
    change(archive)
    assert find_check(archive, "seal") == ("contradicted", f"{SEALED}, but {words}")


def test_a_certificate_that_was_restored_is_still_sealed(archive: Case) -> None:
    seal(archive)
    delete(archive, archive.key)
    archive.archive(unsigned())
    outcome, sentence = find_check(archive, "seal")
    (shown,) = json.loads(Path("out/evidence.json").read_text())["seals"]
    words = f'{SEALED} as version "{shown["versionId"]}", which this one has replaced since.'
    assert (outcome, sentence, run_readme()) == ("confirmed", words, 0)


def test_a_certificate_without_a_seal_is_not_accused(archive: Case) -> None:
    assert find_check(archive, "seal") == ("not_determined", "It is not sealed yet.")


def test_a_seal_that_is_lost_is_named(archive: Case) -> None:
    seal(archive)
    delete(archive, ".seals/00000001.jsonl")
    words = "No seal that can be read has it. Missing or altered objects of seals: 1, the first is "
    assert find_check(archive, "seal") == ("not_determined", f'{words}".seals/00000001.jsonl".')
    assert "ts -verify" not in Path("out/README.txt").read_text()


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    ("authority", "renewed_after", "words"),
    [
        (TimeStampAuthority(), None, "its authority is not trusted, or a certificate has expired"),
        (ENDED, None, "a certificate of its authority expired before it was stamped again"),
        (ENDED, 36, "a certificate of its authority expired before it was stamped again"),
    ],
    ids=["another authority", "ended", "renewed too late"],
)
def test_a_time_stamp_that_does_not_convince_proves_and_accuses_nothing(
    archive: Case, authority: TimeStampAuthority, renewed_after: int | None, words: str
) -> None:
    seal(archive, authority)
    if renewed_after:
        seal(archive, hours=renewed_after, renew=True)
    expected = "not_determined", f"{SEALED}, but the time stamp does not convince: {words}."
    assert find_check(archive, "seal") == expected
    assert not Path("out/seal.tst").exists()
    replace(archive)
    assert find_check(archive, "seal", "--out", "again") == expected


BY = "arn:aws:sts::123456789012:user/moto"


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        ("ON", "confirmed", "S3 has a legal hold on this version."),
        ("OFF", "contradicted", "S3 has no legal hold on this version, although it was not released."),
    ],
)
def test_holds_are_shown_with_who_set_them_and_why(
    archive: Case, status: Literal["ON", "OFF"], outcome: str, words: str
) -> None:
    holds = Holds(find_deployed(STACK.name, None))
    for scope in (archive.key, "prj_1/"):
        holds.change(scope, "set", "case 7")
    S3.put_object_legal_hold(Bucket=archive.bucket, Key=archive.key, LegalHold={"Status": status})
    found = find_check(archive, "hold")
    shown = json.loads(Path("out/evidence.json").read_text())["holds"]
    times = [one.pop("at") for one in shown]
    facts = {"action": "set", "reason": "case 7", "by": BY, "isCompleted": True}
    assert shown == [{"scope": scope} | facts for scope in ("signature_request", "project")]
    set_at = f"{times[1][:10]} {times[1][11:19]} UTC"
    assert found == (outcome, f'{words} The hold was set at {set_at} by "{BY}", because "case 7".')


def test_holds_that_can_not_be_read_are_stated(archive: Case) -> None:
    S3.put_object(Bucket=archive.bucket, Key=".holds/prj_1/000001.json", Body=b"{}")
    sentence = 'The holds could not be read: ".holds/prj_1/000001.json is not a record of a hold.".'
    assert find_check(archive, "holds") == ("not_determined", sentence)
