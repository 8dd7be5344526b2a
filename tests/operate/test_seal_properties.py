"""Properties of the seals, on a bucket in memory: no run loses a certificate or seals it twice, and no change of a seal
goes unnoticed."""

import hashlib
import json
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from asn1crypto import tsp
from hypothesis import strategies as st

from develop.local.time_stamps import TimeStampAuthority
from operate.seals.merkle import find_root
from operate.seals.seals import Seals
from operate.seals.time_stamp import TimeStamp, find_trusted
from tests.support.examples import bounded, given
from tests.support.versioned_s3 import Killed, VersionedS3, kill

make_authority = cache(TimeStampAuthority)
ATTEMPTS = 5


@cache
def trusted() -> Any:
    return find_trusted(None, make_authority().root)


def stamp(imprint: bytes) -> TimeStamp:
    hashed = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint}
    query = tsp.TimeStampReq({"version": 1, "message_imprint": hashed}).dump()
    token = tsp.TimeStampResp.load(make_authority().answer(query))["time_stamp_token"].dump()
    return TimeStamp.read(token, trusted())


def run(s3: VersionedS3, *, renew: bool = False) -> set[tuple[str, str]]:
    """Seals, as the command does. Returns the contradictions."""
    problems = set()
    for _ in range(ATTEMPTS):
        seals = Seals(s3, "bucket", trusted(), lambda *problem: problems.add(problem))
        unsealed = seals.find_unsealed()
        seals.complete()
        if not (unsealed or renew) or seals.create(unsealed, stamp, renew=renew):
            return problems
    raise AssertionError


def sealed(s3: VersionedS3) -> Counter[str]:
    """How often each certificate is sealed, by the lists alone."""
    lists = [versions[-1]["content"] for key, versions in s3.versions.items() if key.endswith(".jsonl")]
    keys = [json.loads(line).get("key", ".") for one in lists for line in one.splitlines()]
    return Counter(key for key in keys if not key.startswith("."))


def archive(s3: VersionedS3, count: int) -> None:
    for number in range(len(s3.versions), len(s3.versions) + count):
        s3.put(f"prj_1/{number}.pdf", b"%PDF-" + bytes(number))


def check(s3: VersionedS3) -> None:
    certificates = [key for key in s3.versions if not key.startswith(".")]
    assert run(s3) == set()
    assert sealed(s3) == Counter(certificates)
    lists, tokens = ({key[: -len(end)] for key in s3.versions if key.endswith(end)} for end in (".jsonl", ".tst"))
    assert lists == tokens
    assert all(len(versions) == 1 for versions in s3.versions.values())


def test_a_run_that_is_killed_or_meets_others_at_any_call_seals_each_certificate_once():
    for renew in (False, True):
        s3 = VersionedS3()
        archive(s3, 2)
        run(s3)
        archive(s3, 2)
        s3.interrupt(0, kill)
        run(s3, renew=renew)
        print(s3.ticks)
        for tick in range(1, s3.ticks + 1):
            for other in (kill, "meet", "meet killed"):
                s3 = VersionedS3()
                archive(s3, 2)
                run(s3)
                archive(s3, 2)

                def act():
                    if other == kill:
                        kill()
                    s3.interrupt(0, kill)
                    archive(s3, 1)
                    run(s3)

                s3.interrupt(tick, act)
                try:
                    run(s3, renew=renew)
                except Killed:
                    pass
                s3.interrupt(0, kill)
                check(s3)
