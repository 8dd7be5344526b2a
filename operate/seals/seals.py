"""The seals of an archive, each a list of objects with a time stamp over all of it.

`.seals/00000007.jsonl` has a header, which names the token of the seal before, a line for each object, and the token in
its last line. Each line but the last is a leaf of a Merkle tree, whose root the token stamps. The list is created by one
write, so a seal exists completely or not at all. `.seals/00000007.tst` is the token again, for OpenSSL and as a witness
of the list; if a run was killed before it was created, the next run creates it.
"""

import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import batched, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from certificates.archive import Archive
from certificates.aws import error_code
from operate.seals.merkle import find_root, hash_leaf
from operate.seals.time_stamp import Certificates, InvalidTimeStamp, TimeStamp
from operate.stack import CONNECTIONS, check_pages

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = ".seals/"
_NAME = re.compile(r"\.seals/([0-9]{8})\.(?:jsonl|tst)")
_TOGETHER = 1000
_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict"}

Report = Callable[[str, str], None]
"""Called with a problem and the key that has it."""


class Stored(NamedTuple):
    """The oldest version of a key. `is_altered` if it is not the only one, or there is a delete marker."""

    key: str
    version: str
    size: int
    created: datetime
    is_altered: bool


@dataclass(frozen=True)
class Seal:
    """`lines` are the leaves. `previous` is the SHA-256 of the token of the seal before, in hexadecimal digits."""

    number: int
    created: datetime
    previous: str | None
    lines: Sequence[bytes]
    stamp: TimeStamp

    @classmethod
    def parse(cls, number: int, created: datetime, content: bytes) -> "Seal":
        """Raises ValueError unless the list is the one that was stamped."""
        try:
            *lines, last = content.splitlines()
            header = json.loads(lines[0])
            stamp = TimeStamp.parse(b64decode(json.loads(last)["token"]))
            is_stamped = find_root(map(hash_leaf, lines)) == stamp.imprint
            seal = cls(number, created, header["previous"], lines, stamp)
            if is_stamped and header["seal"] == number and content == write_list(lines, stamp.token):
                return seal
        except (InvalidTimeStamp, LookupError, TypeError, ValueError) as error:
            raise ValueError from error
        raise ValueError

    def objects(self) -> Iterator[tuple[str, str, int, str]]:
        """Yields key, version, size and SHA-256 of each."""
        for line in self.lines[1:]:
            yield tuple(json.loads(line).values())


def list_stored(s3: "S3Client", bucket: str, prefix: str = "") -> Iterator[Stored]:
    """Yields the keys that have a version, in order."""

    def list_entries() -> Iterator[tuple[str, object]]:
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        for page in check_pages(pages):
            entries = [(one["Key"], one) for one in page.get("Versions", [])]
            entries += [(one["Key"], None) for one in page.get("DeleteMarkers", [])]
            yield from sorted(entries, key=itemgetter(0))

    for key, entries in groupby(list_entries(), key=itemgetter(0)):
        found = [one for _, one in entries]
        versions = [one for one in found if one]
        if versions:
            oldest = versions[-1]  # S3 lists the newest first
            yield Stored(key, oldest["VersionId"], oldest["Size"], oldest["LastModified"], len(found) > 1)


def name_list(number: int) -> str:
    return f"{PREFIX}{number:08}.jsonl"


def name_token(number: int) -> str:
    return f"{PREFIX}{number:08}.tst"


def write_list(lines: Sequence[bytes], token: bytes) -> bytes:
    return b"\n".join([*lines, json.dumps({"token": b64encode(token).decode()}).encode(), b""])


