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
from pyhanko.pdf_utils.misc import PdfStreamError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import extract_contents

from operate.evidence.pdf_objects import attempt, read_entries, read_items, resolve

_END = re.compile(rb"%%EOF(?:\r\n|\r|\n)?")
_WS = rb"[\0\t\n\f\r ]{0,16}+"
_BYTE_RANGE = re.compile(rb"/ByteRange" + _WS + rb"\[" + (_WS + rb"([0-9]{1,10}+)") * 4 + _WS + rb"\]")
_DIGITS = re.compile(rb"[0-9A-Fa-f\s]*+")
_HEADER_BYTES = 1024 + len(b"%PDF-")
MAX_DEPTH = 50
"""The deepest nesting of form fields that is read."""


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
    def end(self) -> int:
        """Where the second signed range ends, or 0."""
        return sum(self.byte_range[2:]) if self.byte_range and len(self.byte_range) == 4 else 0


def _read_hex_string(stream: Any) -> Any:
    """Reads in one step what pyHanko reads digit by digit: minutes, for a file with 25 signatures."""
    content, start = stream.getvalue(), stream.tell()
    end = content.find(b">", start)
    if end == -1:
        raise PdfStreamError("a hexadecimal string has no end")
    stream.seek(end + 1)
    digits = content[start + 1 : end].translate(None, b"\0\t\n\f\r ")
    return generic.pdf_string(bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii")))


generic.read_hex_string_from_stream = _read_hex_string


def _read_pdf(content: bytes) -> tuple[PdfFileReader | None, str | None]:
    """Returns a reader, or why there is none. Leaves out what is behind the last end marker, where the service accepts
    bytes of any kind."""
    end = content.rfind(b"%%EOF") + len(b"%%EOF\r\n")
    try:
        reader = PdfFileReader(io.BytesIO(content[:end]), strict=False)
        is_locked = reader.encrypted and reader.decrypt(b"").status is AuthStatus.FAILED
        _ = reader.root
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a hostile PDF raises anything, RecursionError too
        if b"/Encrypt" not in content:
            return None, f"its structure is damaged ({type(error).__name__})"
        is_locked = True
    return (None, "it is encrypted, and can't be opened without a password or key") if is_locked else (reader, None)


class Document:
    """A PDF without padding before its header, and its revisions, each read once as a file of its own.

    If the last revision can't be read, `reader` is None, and `problem` says why.
    """

    def __init__(self, content: bytes) -> None:
        self.start = max(content.find(b"%PDF-", 0, _HEADER_BYTES), 0)
        self.content = content[self.start :]
        self.reader, self.problem = _read_pdf(self.content)
        self._revisions: dict[int, PdfFileReader | None] = {}

    def read_revision(self, end: int) -> PdfFileReader | None:
        """Returns None if the bytes before this one are no PDF that can be read."""
        last = self.content.rfind(b"%%EOF", 0, end)
        if last not in self._revisions:
            self._revisions[last], _ = _read_pdf(self.content[:end])
        return self._revisions[last]


def read_signature_fields(root: Any) -> list[SignatureField]:
    """Returns the signed fields of a form. A field that can't be read is left out: `find_earlier_signatures` sees the
    bytes of its signature."""
    return [_read_signature(name, field) for name, field in walk_fields(root) if attempt(partial(_is_signed, field))]


def walk_fields(root: Any) -> Iterator[tuple[str, Any]]:
    """Yields each field of the form that has no fields below it, with its full name (ISO 32000-2, 12.7.4)."""
    fields = attempt(lambda: read_items(root["/AcroForm"], "/Fields")) or []
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
    field = resolve(field)
    names = [prefix] if prefix else []
    names += [str(field["/T"])] if "/T" in field else []
    return ".".join(names), field, depth, [kid for kid in read_items(field, "/Kids") if "/T" in read_entries(kid)]


def merge(field: Any) -> dict[str, Any]:
    """Returns the entries of a field with those that it inherits from the fields above it. Keeps references."""
    entries: dict[str, Any] = {}
    for _ in range(MAX_DEPTH):
        own = read_entries(field)
        entries = own | entries
        field = own.get("/Parent")
        if field is None:
            break
    return entries


def inherited(field: Any, key: str) -> Any:
    return resolve(merge(field).get(key))


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


def find_earlier_signatures(document: Document) -> Iterator[SignatureField]:
    """Yields the signatures that can be found in each way in which an update could hide one from readers."""
    for match in list(_END.finditer(document.content))[:-1]:
        if revision := document.read_revision(match.end()):
            yield from (one for one in read_signature_fields(revision.root) if one.contents.strip(b"\0"))
    for match in _BYTE_RANGE.finditer(document.content):
        byte_range = tuple(map(int, match.groups()))
        contents = read_gap(document.content, byte_range)
        if contents and is_cms(contents):
            one = SignatureField(None, byte_range, contents)
            revision = document.read_revision(one.end)
            if not (revision and _gives_usage_rights(revision.root, one)):
                yield one


def _gives_usage_rights(root: Any, one: SignatureField) -> bool:
    """Whether it is no signature of a form field, but lets Adobe's reader do more (ISO 32000-1, 12.8.2.3)."""
    values = [resolve(read_entries(root, "/Perms").get(key)) for key in ("/UR3", "/UR")]
    return any(attempt(partial(extract_contents, value)) == one.contents for value in values if value)


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
