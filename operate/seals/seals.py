"""The seals of an archive: each is a list of objects, with a time stamp over all of it.

`.seals/00000007.jsonl` has a header, which names the token of the seal before, a line for each object, and in its last
line the token. Each line but the last is a leaf of a Merkle tree, and the token stamps the root. One write creates it
all, so of several runs one wins, and none leaves a part. `.seals/00000007.tst` is the token again, for OpenSSL, and as
a witness of the list. The next run creates it for a run that was killed in between.
"""

import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import batched, groupby
from operator import itemgetter
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, Field

from certificates.archive import is_sha256
from certificates.certificate import Certificate
from operate.command_line import CannotRun
from operate.seals.time_stamp import Certificates, TimeStamp
from operate.stack import CONNECTIONS
from operate.versions import Versions

PREFIX = ".seals/"
_NAME = re.compile(r"\.seals/([0-9]{8})\.(jsonl|tst)")
_ATTEMPTS = 5
_TOGETHER = 1000


class Stored(NamedTuple):
    """The oldest version of a key. `is_altered` if it is not the only one, or there is a delete marker."""

    key: str
    version: str
    size: int
    created: datetime
    is_altered: bool


class Entry(BaseModel, strict=True, extra="forbid"):
    """A sealed object, as a line of a list. `sha256` is in hexadecimal digits."""

    key: str
    version: str
    size: int
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    def write(self) -> bytes:
        return json.dumps(self.model_dump()).encode()


class _Header(BaseModel, strict=True):
    seal: int
    previous: str | None


class _Token(BaseModel, strict=True):
    token: str


@dataclass(frozen=True)
class Seal:
    """`lines` are the leaves. `previous` is the SHA-256 of the token of the seal before."""

    number: int
    previous: str | None
    lines: Sequence[bytes]
    stamp: TimeStamp

    @classmethod
    def parse(cls, number: int, content: bytes, trusted: Certificates) -> Self | None:
        """Returns None unless the content is the list that was stamped, under its number, as this module writes it."""
        try:
            *lines, last = content.splitlines()
            stamp = TimeStamp.read(b64decode(_Token.model_validate_json(last).token), trusted)
            seal = cls(number, _Header.model_validate_json(lines[0]).previous, lines, stamp)
            keys = {one.key for one, line in zip(seal.entries(), lines[1:], strict=True) if one.write() == line}
        except (LookupError, ValueError):
            return None
        is_canonical = lines[0] == write_header(number, seal.previous) and len(keys) == len(lines) - 1
        is_stamped = find_root(lines)[0] == stamp.imprint and content == write_list(lines, stamp.token)
        return seal if is_canonical and is_stamped else None

    def entries(self) -> Iterator[Entry]:
        return map(Entry.model_validate_json, self.lines[1:])


