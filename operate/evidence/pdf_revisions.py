"""Finds every signature that any revision of a PDF has, whatever the last one shows.

Each byte of a file that was ever signed is still in it: an incremental update only appends (ISO 32000-2, 7.5.6).
"""

import binascii
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from asn1crypto import cms
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import extract_contents

from operate.evidence.pdf_objects import attempt, attempt_with_error, find_reference, read_entries, read_items, resolve
from operate.evidence.pdf_structure import repeated_keys

_END = re.compile(rb"%%EOF(?:\r\n|\r|\n)?")
_WS = rb"[\0\t\n\f\r ]{0,16}+"
_BYTE_RANGE = re.compile(rb"/ByteRange" + _WS + rb"\[" + (_WS + rb"([0-9]{1,10}+)") * 4 + _WS + rb"\]")
_HEX_STRING = re.compile(rb"<([0-9A-Fa-f\0\s]*+)>")
_HEADER_BYTES = 1024 + len(b"%PDF-")


@dataclass(frozen=True)
class Field:
    """A form field that has no fields below it, with the entries that it inherits (ISO 32000-2, 12.7.4)."""

    name: str
    kind: Any
    entries: dict[str, Any]
    widgets: dict[generic.Reference | int | None, dict[str, Any]]
    """The entries of what pages show of it, which may be the field's own dictionary (12.5.6.19)."""

    signature: Any
    """The signature dictionary that is its value, or None."""


@dataclass(frozen=True)
class Signature:
    """A signature as one revision has it. If only its bytes were found, it has no name, dictionary and lock."""

    name: str | None = field(compare=False)
    byte_range: tuple[int, ...]
    """Empty if it is not four numbers."""

    contents: bytes
    """Its value, mostly CMS."""

    dictionary: Any = field(default=None, compare=False)
    lock: Any = field(default=None, compare=False)

    @property
    def end(self) -> int:
        """Where the second signed range ends, or 0."""
        return sum(self.byte_range[2:])


def _read_hex_string(stream: Any) -> Any:
    """Reads in one step what pyHanko reads digit by digit: minutes, for a file with 25 signatures."""
    match: Any = _HEX_STRING.match(stream.getvalue(), stream.tell())
    stream.seek(match.end())
    digits = match[1].translate(None, b"\0\t\n\f\r ")
    return generic.pdf_string(binascii.unhexlify(digits + b"0" * (len(digits) % 2)))


generic.read_hex_string_from_stream = _read_hex_string


def _open(content: bytes) -> PdfFileReader | None:
    """Returns None if it needs a password."""
    reader = PdfFileReader(io.BytesIO(content), strict=False)
    is_locked = reader.encrypted and reader.decrypt(b"").status is AuthStatus.FAILED
    _ = reader.root
    return None if is_locked else reader


def _read_pdf(content: bytes) -> tuple[PdfFileReader | None, str | None]:
    """Returns a reader, or why there is none. Leaves out what is after the last end marker, where the service accepts
    bytes of any kind."""
    end = content.rfind(b"%%EOF") + len(b"%%EOF\r\n")
    reader, error = attempt_with_error(partial(_open, content[:end]))
    if reader:
        return reader, None
    if error and b"/Encrypt" not in content:
        return None, f"its structure is damaged ({error})"
    return None, "it is encrypted, and can't be opened without a password or key"


class Document:
    """A PDF without padding before its header, and its revisions, each read once as a file of its own.

    If the last revision can't be read, `reader` is None, and `problem` says why.
    """

    def __init__(self, content: bytes) -> None:
        repeated_keys.clear()
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


def find_signatures(document: Document) -> list[tuple[Signature, bool]]:
    """Returns the signatures, the oldest first, and whether the last revision hides them: does not have them, has them
    under another name, or has them otherwise."""
    shown = read_signatures(document.reader.root) if document.reader else []
    known = {(name, one) for one in shown for name in (one.name, None)}
    hidden = dict.fromkeys(one for one in _find_earlier(document) if (one.name, one) not in known)
    found = [(one, False) for one in shown] + [(one, document.reader is not None) for one in hidden]
    return sorted(found, key=lambda pair: pair[0].end)


