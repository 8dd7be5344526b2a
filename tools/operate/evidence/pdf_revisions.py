"""Finds every signature that any revision of a PDF has, whatever the last one shows.

Each byte of a file that was ever signed is still in it: an incremental update only appends (ISO 32000-2, 7.5.6).
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from asn1crypto import cms
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import extract_contents

from tools.operate.evidence.pdf_objects import attempt

_END = re.compile(rb"%%EOF(?:\r\n|\r|\n)?")
_WS = rb"[\0\t\n\f\r ]{0,16}+"
_BYTE_RANGE = re.compile(rb"/ByteRange" + _WS + rb"\[" + (_WS + rb"([0-9]{1,10}+)") * 4 + _WS + rb"\]")
_DIGITS = re.compile(rb"[0-9A-Fa-f\s]*+")
_HEADER_BYTES = 1024 + len(b"%PDF-")
MAX_DEPTH = 50
"""Of a form's fields."""

ENCRYPTED = "it is encrypted, and can't be opened without a password or key"


class Unreadable(Exception):
    """The last revision can't be read. The message says why, in our words."""


@dataclass(frozen=True)
class SignatureField:
    """A form field that is signed, as one revision has it. `contents` is the signature's value, mostly CMS."""

    name: str | None
    byte_range: tuple[int, ...] | None
    contents: bytes
    sub_filter: str | None = None
    value: Any = None
    field: Any = None

    @property
    def identity(self) -> tuple[tuple[int, ...] | None, bytes]:
        return self.byte_range, self.contents

    @property
    def end(self) -> int | None:
        """Where the second signed range ends."""
        if self.byte_range is None or len(self.byte_range) != 4:
            return None
        return self.byte_range[2] + self.byte_range[3]


def find_header(content: bytes) -> int:
    """Returns where the PDF begins: the service accepts padding before it."""
    return max(content.find(b"%PDF-", 0, _HEADER_BYTES), 0)


def read_pdf(content: bytes) -> PdfFileReader:
    """Leaves out what is behind the last end marker, where the service accepts bytes of any kind. Raises Unreadable."""
    end = content.rfind(b"%%EOF") + len(b"%%EOF\r\n")
    try:
        reader = PdfFileReader(io.BytesIO(content[:end]), strict=False)
        is_locked = reader.encrypted and reader.decrypt(b"").status is AuthStatus.FAILED
        _ = reader.root
    except MemoryError:
        raise
    except Exception as error:  # a hostile PDF raises anything, RecursionError too
        if b"/Encrypt" in content:
            raise Unreadable(ENCRYPTED) from error
        raise Unreadable(f"its structure is damaged ({type(error).__name__})") from error
    if is_locked:
        raise Unreadable(ENCRYPTED)
    return reader


def read_signature_fields(root: Any) -> list[SignatureField]:
    """Returns the signed fields of a form. A field that can't be read is left out: `find_earlier_signatures` sees the
    bytes of its signature."""
    return [_read_signature(name, field) for name, field in walk_fields(root) if attempt(partial(_is_signed, field))]


def walk_fields(root: Any) -> Iterator[tuple[str, Any]]:
    """Yields each field of the form that has no fields below it, with its full name (ISO 32000-2, 12.7.4)."""
    fields = attempt(lambda: list(root["/AcroForm"]["/Fields"])) or []
    seen: set[int] = set()
    stack = [(field, "", 0) for field in reversed(fields)]
    while stack:
        found = attempt(partial(_read_field, *stack.pop()))
        if found is None or id(found[1]) in seen:
            continue
        name, field, depth, kids = found
        seen.add(id(field))
        if not kids:
            yield name, field
        elif depth < MAX_DEPTH:
            stack += [(kid, name, depth + 1) for kid in reversed(kids)]


def _read_field(field: Any, prefix: str, depth: int) -> tuple[str, Any, int, list[Any]]:
    """Returns the full name, the field and its depth, and the fields below it. Widgets have no names."""
    field = field.get_object()
    names = [prefix] if prefix else []
    names += [str(field["/T"])] if "/T" in field else []
    return ".".join(names), field, depth, [kid for kid in field.get("/Kids", ()) if "/T" in kid.get_object()]


def inherited(field: Any, key: str) -> Any:
    """Returns the attribute of the field or of the next field above that has it, or None."""
    for _ in range(MAX_DEPTH):
        if key in field:
            return field[key]
        if "/Parent" not in field:
            return None
        field = field["/Parent"]
    return None


def _is_signed(field: Any) -> bool:
    return inherited(field, "/FT") == "/Sig" and isinstance(inherited(field, "/V"), generic.DictionaryObject)


def _read_signature(name: str, field: Any) -> SignatureField:
    value = inherited(field, "/V")
    return SignatureField(
        name,
        byte_range=attempt(lambda: tuple(int(number) for number in value["/ByteRange"])),
        contents=attempt(lambda: extract_contents(value)) or b"",
        sub_filter=attempt(lambda: str(value["/SubFilter"])),
        value=value,
        field=field,
    )


def find_earlier_signatures(document: bytes, reader: PdfFileReader | None) -> Iterator[SignatureField]:
    """Yields the signatures that can be found in each way in which an update could hide one from readers."""
    for root in _read_earlier_roots(document, reader):
        yield from (one for one in read_signature_fields(root) if one.contents.strip(b"\0"))
    for match in _BYTE_RANGE.finditer(document):
        byte_range = tuple(map(int, match.groups()))
        contents = read_gap(document, byte_range)
        if contents and is_cms(contents):
            yield SignatureField(None, byte_range, contents)


def _read_earlier_roots(document: bytes, reader: PdfFileReader | None) -> Iterator[Any]:
    """Yields the catalogue of each earlier revision that can be read: as a file of its own, and in the history of the
    whole file."""
    reads = [partial(_read_root, document, match.end()) for match in list(_END.finditer(document))[:-1]]
    if reader:
        reads += [partial(reader.get_historical_root, revision) for revision in range(reader.total_revisions - 1)]
    return filter(None, map(attempt, reads))


def _read_root(document: bytes, end: int) -> Any:
    return read_pdf(document[:end]).root


def read_gap(document: bytes, byte_range: tuple[int, ...]) -> bytes | None:
    """Returns the value of the hexadecimal string between the signed ranges, or None if anything else is there. The
    ranges may include its delimiters."""
    start, stop = byte_range[1], byte_range[2]
    if document[start : start + 1] == b"<":
        start += 1
    if document[stop - 1 : stop] == b">":
        stop -= 1
    digits = document[start:stop]
    if document[start - 1 : start] != b"<" or document[stop : stop + 1] != b">" or not _DIGITS.fullmatch(digits):
        return None
    return attempt(lambda: bytes.fromhex(digits.decode("ascii")))


def is_cms(contents: bytes) -> bool:
    return attempt(lambda: cms.ContentInfo.load(contents)["content_type"].native) == "signed_data"
