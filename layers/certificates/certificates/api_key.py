"""API keys, as clients send them."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

_KEY = re.compile(r"ck_(?:live|test)_[A-Za-z0-9_-]{16,128}", re.ASCII)
_PREFIX_LENGTH = len("ck_live_aBcDe")


@dataclass(frozen=True)
class HashedKey:
    """What may be stored or shown of a key, which may or may not exist: its SHA-256 in hex, and its prefix."""

    sha256: str
    prefix: str

    @classmethod
    def parse(cls, key: str) -> Self:
        """Raises ValueError, whose text never holds the key, unless the text has the form of a key."""
        if _KEY.fullmatch(key) is None:
            raise ValueError("must have the form of an API key")
        return cls(hashlib.sha256(key.encode()).hexdigest(), key[:_PREFIX_LENGTH])
