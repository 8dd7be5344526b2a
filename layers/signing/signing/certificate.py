"""What counts as a certificate."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Certificate:
    """A whole PDF, as the provider gave it."""

    content: bytes

    @cached_property
    def sha256(self) -> str:
        """Base64, as in S3's checksum and in Repr-Digest (RFC 9530)."""
        return b64encode(hashlib.sha256(self.content).digest()).decode("ascii")


def is_whole_pdf(content: bytes, *, must_end: bool = False) -> bool:
    """Whether the bytes begin and end as a PDF does.

    The end marker may be followed by some bytes of other software: readers look for it in the last 1,024.
    `must_end` allows white space only: a PDF that was signed in steps holds an end marker for each, so that one cut
    short behind an earlier marker would pass.
    Source: ISO 32000-1, 7.5.5, and implementation note 18 to the PDF Reference 1.7.
    """
    tail = content[-1024:]
    is_ended = tail.rstrip(b"\0\t\n\f\r ").endswith(b"%%EOF") if must_end else b"%%EOF" in tail
    return content.startswith(b"%PDF-") and is_ended
