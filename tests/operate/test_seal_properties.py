"""Properties of seals, on a bucket in memory: each certificate is sealed once, and every change of what was sealed is
found on every run."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import example
from hypothesis import strategies as st

from develop.local.time_stamps import TimeStampAuthority
from operate.seals.seals import Seal, Seals, find_root, write_header, write_list
from operate.seals.time_stamp import TimeStamp
from tests.support.examples import given
from tests.support.time_stamp_authority import stamp, trust
from tests.support.versioned_s3 import VersionedS3

AUTHORITY = cache(TimeStampAuthority)


@pytest.fixture(autouse=True, scope="module")
def read_each_token_once() -> Iterator[None]:
    """The libraries take most of the time."""
    read = TimeStamp.read
    read_once = cache(lambda token: read(token, trust(AUTHORITY())))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimeStamp, "read", lambda token, *_: read_once(token))
        yield


@cache
def stamp_once(imprint: bytes) -> TimeStamp:
    return stamp(imprint, AUTHORITY())


def run(s3: Any, *, renew: bool = False) -> set[tuple[str, str]]:
    """Returns the contradictions."""
    problems = set()
    Seals(s3, "bucket", trust(AUTHORITY()), lambda *problem: problems.add(problem)).seal(stamp_once, renew=renew)
    return problems


def archive(s3: VersionedS3, count: int) -> None:
    for number in range(len(s3.versions), len(s3.versions) + count):
        s3.put(f"prj_1/{number}.pdf", b"%PDF-" + bytes(number))


def sealed(s3: VersionedS3) -> Counter[str]:
    """How often each certificate is listed."""
    lists = [versions[-1]["content"] for key, versions in s3.versions.items() if key.endswith(".jsonl")]
    keys = [json.loads(line).get("key", ".") for one in lists for line in one.splitlines()]
    return Counter(key for key in keys if not key.startswith("."))


def interrupted(tick: int, act: Callable[[VersionedS3], None], *, renew: bool) -> VersionedS3:
    """A bucket with one seal, in which a second run was interrupted at a call: `s3.ticks` counts its calls."""
    s3 = VersionedS3()
    archive(s3, 2)
    run(s3)
    archive(s3, 2)
    s3.interrupt(tick, partial(act, s3))
    with suppress(Killed):
        run(s3, renew=renew)
    return s3


class Killed(BaseException):
    """The process has ended."""


def kill(_: VersionedS3) -> None:
    raise Killed


def meet(s3: VersionedS3) -> None:
    """Two more runs begin and end, each with a certificate more to seal."""
    for _ in range(2):
        s3.interrupt(0, lambda: None)
        archive(s3, 1)
        run(s3)


@pytest.mark.fault("seal-killed")
@pytest.mark.threat("lost-certificate")
@pytest.mark.parametrize(("act", "renew"), [(kill, False), (kill, True), (meet, False)])
def test_runs_that_are_killed_or_meet_at_any_call_seal_each_certificate_once(
    act: Callable[[VersionedS3], None],
    renew: bool,  # noqa: FBT001
) -> None:
    calls = interrupted(0, act, renew=renew).ticks
    assert calls > 10
    for tick in range(1, calls + 1):
        s3 = interrupted(tick, act, renew=renew)
        s3.interrupt(0, lambda: None)
        assert run(s3) == set()
        assert sealed(s3) == Counter(key for key in s3.versions if not key.startswith("."))
        lists, tokens = ({key[: -len(end)] for key in s3.versions if key.endswith(end)} for end in (".jsonl", ".tst"))
        assert lists == tokens
        assert all(len(versions) == 1 for versions in s3.versions.values())


def make_sealed() -> VersionedS3:
    """Three seals; the second has renewed the first."""
    s3 = VersionedS3()
    for renew in (False, True, False):
        archive(s3, 3)
        assert run(s3, renew=renew) == set()
    return s3


HEADER = write_header(1, None)
FACTS: dict[str, Any] = {"key": "prj_1/1.pdf", "version": "v", "size": 5, "sha256": 64 * "0"}


@pytest.mark.threat("wrong-bytes")
@pytest.mark.parametrize(
    "lines",
    [
        [write_header(2, None)],
        [HEADER, *[json.dumps(FACTS).encode()] * 2],
        [HEADER, json.dumps(FACTS, separators=(",", ":")).encode()],
        [HEADER, b"[" * 100_000],
        *(
            [HEADER, json.dumps(FACTS | fact).encode()]
            for fact in ({"key": ["a"]}, {"version": 5}, {"size": 5.0}, {"sha256": 64 * "z"}, {"more": 1})
        ),
    ],
)
def test_a_stamped_list_in_another_form_is_not_a_seal(lines: list[bytes]) -> None:
    def parse(lines: list[bytes]) -> Seal | None:
        return Seal.parse(1, write_list(lines, stamp_once(find_root(lines)[0]).token), trust(AUTHORITY()))

    assert parse([HEADER, json.dumps(FACTS).encode()])
    assert parse(lines) is None


def test_a_renewal_has_the_token_that_a_killed_run_has_left_out() -> None:
    s3 = make_sealed()
    del s3.versions[NEWEST_TOKEN]
    s3.put(".seals/00000009.txt", b"")  # no object of a seal
    assert run(s3, renew=True) == set()
    lines = s3.versions[".seals/00000004.jsonl"][-1]["content"].splitlines()
    assert [json.loads(line)["key"] for line in lines[1:-1]] == [f".seals/{number:08}.tst" for number in (1, 2, 3)]


LISTS = [f".seals/{number:08}.jsonl" for number in (1, 2, 3)]
NEWEST_TOKEN = ".seals/00000003.tst"  # noqa: S105


def delete(s3: VersionedS3, key: str) -> None:
    del s3.versions[key]


def hide(s3: VersionedS3, key: str) -> None:
    s3.put(key, None)


def overwrite(s3: VersionedS3, key: str) -> None:
    s3.put(key, b"")


def replace(s3: VersionedS3, key: str) -> None:
    """As if only one version had ever been there."""
    s3.put(key, s3.versions.pop(key)[0]["content"] + b" ")


@pytest.mark.threat("lost-certificate", "wrong-bytes")
@pytest.mark.parametrize("change", [delete, hide, overwrite, replace])
def test_each_object_that_is_missing_hidden_or_replaced_is_named_on_every_run(
    change: Callable[[VersionedS3, str], None],
) -> None:
    for key in make_sealed().versions:
        if (change, key) == (delete, NEWEST_TOKEN):
            continue  # as a killed run leaves it
        s3 = make_sealed()
        change(s3, key)
        for _ in range(2):
            problems = run(s3)
            assert key in {named for _, named in problems}
            assert change in (delete, replace) or problems == {("altered", key)}
            archive(s3, 1)


@pytest.mark.parametrize("number", [1, 2])
def test_a_whole_seal_that_is_missing_is_named_on_every_run(number: int) -> None:
    s3 = make_sealed()
    keys = [f".seals/{number:08}{end}" for end in (".jsonl", ".tst")]
    for key in keys:
        delete(s3, key)
    for _ in range(2):
        assert {("missing", key) for key in keys} <= run(s3)
        archive(s3, 1)


def test_a_seal_that_was_made_again_with_other_certificates_breaks_the_chain() -> None:
    s3, other = make_sealed(), VersionedS3()
    for count in (3, 1):
        archive(other, count)
        assert run(other) == set()
    for key in (".seals/00000002.jsonl", ".seals/00000002.tst"):
        s3.versions[key][0]["content"] = other.versions[key][0]["content"]
    for _ in range(2):
        assert ("broken_chain", ".seals/00000003.jsonl") in run(s3)
        archive(s3, 1)


def test_a_certificate_that_was_sealed_again_in_place_of_another_is_named() -> None:
    """While the list that has the first one was away."""
    s3, key = make_sealed(), "prj_1/0.pdf"
    first = s3.versions.pop(LISTS[0])
    replace(s3, key)
    assert ("missing", LISTS[0]) in run(s3)
    s3.versions[LISTS[0]] = first
    for _ in range(2):
        assert run(s3) == {("altered", key)}


@pytest.mark.threat("wrong-bytes")
@given(st.sampled_from(LISTS), st.integers(0, 5000), st.integers(0, 200), st.binary(max_size=2))
@example(LISTS[0], -2, 0, b" ")
@example(LISTS[1], -4, 0, b"!")
def test_no_byte_of_a_list_can_be_changed_removed_or_inserted(key: str, start: int, length: int, new: bytes) -> None:
    s3 = make_sealed()
    content = s3.versions[key][0]["content"]
    start %= len(content)
    changed = content[:start] + new + content[start + length :]
    s3.versions[key][0]["content"] = changed
    assert (changed == content) == (run(s3) == set())


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def find_root_as_defined(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return sha256(b"\0", leaves[0])
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1", find_root_as_defined(leaves[:half]), find_root_as_defined(leaves[half:]))


@pytest.mark.parametrize("count", [*range(1, 18), 31, 32, 33, 100])
def test_each_path_leads_to_the_root_that_the_rfc_defines(count: int) -> None:
    leaves = [b"%d" % number for number in range(count)]
    for index, leaf in enumerate(leaves):
        root, path = find_root(leaves, index)
        node = sha256(b"\0", leaf)
        for side, sibling in path:
            other = bytes.fromhex(sibling)
            node = sha256(b"\1", other, node) if side == "left" else sha256(b"\1", node, other)
        assert node == root == find_root_as_defined(leaves)
