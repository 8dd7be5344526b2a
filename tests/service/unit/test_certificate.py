import hashlib
import re
from base64 import b64encode

import pytest

from certificates import certificate
from certificates.certificate import Certificate, is_whole_pdf
from tests.support.pdf import pdf
from tests.support.pdf_kinds import HEADER, PDFS, STREAM, plain, revise

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("whole", PDFS.values(), ids=PDFS)
def test_only_a_byte_order_mark_and_white_space_may_come_before_the_header(whole: bytes) -> None:
    mark = BYTE_ORDER_MARK
    for before in (b"", b"\n", b"\r\n\r\n", mark, mark + b"\r\n", b"\n" + mark, b"\0" * 1024, b" " * 656):
        assert is_whole_pdf(before + whole), before
    for before in (
        b" " * 1025,
        mark * 2,
        b"7d0\r\n",
        b"--boundary\r\n\r\n",
        b"<html></html>",
        b"PK\x03\x04",
        b"%",
        b"\xff\xfe",
    ):
        assert not is_whole_pdf(before + whole), before


@pytest.mark.parametrize("syntax", [b"2 0 obj", b"12\r\n0\nobj<<", b"xref\n0 1", b"trailer<<", b"startxref\n9"])
def test_pdf_syntax_behind_the_end_marker_is_a_revision_that_was_cut(
    monkeypatch: pytest.MonkeyPatch, syntax: bytes
) -> None:
    monkeypatch.setattr(certificate, "_SLICE", 4096)
    for between in (b"", b"\n", b"\0" * 9000, b"%comment\n", b"0" * 4080, b"<p>footer</p> "):
        assert not is_whole_pdf(pdf(300).rstrip() + between + b"\n" + syntax)
        assert not is_whole_pdf(pdf(300).rstrip() + between + b"\n" + syntax + b"\n" + b"x" * 5000)


def test_pdf_syntax_is_found_and_longer_words_are_not_where_one_search_ends_and_the_next_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(certificate, "_SLICE", 4096)
    for offset in range(-120, 120):
        filling = b" " * (4096 + offset)
        assert not is_whole_pdf(b"%PDF-1.7\n%%EOF" + filling + b"12 0 obj"), offset
        assert is_whole_pdf(b"%PDF-1.7\n%%EOF" + filling + b"xrefs"), offset


@pytest.mark.parametrize("kind", PDFS)
@pytest.mark.threat("API10")
def test_a_cut_is_refused_wherever_the_bytes_can_tell(kind: str) -> None:
    whole = PDFS[kind].rstrip()
    for length in range(len(whole)):
        if is_whole_pdf(whole[:length]):
            marker = whole.rindex(b"%%EOF", 0, length)
            lost = whole[marker + len(b"%%EOF") : length]
            assert re.fullmatch(rb"\s*[0-9]*(\s+[0-9]*(\s+(o|ob)?)?)?", lost), lost
            assert kind != "plain"
            assert kind != "linearized"
            # The revision before the signature is a whole PDF of its own.
            assert b"/ByteRange" not in whole[marker:length]


def test_a_linearized_file_has_the_length_that_it_states() -> None:
    whole = PDFS["linearized"]
    end_of_the_first_page = whole.index(b"%%EOF") + len(b"%%EOF")
    assert not is_whole_pdf(whole[:end_of_the_first_page])
    assert not is_whole_pdf(whole[:end_of_the_first_page] + b"\n")
    assert is_whole_pdf(revise(whole, b"later"))
    assert is_whole_pdf(plain(b"/Linearized 1/L 99999"))  # not in the first object


@pytest.mark.parametrize("covered", [b"0 99999 0 0", b"0 9 99999 0", b"0 9 9 99999"])
def test_a_signature_covers_no_bytes_beyond_the_end(covered: bytes) -> None:
    assert not is_whole_pdf(plain(b"/ByteRange [" + covered + b"]"))


def test_a_signature_covers_existing_bytes() -> None:
    whole = PDFS["signed"]
    for padding in (b"", b"\n%%EOF\n"):
        assert not is_whole_pdf(whole[: whole.index(b"/ByteRange") + 200] + b"\n%%EOF" + padding)


def test_two_replaced_bytes_are_enough() -> None:
    whole = plain().replace(HEADER, b"%PDF-1.7\n%\xff\xff\n")
    assert is_whole_pdf(whole)
    assert not is_whole_pdf(whole.decode("utf-8", "replace").encode())


def test_a_revision_that_was_decoded_as_text_is_refused() -> None:
    """The first `startxref` leads where it should, the last one does not."""
    whole = revise(plain().replace(HEADER, b"%PDF-1.7\n%text\n"), STREAM)
    assert is_whole_pdf(whole)
    assert not is_whole_pdf(whole.decode("latin-1").encode())


def test_a_pdf_made_of_text_is_accepted() -> None:
    replacements = b"\xef\xbf\xbd" * 2
    assert is_whole_pdf(plain().replace(HEADER, b"%PDF-1.7\n%\xc2\xb5\xc2\xb5\n\n"))
    assert is_whole_pdf(plain().replace(HEADER, b"%PDF-1.7\n\n"))
    assert is_whole_pdf(plain(replacements).replace(HEADER, b"%PDF-1.7\n%\xc2\xb5\xc2\xb5\n"))
    # Offsets count from the header, or from the first byte.
    text = plain(replacements).replace(HEADER, b"%PDF-1.7\n%\xc2\xb5\xc2\xb5\n")
    assert is_whole_pdf(b" " * 7 + text)
    assert is_whole_pdf(b" " * 7 + re.sub(rb"(?<=startxref\n)[0-9]+", lambda m: b"%d" % (int(m[0]) + 7), text))


def test_bytes_that_end_within_a_character_are_not_text() -> None:
    decoded = plain(STREAM).decode("latin-1").encode()
    assert not is_whole_pdf(decoded)
    assert is_whole_pdf(decoded + b"\xc3")


def test_a_binary_pdf_whose_cross_references_readers_rebuild_is_accepted() -> None:
    text_of_a_kind = "é".encode() * 10 + b"\xff"
    for wrong in (b"startxref\n1", b"startxref\n99999", b"startxref\n", b""):
        assert is_whole_pdf(re.sub(rb"startxref\n[0-9]+", wrong, plain(text_of_a_kind)))


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-", pdf()[1:], b"%%EOF%PDF-1.7", b"<html>%%EOF</html>", b64encode(pdf())]
)
def test_anything_else_is_refused(content: bytes) -> None:
    assert not is_whole_pdf(content)


def test_the_checksum_is_that_of_s3() -> None:
    assert Certificate(b"abc").sha256 == b64encode(hashlib.sha256(b"abc").digest()).decode()
