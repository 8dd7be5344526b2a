"""A certificate is a whole PDF, byte for byte as the provider sent it."""

import codecs
import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

MAX_BYTES_BEFORE_HEADER = 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_REPLACEMENT_CHARACTER = "\N{REPLACEMENT CHARACTER}".encode()
# A search can't be interrupted, so long ones are made in slices. No match is longer than the overlap.
_SLICE = 1024 * 1024
_OVERLAP = 100

# White space and keywords: ISO 32000-1, 7.2.2, 7.3.10 and 7.5. Repetitions are bounded and never backtrack: the time is
# linear in the length, whatever the bytes are.
_WHITE_SPACE = b"\0\t\n\f\r "
_WS = rb"[\0\t\n\f\r ]"
_OBJECT = rb"(?<![0-9])[0-9]{1,10}+" + _WS + rb"{1,16}+[0-9]{1,5}+" + _WS + rb"{1,16}+obj(?![A-Za-z])"
_REVISION = re.compile(_OBJECT + rb"|\b(?:xref|trailer|startxref)\b")
_XREF = re.compile(_WS + rb"{0,16}+(?:xref\b|" + _OBJECT + rb")")
_STARTXREF = re.compile(rb"startxref" + _WS + rb"{0,16}+([0-9]{1,10})")
_FILE_LENGTH = re.compile(rb"/L" + _WS + rb"{1,16}+([0-9]{1,15})")
_BYTE_RANGE = re.compile(rb"/ByteRange" + _WS + rb"{0,16}+\[" + (_WS + rb"{0,16}+([0-9]{1,15})") * 4)
_CHARACTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")


@dataclass(frozen=True)
class Certificate:
    content: bytes

    @cached_property
    def sha256(self) -> str:
        """Base64, as in S3's checksum and in Repr-Digest (RFC 9530)."""
        return b64encode(hashlib.sha256(self.content).digest()).decode("ascii")


def is_whole_pdf(content: bytes) -> bool:
    """Returns whether readers open the bytes as a whole PDF. `https` checks the length of the response.

    White space before the header and any bytes after the last end marker are common, and readers ignore them. A PDF is
    not whole if PDF syntax follows the last end marker, if it is shorter than it states, or if it was decoded as text.
    """
    start = content.find(b"%PDF-", 0, MAX_BYTES_BEFORE_HEADER + len(b"%PDF-"))
    end = content.rfind(b"%%EOF")
    return (
        0 <= start < end
        and not content[:start].replace(_BYTE_ORDER_MARK, b"", 1).strip(_WHITE_SPACE)
        and not _has_revision(content, end)
        and all(length <= len(content) for length in _find_stated_lengths(content, start))
        and not _was_decoded_as_text(content, start)
    )


def _has_revision(content: bytes, end: int) -> bool:
    """Returns whether PDF syntax follows the last end marker: the start of a revision whose end was cut off."""
    for position in range(end, len(content), _SLICE):
        match = _REVISION.search(content, position, position + _SLICE + _OVERLAP)
        # Match again without the slice's end, at which a longer word looks like a keyword.
        if match and _REVISION.match(content, match.start()):
            return True
    return False


def _find_stated_lengths(content: bytes, start: int) -> Iterator[int]:
    """Yields the length that a linearized file's first object states (ISO 32000-1, F.2.2), and the ends of the parts of
    the file that digital signatures cover (12.8.1)."""
    first_object = content[start : start + 1024].partition(b"endobj")[0]
    if b"/Linearized" in first_object:
        yield from (int(match[1]) for match in _FILE_LENGTH.finditer(first_object))
    for match in _BYTE_RANGE.finditer(content):
        first, first_length, second, second_length = map(int, match.groups())
        yield first + first_length
        yield second + second_length


def _was_decoded_as_text(content: bytes, start: int) -> bool:
    """Returns whether bytes beyond ASCII became U+FFFD, or were read as characters and written in UTF-8. Both move what
    follows, so that `startxref` leads nowhere. A binary PDF has at least four such bytes (ISO 32000-1, 7.5.2)."""
    return (
        not content.isascii()
        and not _has_cross_references(content, start)
        and (content.count(_REPLACEMENT_CHARACTER) >= 2 or len([*islice(_CHARACTER.finditer(content), 4)]) == 4)
        and _is_utf8(content)
    )


def _has_cross_references(content: bytes, start: int) -> bool:
    """Returns whether the last `startxref` leads to a cross-reference table or stream, counted from the first byte or
    from the header (ISO 32000-1, 7.5.5)."""
    match = _STARTXREF.match(content, max(content.rfind(b"startxref"), 0))
    return match is not None and any(_XREF.match(content, int(match[1]) + origin) for origin in (0, start))


def _is_utf8(content: bytes) -> bool:
    """Decodes in slices, since the whole text would take up to four times the memory."""
    slices = (content[position : position + _SLICE] for position in range(0, len(content), _SLICE))
    try:
        return all(True for _ in codecs.iterdecode(slices, "utf-8"))
    except UnicodeDecodeError:
        return False
