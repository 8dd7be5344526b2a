"""Forges signed PDFs: changes what they show, or hides their signatures, as an attacker would."""

import zlib
from functools import partial
from typing import Any

from tests.support.signed_pdf import (
    append,
    assemble,
    next_number,
    read,
    read_entries,
    replace_entry,
    replace_page,
    sign,
    unsigned,
    write_dictionary,
    write_object,
)


def _find_signature(content: bytes) -> tuple[int, dict[str, bytes], bytes, tuple[int, ...]]:
    """Returns the number of the signature dictionary, its entries, its value, and its byte range."""
    (one,) = read(content).embedded_signatures
    reference = one.sig_field.raw_get("/V").reference
    return reference.idnum, read_entries(one.sig_object), one.pkcs7_content, tuple(map(int, one.byte_range))


def pad_value(content: bytes) -> bytes:
    """Overrides the page, and the signature's dictionary with a value padded until the lengths that it states add up to
    the file's size."""
    number, entries, value, (_, length, _, second_length) = _find_signature(content)
    size = len(value)
    while True:
        entries["/Contents"] = b"(%s)" % _escape(value, size)
        forged = append(content, replace_page(content) | {number: write_dictionary(entries)})
        missing = len(forged) - (length + second_length + 2 * size + 2)
        if missing == 0:
            return forged
        size += missing


def change_reason(content: bytes) -> bytes:
    """Overrides what the signature's dictionary says beside its value."""
    number, entries, _, _ = _find_signature(content)
    return append(content, {number: write_dictionary(entries | {"/Reason": b"(other)"})})


def _escape(value: bytes, size: int) -> bytes:
    """A literal string of the value, padded with zeros."""
    escaped = b"".join(b"\\%03o" % byte if byte in b"()\\\r\n" else bytes([byte]) for byte in value)
    return escaped + b"\0" * (size - len(value))


def wrap(content: bytes) -> bytes:
    """Moves the second signed range to the file's end, and puts a page, a signature dictionary and cross-references in
    the gap, where the signed `startxref` leads. The value that is stated would fill the gap."""
    number, entries, value, (_, length, second, second_length) = _find_signature(content)
    reader = read(content)
    newest = reader.xrefs.explicit_refs_in_revision(reader.total_revisions - 1)
    kept = {one.idnum: write_object(reader.get_object(one)) for one in newest if one.idnum != number}
    size = 60_000
    entries["/ByteRange"] = b"[0 %d %d %d]" % (length, length + size, second_length)
    entries["/Contents"] = b"(%s)" % _escape(value, (size - 2) // 2)
    filled = content[length:second].ljust(reader.last_startxref - length)
    offset, body, table = len(filled) + length + 1000, b"", b""
    for one, written in {**kept, **replace_page(content), number: write_dictionary(entries)}.items():
        table += b"%d 1\n%010d 00000 n \n" % (one, offset + len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (one, written)
    previous = read(unsigned()).last_startxref
    filled += b"xref\n0 1\n0000000000 65535 f \n%strailer\n<</Root %d 0 R/Size %d/Prev %d>>\n" % (
        *(table, reader.root_ref.idnum, next_number(content), previous),
    )
    return content[:length] + (filled.ljust(offset - length) + body).ljust(size) + content[second:]


def drop_form(content: bytes) -> bytes:
    return append(content, replace_entry(content, "/AcroForm", b"null"))


def empty_fields(content: bytes) -> bytes:
    return append(content, replace_entry(content, "/AcroForm", b"<</Fields[]>>"))


def _change_field(content: bytes, changed: dict[str, bytes]) -> bytes:
    field = read(content).root["/AcroForm"]["/Fields"].raw_get(0)
    entries = read_entries(field.get_object()) | changed
    return append(content, {field.idnum: write_dictionary({key: entries[key] for key in entries if entries[key]})})


drop_value = partial(_change_field, changed={"/V": b"null"})
rename = partial(_change_field, changed={"/T": b"(Other)"})
drop_appearance = partial(_change_field, changed={"/AP": b""})


def share_value(content: bytes) -> bytes:
    """Adds a field with the value of the signature."""
    form, number = read(content).root["/AcroForm"], next_number(content)
    field = write_dictionary(read_entries(form["/Fields"][0]) | {"/T": b"(Chairman)"})
    fields = write_object(form["/Fields"])[:-1] + b" %d 0 R]" % number
    changed = write_dictionary(read_entries(form) | {"/Fields": fields})
    return append(content, replace_entry(content, "/AcroForm", changed) | {number: field})


def append_unsigned(content: bytes) -> bytes:
    """Appends a whole PDF, whose offsets count from its own beginning and which has no previous revision."""
    return content + assemble(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>", origin=len(content))


def sign_again(content: bytes) -> bytes:
    """Hides the signature, and lets a stranger sign."""
    return sign(drop_form(content), "Seal", "Stranger")


# ── updates that readers read in different ways ──────────────────────────────────────────────────────────────────────

OTHER = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"
"""What another reader may show as the page, which is object 3."""


def simple(shadow: bytes = b"") -> bytes:
    """A signed PDF of one page. `shadow` is an object before its cross-reference table, which does not list it."""
    page = OTHER.replace(b"9 9", b"300 300")
    plain = assemble(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page)
    body, _, table = plain.partition(b"xref\n0 4")
    table = table.replace(b"startxref\n%d" % len(body), b"startxref\n%d" % len(body + shadow))
    return sign(body + shadow + b"xref\n0 4" + table)


def update(old: bytes = b"", new: bytes = b"", objects: dict[int, bytes] | None = None, **options: Any) -> bytes:
    """An update of `simple`, in which the last `old` became `new`."""
    content = simple()
    changed = append(content, objects or {}, **options)
    start = changed.rindex(old)
    assert start >= len(content)
    return changed[:start] + new + changed[start + len(old) :]


def append_stream(packed: bytes, entries: dict[int, bytes], kind: int = 2, *, is_hybrid: bool = False) -> bytes:
    """An update of `simple` by a cross-reference stream, whose `entries` are of 4 bytes: kind, object stream (20) and
    index. Object 20 holds what is `packed`. The rows are of this kind of predictor."""
    content = simple()
    whole, rows = content + b"\n", dict(entries)
    rows[20] = b"\1" + len(whole).to_bytes(2) + b"\0"
    first = packed.index(b"<")
    stream = b"%d 0 obj\n<</Type/%s/Length %d%s>>\nstream\n%s\nendstream\nendobj\n"
    whole += stream % (
        20,
        b"ObjStm",
        len(packed),
        b"/N %d/First %d" % (len(packed[:first].split()) // 2, first),
        packed,
    )
    plain, above = [rows[number] for number in sorted(rows)], bytes(4)
    data = b""
    for row in plain:
        data += bytes([kind]) + (bytes((a - b) % 256 for a, b in zip(row, above, strict=True)) if kind == 2 else row)
        above = row
    index = b" ".join(b"%d 1" % number for number in sorted(rows))
    reader = read(content)
    root = b"/Root 1 0 R/Size 22/Prev %d" % reader.last_startxref
    entries_ = b"/W[1 2 1]/Index[%s]%s/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 4>>" % (index, root)
    data, start = zlib.compress(data), len(whole)
    whole += stream % (21, b"XRef", len(data), entries_, data)
    if is_hybrid:
        table = b"xref\n0 1\n0000000000 65535 f \ntrailer\n<<%s/XRefStm %d>>\n" % (root, start)
        start, whole = len(whole), whole + table
    return whole + b"startxref\n%d\n%%%%EOF\n" % start
