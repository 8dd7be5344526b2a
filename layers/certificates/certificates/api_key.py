"""API keys, as clients send them."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

_KEY = re.compile(r"ck_(?:live|test)_[A-Za-z0-9_-]{16,128}", re.ASCII)
_PREFIX_LENGTH = len("ck_live_aBcDe")


@dataclass(frozen=True)
class HashedKey:
    """The parts of a key that may be stored or shown: its SHA-256 in hex, and its prefix. The key need not exist."""

    sha256: str
    prefix: str

    @classmethod
    def parse(cls, key: str) -> Self:
        """Raises ValueError, without the key in its text, unless the key is well-formed."""
        if _KEY.fullmatch(key) is None:
            raise ValueError("must have the form of an API key")
        return cls(hashlib.sha256(key.encode()).hexdigest(), key[:_PREFIX_LENGTH])
