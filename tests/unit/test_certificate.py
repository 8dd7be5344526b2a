import hashlib
from base64 import b64encode

import pytest

from signing.certificate import Certificate, is_whole_pdf
from tests.kit.pdf import pdf


@pytest.mark.parametrize("content", [pdf(200), pdf(5000), pdf() + b"\n\n", pdf() + b"\0" * 900, b"%PDF-1.4 %%EOF"])
def test_a_pdf_begins_and_ends_as_one(content: bytes) -> None:
    assert is_whole_pdf(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"%PDF-",
        pdf()[:-10],
        pdf()[1:],
        b"\n" + pdf(),
        pdf() + b"\0" * 1100,
        b"PK\x03\x04" + pdf(),
        b"<html>%%EOF</html>",
        b64encode(pdf()),
        b'{"url": "https://e.com/%PDF-%%EOF"}',
    ],
)
def test_anything_else_is_none(content: bytes) -> None:
    assert not is_whole_pdf(content)


def test_an_answer_of_unknown_length_must_end_with_the_end() -> None:
    cut_behind_an_earlier_end = pdf() + b"2 0 obj\n<<"
    assert is_whole_pdf(cut_behind_an_earlier_end)
    assert not is_whole_pdf(cut_behind_an_earlier_end, must_end=True)
    assert is_whole_pdf(pdf() + b"\r\n\0", must_end=True)


def test_the_checksum_is_that_of_s3() -> None:
    assert Certificate(b"abc").sha256 == b64encode(hashlib.sha256(b"abc").digest()).decode()
