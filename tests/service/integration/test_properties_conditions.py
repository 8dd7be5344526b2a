"""Responses to any If-Match, If-None-Match, If-Range and Range, compared with a reference model of RFC 9110, and those
to a first download with those to the next."""

import hashlib
import uuid
from typing import Any

import pytest
from hypothesis import example
from hypothesis import strategies as st

from develop.fakes.memory import etag
from functions.download_certificate import download
from tests.service.integration.conftest import Service, World, get
from tests.support.examples import given
from tests.support.pdf import pdf
from tests.support.responses import not_modified, part, refusal, whole
from tests.support.rfc9110 import respond

CONTENT = pdf(2000)
ETAG = etag(CONTENT)

tags = st.sampled_from([ETAG, f"W/{ETAG}", "*", '"other"', 'W/"other"', '""']) | st.text('W/"*, \t\xa0a', max_size=4)
conditions = st.tuples(st.lists(tags, max_size=3), st.sampled_from([", ", ",", " ,\t", ",,", " ", ""])).map(
    lambda listed: listed[1].join(listed[0])
)
numbers = st.integers(0, 2100).map(str) | st.sampled_from(["", "0", "1999", "2000", "007", "9" * 30])
specs = st.tuples(numbers, numbers).map("-".join) | st.text("0123456789-, ٣", max_size=6)
ranges = st.tuples(
    st.sampled_from(["bytes=", "bytes=", "bytes=", "Bytes=", "bytes =", " bytes= ", "bytes", "lines=", ""]),
    st.lists(specs, min_size=1, max_size=2).map(",".join) | specs,
).map("".join)
requests = st.fixed_dictionaries(
    {}, optional={"If-Match": conditions, "If-None-Match": conditions, "If-Range": conditions, "Range": ranges}
)


def expected(headers: dict[str, str], most: int) -> dict[str, Any]:
    status, sent = respond(headers, ETAG, len(CONTENT), most)
    return {
        200: whole(CONTENT, ETAG),
        206: part(CONTENT, ETAG, sent.start, sent.stop - 1),
        304: not_modified(ETAG),
        412: refusal(412, "precondition_failed", "The certificate does not match If-Match."),
        413: refusal(
            413,
            "content_too_large",
            "The completion certificate has 2000 bytes. Ask for it in ranges of at most 4500000 bytes, "
            "the first with the header Range: bytes=0-4499999.",
            Accept_Ranges="bytes",
        ),
        416: refusal(
            416, "range_not_satisfiable", "The completion certificate has 2000 bytes.", Content_Range="bytes */2000"
        ),
    }[status]


@pytest.mark.fuzz
@given(headers=requests, most=st.sampled_from([1500, 2000]))
def test_conditions_and_ranges_follow_the_rfc(
    world: World, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], most: int
) -> None:
    monkeypatch.setattr(download, "INLINE_LIMIT", most)
    assert world(get(**fields(headers))) == expected(headers, most)


def fields(headers: dict[str, str], etag: str = ETAG) -> dict[str, str]:
    return {name.replace("-", "_").lower(): value.replace(ETAG, etag) for name, value in headers.items()}


@pytest.mark.fuzz
@example(headers={"If-Range": ETAG, "Range": "bytes=0-9"}, most=2000)
@example(headers={"If-Range": '"other"', "Range": "bytes=0-9"}, most=2000)
@example(headers={"If-Match": '"other"', "Range": "bytes=0-9"}, most=2000)
@example(headers={"If-None-Match": ETAG}, most=1500)
@example(headers={"Range": "bytes=1-"}, most=1500)
@given(headers=requests, most=st.sampled_from([1500, 2000]))
def test_a_first_download_gets_what_the_next_one_gets_from_s3(
    service: Service, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], most: int
) -> None:
    """Its bytes are not read back: the conditions and the range are evaluated here."""
    monkeypatch.setattr(download, "INLINE_LIMIT", most)
    signature_id = str(uuid.uuid4())
    service.seed(signature_id=signature_id)
    service.provider.requests.clear()
    event = get(signature_id, **fields(headers, f'"{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"'))
    first = service(event)
    assert len(service.provider.requests) == 1
    assert service(event) == first
    assert len(service.provider.requests) == 1
