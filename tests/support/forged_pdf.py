"""Forges signed PDFs: changes what they show, or hides their signatures, as an attacker would."""

import re
from collections.abc import Callable
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from tests.support.signed_pdf import append, assemble, next_number, read, sign, unsigned, update, write_object

_BYTE_RANGE = re.compile(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)\s*\]")


def _find_signature(content: bytes) -> tuple[int, dict[str, bytes], bytes]:
    """Returns the number of the signature dictionary, its entries, and its value."""
    reader = read(content)
    (one,) = reader.embedded_signatures
    reference = one.sig_field.raw_get("/V").reference
    entries = {key: write_object(one.sig_object.raw_get(key)) for key in one.sig_object}
    return reference.idnum, entries, one.pkcs7_content


def _read_page(content: bytes) -> tuple[int, dict[str, bytes]]:
    """Returns the number of the first page, and its entries."""
    reader = read(content)
    page = reader.root["/Pages"]["/Kids"].raw_get(0)
    return page.idnum, {key: write_object(page.get_object().raw_get(key)) for key in page.get_object()}


def _make_page(content: bytes) -> tuple[int, bytes]:
    """Returns the number of the first page, and another content for it."""
    page, entries = _read_page(content)
    return page, _write_dictionary(entries | {"/MediaBox": b"[0 0 100 100]"})


def _write_dictionary(entries: dict[str, bytes]) -> bytes:
    return b"<<%s>>" % b"".join(b"%s %s" % (key.encode(), value) for key, value in entries.items())


def pad_value(content: bytes, *, is_hexadecimal: bool) -> bytes:
    """Overrides the page, and the signature's dictionary with a value padded until the lengths that it states add up to
    the file's size. A hexadecimal value can't, since each byte of it makes the file two digits longer."""
    number, entries, value = _find_signature(content)
    page, text = _make_page(content)
    _, length, _, second_length = map(int, _BYTE_RANGE.search(content).groups())  # type: ignore[union-attr]
    size = len(value)
    for _ in range(10):
        padded = value.ljust(size, b"\0")
        written = b"<%s>" % padded.hex().encode() if is_hexadecimal else b"(%s)" % _escape(value, size)
        forged = append(content, {page: text, number: _write_dictionary(entries | {"/Contents": written})})
        missing = len(forged) - (length + second_length + 2 * size + 2)
        if missing == 0 or is_hexadecimal:
            break
        size += missing
    return forged


def _escape(value: bytes, size: int) -> bytes:
    """A literal string of the value, padded with zeros."""
    escaped = b"".join(b"\\%03o" % byte if byte in b"()\\\r\n" else bytes([byte]) for byte in value)
    return escaped + b"\0" * (size - len(value))


def wrap(content: bytes, *, is_padded: bool) -> bytes:
    """Moves the second signed range to the file's end, and puts a page, a signature dictionary and cross-references in
    the gap, where the signed `startxref` leads. With padding, the value that is stated fills the gap."""
    number, entries, value = _find_signature(content)
    page, text = _make_page(content)
    _, length, second, second_length = map(int, _BYTE_RANGE.search(content).groups())  # type: ignore[union-attr]
    reader = read(content)
    newest = reader.xrefs.explicit_refs_in_revision(reader.total_revisions - 1)
    kept = {one.idnum: write_object(reader.get_object(one)) for one in newest if one.idnum != number}
    size = 60_000
    entries["/ByteRange"] = b"[0 %d %d %d]" % (length, length + size, second_length)
    entries["/Contents"] = b"(%s)" % _escape(value, (size - 2) // 2 if is_padded else len(value))
    filled = content[length:second].ljust(reader.last_startxref - length)
    offset, body, table = len(filled) + length + 1000, b"", b""
    for one, written in {**kept, page: text, number: _write_dictionary(entries)}.items():
        table += b"%d 1\n%010d 00000 n \n" % (one, offset + len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (one, written)
    previous = read(unsigned()).last_startxref
    filled += b"xref\n0 1\n0000000000 65535 f \n%strailer\n<</Root %d 0 R/Size %d/Prev %d>>\n" % (
        *(table, reader.root_ref.idnum, next_number(content), previous),
    )
    return content[:length] + (filled.ljust(offset - length) + body).ljust(size) + content[second:]


def change_page_entries(content: bytes, changed: dict[str, bytes]) -> bytes:
    """Overrides the first page with these entries."""
    page, entries = _read_page(content)
    return append(content, {page: _write_dictionary(entries | changed)})


def change_root(content: bytes, change: Callable[[Any], object]) -> bytes:
    """Makes an update in which the catalogue is changed."""

    def work(writer: IncrementalPdfFileWriter) -> None:
        change(writer.root)
        writer.update_root()  # type: ignore[no-untyped-call]

    return update(content, work)


def drop_form(content: bytes) -> bytes:
    return change_root(content, lambda root: root.__delitem__("/AcroForm"))


def _change_field(content: bytes, change: Callable[[Any], object]) -> bytes:
    def work(writer: IncrementalPdfFileWriter) -> None:
        field = writer.root["/AcroForm"]["/Fields"][0]
        change(field)
        writer.mark_update(field.container_ref)

    return update(content, work)


def empty_fields(content: bytes) -> bytes:
    def work(writer: IncrementalPdfFileWriter) -> None:
        form = writer.root["/AcroForm"]
        del form["/Fields"][0]
        writer.update_container(form["/Fields"])
        writer.update_container(form)

    return update(content, work)


def drop_value(content: bytes) -> bytes:
    return _change_field(content, lambda field: field.__delitem__("/V"))


def rename(content: bytes) -> bytes:
    return _change_field(content, lambda field: field.__setitem__("/T", generic.pdf_string("Other")))


def append_unsigned(content: bytes) -> bytes:
    """Appends a whole PDF, whose offsets count from its own beginning and which has no previous revision."""
    return content + assemble(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>", origin=len(content))


def sign_again(content: bytes) -> bytes:
    """Hides the signature, and lets a stranger sign."""
    return sign(drop_form(content), "Seal", "Stranger")