class Seals:
    """The seals of an archive. `report` gets each contradiction that is found while they are read."""

    def __init__(self, s3: "S3Client", bucket: str, report: Report, trusted: Certificates) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._archive = Archive(s3, bucket)
        self._report = report
        self._trusted = trusted
        self._stored: dict[str, Stored] = {}
        self._last_token: bytes | None = None
        self.number = 0
        """The number of the newest seal."""
        self.newest: Seal | None = None
        """None if there is none, or its list is missing or altered."""
        self.not_renewed: dict[str, TimeStamp] = {}
        """By the key of the token."""

    def read(self) -> Iterator[Seal]:
        """Yields each seal whose list is the one that was stamped, the oldest first."""
        self._stored = {one.key: one for one in list_stored(self._s3, self._bucket, PREFIX) if _NAME.fullmatch(one.key)}
        self.number = max((int(_NAME.fullmatch(key)[1]) for key in self._stored), default=0)
        with ThreadPoolExecutor(CONNECTIONS) as readers:
            for numbers in batched(range(1, self.number + 1), CONNECTIONS, strict=False):
                lists = readers.map(self._read, map(name_list, numbers))
                tokens = readers.map(self._read, map(name_token, numbers))
                for number, content, token in zip(numbers, lists, tokens, strict=True):
                    if seal := self._check(number, content, token):
                        yield seal

    def find_unsealed(self) -> list[Stored]:
        """Compares the archive with all seals. Returns what none of them has."""
        sealed = {}
        for seal in self.read():
            for key, version, size, _ in seal.objects():
                sealed[key] = version, size
                self.not_renewed.pop(key, None)
            self.not_renewed[name_token(seal.number)] = seal.stamp
        unsealed = []
        for one in list_stored(self._s3, self._bucket):
            was = sealed.pop(one.key, None)
            if was is None and not one.key.startswith("."):
                unsealed.append(one)
            elif was and (one.is_altered or was != (one.version, one.size)):
                self._report("altered", one.key)
        for key in sealed:
            self._report("missing", key)
        return unsealed

    def complete(self) -> None:
        """Creates the token that a killed run has left out."""
        if self.newest and name_token(self.number) not in self._stored:
            self._create(name_token(self.number), self.newest.stamp.token)

    def create(self, unsealed: list[Stored], stamp: Callable[[bytes], TimeStamp], *, renew: bool) -> bool:
        """Seals objects, and with `renew` all tokens again. Returns False if another run was first."""
        number = self.number + 1
        previous = hashlib.sha256(self._last_token).hexdigest() if self._last_token else None
        lines = [json.dumps({"seal": number, "previous": previous}).encode()]
        tokens = [one for key, one in self._stored.items() if key.endswith(".tst") and renew]
        with ThreadPoolExecutor(CONNECTIONS) as readers:
            for some in batched(tokens + unsealed, _TOGETHER, strict=False):
                lines += readers.map(self._describe, some)
        stamped = stamp(find_root(map(hash_leaf, lines)))
        if not self._create(name_list(number), write_list(lines, stamped.token)):
            return False
        self._create(name_token(number), stamped.token)
        self.newest = Seal(number, stamped.time, previous, lines, stamped)
        self.not_renewed = {name: one for name, one in self.not_renewed.items() if not renew} | {
            name_token(number): stamped
        }
        return True

    def _read(self, key: str) -> bytes | None:
        one = self._stored.get(key)
        return self._archive.read_version(key, one.version).content if one else None

    def _check(self, number: int, content: bytes | None, token: bytes | None) -> Seal | None:
        list_key, token_key = name_list(number), name_token(number)
        for key in (list_key, token_key):
            if key in self._stored and self._stored[key].is_altered:
                self._report("altered", key)
        seal, before = None, self._last_token
        if content is None:
            self._report("missing", list_key)
        else:
            try:
                seal = Seal.parse(number, self._stored[list_key].created, content)
            except ValueError:
                self._report("wrong_list", list_key)
        self._last_token = seal.stamp.token if seal else token
        self.newest = seal
        if token not in (None, self._last_token):
            self._report("wrong_token", token_key)
        # The newest seal may be one whose run was killed.
        elif token is None and not (seal and number == self.number):
            self._report("missing", token_key)
        if seal:
            try:
                seal.stamp.verify(self._trusted, seal.stamp.time)
            except InvalidTimeStamp:
                self._report("untrusted_token", list_key)
        if seal and before and seal.previous != hashlib.sha256(before).hexdigest():
            self._report("broken_chain", list_key)
        return seal

    def _describe(self, one: Stored) -> bytes:
        """Makes a line. Reads an object only if S3 has no SHA-256 of it, or one of the checksums of its parts."""
        version = {"Bucket": self._bucket, "Key": one.key, "VersionId": one.version}
        sha256 = self._s3.head_object(**version, ChecksumMode="ENABLED").get("ChecksumSHA256", "")
        if len(sha256) != 44:
            content = self._archive.read_version(one.key, one.version).content
            sha256 = b64encode(hashlib.sha256(content).digest()).decode()
        facts = {"key": one.key, "version": one.version, "size": one.size, "sha256": b64decode(sha256).hex()}
        return json.dumps(facts).encode()

    def _create(self, key: str, content: bytes) -> bool:
        """Returns False if the key is there already."""
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType="application/jsonl" if key.endswith(".jsonl") else "application/vnd.etsi.timestamp-token",
                ChecksumAlgorithm="SHA256",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error_code(error) not in _LOST_RACE:
                raise
            return False
        return True