def _find_earlier(document: Document) -> Iterator[Signature]:
    """Yields the signatures that can be found in each way in which an update could hide one from readers."""
    for match in list(_END.finditer(document.content))[:-1]:
        if revision := document.read_revision(match.end()):
            yield from (one for one in read_signatures(revision.root) if one.contents.strip(b"\0"))
    for match in _BYTE_RANGE.finditer(document.content):
        byte_range = tuple(map(int, match.groups()))
        contents = read_gap(document.content, byte_range)
        if contents and is_cms(contents):
            one = Signature(None, byte_range, contents)
            revision = document.read_revision(one.end)
            if not (revision and _gives_usage_rights(revision.root, one)):
                yield one


def _gives_usage_rights(root: Any, one: Signature) -> bool:
    """Whether it is no signature of a form field, but lets Adobe's reader do more (ISO 32000-1, 12.8.2.3)."""
    rights = attempt(lambda: [resolve(root, "/Perms", key) for key in ("/UR3", "/UR")]) or []
    return any(attempt(partial(extract_contents, each)) == one.contents for each in rights)


def read_signatures(root: Any) -> list[Signature]:
    """Returns those of the signed fields of a form."""
    return [_read_signature(one) for one in walk_fields(root) if one.signature is not None]


def _read_signature(one: Field) -> Signature:
    byte_range = attempt(lambda: tuple(map(int, one.signature["/ByteRange"]))) or ()
    contents = attempt(lambda: extract_contents(one.signature)) or b""
    byte_range = byte_range if len(byte_range) == 4 else ()
    return Signature(one.name, byte_range, contents, one.signature, one.entries.get("/Lock"))


def read_kid(kid: Any, parent: Any) -> dict[str, Any]:
    """Returns the entries of a dictionary that its parent led to. /Parent is True if it leads back there, from where
    readers inherit."""
    entries = read_entries(kid)
    leads_back = "/Parent" in entries and resolve(entries["/Parent"]) is parent
    return entries | {"/Parent": True} if leads_back else entries


def walk_fields(root: Any) -> list[Field]:
    """Returns the fields of the form. One that can't be read is left out: its signature is found by its bytes."""
    found: list[Field] = []
    seen: set[int] = set()

    def walk(node: Any, prefix: str, above: dict[str, Any], parent: Any = None) -> None:
        holder = resolve(node)
        if id(holder) in seen:
            return
        seen.add(id(holder))
        own = read_kid(holder, parent)
        name = ".".join(filter(None, (prefix, str(resolve(own.get("/T")) or ""))))
        entries = above | own | {"/Parent": generic.ArrayObject([above.get("/Parent"), own.get("/Parent")])}
        kids = read_items(holder, "/Kids")
        below = [kid for kid in kids if "/T" in read_entries(kid)]  # the others are widgets
        for kid in below:
            attempt(partial(walk, kid, name, entries, holder))
        if own and not below:
            widgets: Any = {find_reference(kid) or index: read_kid(kid, holder) for index, kid in enumerate(kids)}
            widgets = widgets or {find_reference(node): own}
            value = resolve(entries.get("/V"))
            kind = resolve(entries.get("/FT"))
            is_signed = kind == "/Sig" and isinstance(value, generic.DictionaryObject)
            found.append(Field(name, kind, entries, widgets, value if is_signed else None))

    for node in attempt(lambda: read_items(root, "/AcroForm", "/Fields")) or []:
        attempt(partial(walk, node, "", {}))
    return found


def read_gap(document: bytes, byte_range: tuple[int, ...]) -> bytes | None:
    """Returns the value of the hexadecimal string between the signed ranges, or None if anything else is there. The
    ranges may include its delimiters."""
    start, stop = sum(byte_range[:2]), sum(byte_range[2:3])
    match = _HEX_STRING.match(document, start) or _HEX_STRING.match(document, start - 1)
    is_whole = match is not None and match.end() in {stop, stop + 1}
    return attempt(lambda: bytes.fromhex(match[1].decode("ascii"))) if match and is_whole else None


def is_cms(contents: bytes) -> bool:
    return attempt(lambda: cms.ContentInfo.load(contents)["content_type"].native) == "signed_data"
