"""Any bytes behind a PDF, and any PDF that was decoded as text."""

import re
from collections.abc import Callable

import pytest
from hypothesis import assume, example
from hypothesis import strategies as st

from certificates.certificate import is_whole_pdf
from tests.support.examples import given
from tests.support.pdf import pdf
from tests.support.pdf_kinds import linearize, plain, sign

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SYNTAX = re.compile(rb"\bobj|xref|trailer|%%EOF|ByteRange")


@given(footer=st.binary() | st.text().map(str.encode), times=st.integers(1, 100))
@example(footer=b"\0", times=20_480)
@example(footer=b"\x1a", times=1)
@example(footer=b"a", times=2001)
@example(footer=b"\r\n%comment\r\n", times=100)
@example(footer=b"<p>1 0 objects, trailers, xrefs</p>", times=1000)
@example(footer=b"page 1 of 12345678901 0 ", times=50_000)
@example(footer=b"x" * (1024 * 1024 - len(b"%%EOF") + 100 - 4) + b"xrefs", times=1)  # across the end of a slice
def test_whatever_follows_the_end_marker_is_accepted_unless_it_is_pdf_syntax(footer: bytes, times: int) -> None:
    assume(SYNTAX.search(footer * times) is None or footer.endswith((b"xrefs", b"</p>")))
    assert is_whole_pdf(pdf(300) + footer * times)


@given(stream=st.binary(max_size=300))
@example(stream=b"")
@example(stream=bytes(range(256)))
@example(stream="é\N{EURO SIGN}".encode() * 50)
@pytest.mark.parametrize("make", [plain, linearize, sign])
@pytest.mark.threat("API10")
def test_a_pdf_that_was_decoded_as_text_is_refused(make: Callable[[bytes], bytes], stream: bytes) -> None:
    whole = make(stream)
    assert is_whole_pdf(whole)
    assert not is_whole_pdf(whole.decode("utf-8", "replace").encode())
    assert not is_whole_pdf(whole.decode("latin-1").encode())
    assert not is_whole_pdf(BYTE_ORDER_MARK + whole.decode("latin-1").encode())
    assert not is_whole_pdf(whole.decode("cp1252", "replace").encode())
