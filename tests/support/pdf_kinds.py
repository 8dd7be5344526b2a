"""Small PDFs of each kind, with every offset and length right. A stream of any bytes is in each."""

import re
from collections.abc import Sequence

HEADER = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"


def plain(stream: bytes = b"") -> bytes:
    return _append(HEADER, _page(1, stream))


def revise(whole: bytes, stream: bytes = b"") -> bytes:
    """With an incremental update (ISO 32000-1, 7.5.6)."""
    return _append(whole, [_stream(stream)])


def linearize(stream: bytes = b"") -> bytes:
    """ISO 32000-1, annex F: its length in the first object, and the first page's cross-references in front."""
    front = HEADER + b"1 0 obj\n<</Linearized 1/L 0000000000/N 1>>\nendobj\n"
    objects = [b"%d 0 obj\n%s\nendobj\n" % item for item in enumerate(_page(2, stream), 2)]
    trailer = b"trailer\n<</Root 2 0 R/Size %d>>\nstartxref\n0\n%%%%EOF\n" % (len(objects) + 2)
    table = b"xref\n1 %d\n%010d 00000 n \n" % (len(objects) + 1, len(HEADER))
    offset = len(front) + len(table) + len(objects) * len(b"0000000000 00000 n \n") + len(trailer)
    for content in objects:
        table += b"%010d 00000 n \n" % offset
        offset += len(content)
    end = b"xref\n0 1\n0000000000 65535 f \ntrailer\n<</Size 1>>\nstartxref\n%d\n%%%%EOF\n" % len(front)
    whole = front + table + trailer + b"".join(objects) + end
    return whole.replace(b"/L 0000000000", b"/L %010d" % len(whole))


def sign(stream: bytes = b"", *, times: int = 1) -> bytes:
    """With a revision for each signature, which covers all but its own value (12.8.1)."""
    whole = plain(stream)
    for _ in range(times):
        blank, value = b"[0 0000000000 0000000000 0000000000]", b"<" + b"0" * 64 + b">"
        whole = _append(whole, [b"<</Type/Sig/ByteRange " + blank + b"/Contents " + value + b">>", _stream(stream)])
        start = whole.rindex(value)
        end = start + len(value)
        whole = whole.replace(blank, b"[0 %010d %010d %010d]" % (start, end, len(whole) - end))
    return whole


def _page(first: int, stream: bytes) -> list[bytes]:
    """Objects, of which the first has this number: catalogue, pages, page, and a stream."""
    return [
        b"<</Type/Catalog/Pages %d 0 R>>" % (first + 1),
        b"<</Type/Pages/Kids[%d 0 R]/Count 1>>" % (first + 2),
        b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 9 9]>>" % (first + 1),
        _stream(stream),
    ]


def _stream(content: bytes) -> bytes:
    return b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content)


def _append(before: bytes, objects: Sequence[bytes]) -> bytes:
    """One revision: objects, their cross-references, and where those are."""
    earlier = re.findall(rb"/Size ([0-9]+)", before)
    previous = re.findall(rb"startxref\n([0-9]+)", before)
    number = first = int(earlier[-1]) if earlier else 1
    whole, entries = before, b"" if earlier else b"0 1\n0000000000 65535 f \n"
    entries += b"%d %d\n" % (first, len(objects))
    for number, content in enumerate(objects, first):
        entries += b"%010d 00000 n \n" % len(whole)
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    link = b"/Prev " + previous[-1] if previous else b""
    return whole + b"xref\n%strailer\n<</Root 1 0 R/Size %d%s>>\nstartxref\n%d\n%%%%EOF\n" % (
        entries,
        number + 1,
        link,
        len(whole),
    )


STREAM = bytes(range(256))
PDFS = {
    "plain": plain(STREAM),
    "revised": revise(revise(plain(STREAM), b"second"), STREAM),
    "linearized": linearize(STREAM),
    "signed": sign(STREAM),
    "signed twice": sign(STREAM, times=2),
}
"""One of each kind."""
