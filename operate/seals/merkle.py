"""A Merkle tree with the hashes of RFC 6962, section 2.1, in which a node can't pass for a leaf."""

import hashlib
from collections.abc import Iterable
from itertools import batched


def find_root(leaves: Iterable[bytes], index: int = 0) -> tuple[bytes, list[tuple[str, str]]]:
    """Returns the root, and the path to it from the leaf at the index: at each node, "left" or "right" and the hash of
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