def find_root(leaves: Iterable[bytes], index: int = 0) -> tuple[bytes, list[tuple[str, str]]]:
    """Makes a Merkle tree with the hashes of RFC 6962, section 2.1, in which a node can't pass for a leaf. Returns the
    root, and the path to it from the leaf at the index: at each node, "left" or "right" and the hash of
    the other child in hexadecimal digits.

    The last of an odd number of nodes moves up unchanged. The RFC defines the same tree from its root.
    """
    level, path = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves], []
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(("left" if index % 2 else "right", level[index ^ 1].hex()))
        pairs = batched(level, 2, strict=False)
        level = [hashlib.sha256(b"\1" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
        index //= 2
    return level[0], path


def write_header(number: int, previous: str | None) -> bytes:
    return json.dumps({"seal": number, "previous": previous}).encode()


def write_list(lines: Sequence[bytes], token: bytes) -> bytes:
    return b"\n".join([*lines, json.dumps({"token": b64encode(token).decode()}).encode(), b""])


class Seals:
    """`report` gets the problem and the key of each contradiction that is found."""

    def __init__(self, s3: Any, bucket: str, trusted: Certificates, report: Callable[[str, str], None]) -> None:
        self._s3, self._bucket, self._archive = s3, bucket, Versions(s3, bucket)
        self._trusted, self._report = trusted, report
        self._stored: dict[str, Stored] = {}
        self._last_token: bytes | None = None
        self.number = 0
        self.newest: TimeStamp | None = None
        """That of the seal `number`. None if there is no seal, or its list is missing or altered."""
        self.ends: datetime | None = None
        """When the first time stamp ends that was not stamped again."""

    def read(self) -> Iterator[Seal]:
        """Yields each seal, the oldest first, unless its list is not the one that was stamped."""
        self._stored, self._last_token = {one.key: one for one in self._list(PREFIX)}, None
        for one in self._stored.values():
            if one.is_altered:
                self._report("altered", one.key)
        self.number = max((int(match[1]) for match in map(_NAME.fullmatch, self._stored) if match), default=0)
        with ThreadPoolExecutor(CONNECTIONS) as readers:
            for some in batched(range(1, self.number + 1), CONNECTIONS, strict=False):
                lists, tokens = (readers.map(self._read, some, [kind] * len(some)) for kind in ("jsonl", "tst"))
                for number, content, token in zip(some, lists, tokens, strict=True):
                    if seal := self._check(number, content, token):
                        yield seal

    def find_unsealed(self, *, only_trusted: bool) -> list[Stored]:
        """Compares the archive with its seals. Returns the certificates that no seal has, or no trusted one."""
        sealed: dict[str, tuple[str, int]] = {}
        unsealed, self.ends = [], None
        for seal in self.read():
            if seal.stamp.problem and only_trusted:
                continue
            is_renewal = False
            for one in seal.entries():
                sealed.setdefault(one.key, (one.version, one.size))
                is_renewal = is_renewal or one.key.startswith(PREFIX)
            if not seal.stamp.problem:
                self.ends = min(seal.stamp.ends, (not is_renewal and self.ends) or seal.stamp.ends)
        for stored in self._list(""):
            facts = sealed.pop(stored.key, None)
            if facts is None and not stored.key.startswith("."):
                unsealed.append(stored)
            if stored.is_altered or facts not in {None, (stored.version, stored.size)}:
                self._report("altered", stored.key)
        for key in sealed:
            self._report("missing", key)
        return unsealed

    def seal(self, stamp: Callable[[bytes], TimeStamp], *, renew: bool) -> int:
        """Seals the certificates that no seal has; with `renew` also those that only untrusted seals have, and the
        tokens of all seals. Returns how many certificates. `stamp` makes the time stamp of a SHA-256."""
        for _ in range(_ATTEMPTS):
            unsealed = self.find_unsealed(only_trusted=renew)
            if self.newest and name_object(self.number, "tst") not in self._stored:
                self._archive.create_object(name_object(self.number, "tst"), self.newest.token)
                continue  # a renewal has this token, too
            if not (unsealed or renew) or self._add(unsealed, stamp, renew=renew):
                return len(unsealed)
        raise CannotRun("Other runs are sealing at the same time. Run it again.")

    def _add(self, unsealed: list[Stored], stamp: Callable[[bytes], TimeStamp], *, renew: bool) -> bool:
        """Returns False if another run was first."""
        tokens = [one for one in self._stored.values() if one.key.endswith(".tst") and renew]
        previous = hashlib.sha256(self._last_token).hexdigest() if self._last_token else None
        self.number += 1
        lines = [write_header(self.number, previous)]
        with ThreadPoolExecutor(CONNECTIONS) as readers:
            for some in batched(tokens + unsealed, _TOGETHER, strict=False):
                lines += readers.map(self._describe, some)
        self.newest = stamp(find_root(lines)[0])
        if not self._archive.create_object(name_object(self.number, "jsonl"), write_list(lines, self.newest.token)):
            return False
        self.ends = min(self.newest.ends, (not renew and self.ends) or self.newest.ends)
        self._archive.create_object(name_object(self.number, "tst"), self.newest.token)
        return True

    def _list(self, prefix: str) -> Iterator[Stored]:
        """Yields the keys that have a version, in order."""
        for key, entries in groupby(self._archive.list_versions(prefix), key=itemgetter("Key")):
            found = list(entries)
            for one in [one for one in found if "Size" in one][-1:]:
                yield Stored(key, one["VersionId"], one["Size"], one["LastModified"], is_altered=len(found) > 1)

    def _read(self, number: int, kind: str) -> bytes | None:
        one = self._stored.get(name_object(number, kind))
        return self._archive.read_version(one.key, one.version).content if one else None

    def _check(self, number: int, content: bytes | None, token: bytes | None) -> Seal | None:
        list_key, token_key = name_object(number, "jsonl"), name_object(number, "tst")
        before, seal = self._last_token, Seal.parse(number, content or b"", self._trusted)
        self.newest, self._last_token = (seal.stamp, seal.stamp.token) if seal else (None, token)
        # A run that was killed leaves the newest list without its token.
        is_incomplete = token is None and seal is not None and number == self.number
        problems = {
            ("missing", list_key): content is None,
            ("missing", token_key): token is None and not is_incomplete,
            ("wrong_list", list_key): content is not None and seal is None,
            ("wrong_token", token_key): token not in (None, self._last_token),
            ("broken_chain", list_key): seal and before and seal.previous != hashlib.sha256(before).hexdigest(),
            ("untrusted", list_key): seal and seal.stamp.problem is not None,
        }
        for problem in (problem for problem, is_found in problems.items() if is_found):
            self._report(*problem)
        return seal

    def _describe(self, one: Stored) -> bytes:
        """Makes a line. Reads an object only if S3 has no SHA-256 of it, or one of the checksums of its parts."""
        stored = self._s3.head_object(Bucket=self._bucket, Key=one.key, VersionId=one.version, ChecksumMode="ENABLED")
        found = stored.get("ChecksumSHA256")
        if not is_sha256(found):
            found = Certificate(self._archive.read_version(one.key, one.version).content).sha256
        return Entry(key=one.key, version=one.version, size=one.size, sha256=b64decode(found).hex()).write()


def name_object(number: int, kind: str) -> str:
    """Returns the key of a list (jsonl) or a token (tst)."""
    return f"{PREFIX}{number:08}.{kind}"
