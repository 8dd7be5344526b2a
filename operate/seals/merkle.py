"""A Merkle tree with the hashes of RFC 6962, section 2.1: a node can't be taken for a leaf."""

import hashlib
from collections.abc import Iterable
from itertools import batched
from typing import NamedTuple


class Step(NamedTuple):
    """The hash beside that of a leaf or node on its way to the root."""

    sibling: bytes
    is_left: bool


def hash_leaf(content: bytes) -> bytes:
    return hashlib.sha256(b"\0" + content).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def find_root(leaves: Iterable[bytes]) -> bytes:
    """Returns the root over the hashes of at least one leaf."""
    level = list(leaves)
    while len(level) > 1:
        level = _hash_pairs(level)
    return level[0]


def find_path(leaves: Iterable[bytes], index: int) -> list[Step]:
    """Returns the steps from a leaf to the root."""
    level, steps = list(leaves), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            steps.append(Step(level[sibling], is_left=sibling < index))
        level, index = _hash_pairs(level), index // 2
    return steps


def _hash_pairs(level: list[bytes]) -> list[bytes]:
    """The last one of an odd number moves up as it is. This is the same tree as the RFC's, which is defined from the
    root: each left half is the largest power of two."""
    return [hash_node(*pair) if len(pair) == 2 else pair[0] for pair in batched(level, 2, strict=False)]
