"""Proves with seals that an object existed at a time, by commands of coreutils and OpenSSL."""

import hashlib
import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from asn1crypto.pem import armor

from operate.seals.seals import Seal, find_root, name_object
from operate.seals.time_stamp import TimeStamp

_COMMANDS = """\
    sha256=$(sha256sum <{file} | head -c 64)
    hash=$(printf '\\000%s' {before}"$(wc -c <{file})"', "sha256": "'"$sha256"'"}}' | sha256sum | head -c 64)
    node() {{ {{ printf '\\001'; printf %s "$1$2" | tr a-f A-F | basenc -d --base16; }} | sha256sum | head -c 64; }}
{steps}    openssl ts -verify -digest "$hash" -in {name}.tst -token_in -CAfile {name}.pem -partial_chain{moment}
"""


@dataclass(frozen=True)
class Proof:
    """A sealed object, and its path (see `find_root`) to the root that the time stamp stamps."""

    seal: int
    key: str
    version: str
    size: int
    sha256: str
    path: list[tuple[str, str]]
    stamp: TimeStamp

    def write_files(self, name: str) -> dict[str, bytes]:
        """The token, and the certificates that OpenSSL also needs: those from a trusted authority to its signer."""
        issuers = self.stamp.path[:-1] or self.stamp.path
        return {
            f"{name}.tst": self.stamp.token,
            f"{name}.pem": b"".join(armor("CERTIFICATE", one.dump()) for one in issuers),
        }

    def write_commands(self, name: str, file: str, renewal: "Proof | None" = None) -> str:
        """The object is in the file. OpenSSL judges the time stamp as of its renewal or, without one, of now."""
        before = json.dumps({"key": self.key, "version": self.version, "size": 0})[:-2]
        steps = [f'"$hash" {one}' if side == "right" else f'{one} "$hash"' for side, one in self.path]
        return _COMMANDS.format(
            file=file,
            name=name,
            before=shlex.quote(before),
            steps="".join(f"    hash=$(node {step})\n" for step in steps),
            moment=f" -attime {int(renewal.stamp.time.timestamp())}" if renewal else "",
        )


def name_proof(number: int) -> str:
    """Returns the name of the files of the object's own proof, 0, and of each renewal's."""
    return f"renewal-{number}" if number else "seal"


def find_proofs(seals: Iterable[Seal], key: str) -> list[Proof]:
    """Returns the proof of an object and, if its seal was renewed, those of its token, of that renewal's token, and so
    on: each renewal is the newest before a certificate of the time stamp that it renews ends."""
    found: list[Proof] = []
    for seal in seals:
        if found and seal.stamp.problem:
            continue
        earlier = found[:-1] if len(found) > 1 and seal.stamp.time < found[-2].stamp.ends else found
        if found and found[0].stamp.problem:  # a trusted seal may have it, too
            earlier = []
        last = earlier[-1] if earlier else None
        wanted = name_object(last.seal, "tst") if last else key
        token = hashlib.sha256(last.stamp.token).hexdigest() if last else None
        for index, one in enumerate(seal.entries(), 1):
            if one.key == wanted and token in {None, one.sha256}:
                path = find_root(seal.lines, index)[1]
                found = [*earlier, Proof(seal.number, one.key, one.version, one.size, one.sha256, path, seal.stamp)]
    return found


def find_problem(proofs: Sequence[Proof]) -> str | None:
    """Says why the time stamps of a proof and its renewals do not convince now, if so."""
    ends = [one.stamp.time for one in proofs[1:]] + [datetime.now(UTC)]
    for stamp, end in zip((one.stamp for one in proofs), ends, strict=False):
        if stamp.problem or stamp.ends < end:
            return stamp.problem or "a certificate of its authority expired before it was stamped again"
    return None
