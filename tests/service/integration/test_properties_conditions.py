"""Responses to any If-Match, If-None-Match, If-Range and Range, compared with a reference model of RFC 9110."""

from typing import Any

import pytest
from hypothesis import example
from hypothesis import strategies as st

from develop.fakes.memory import etag
from develop.fakes.server import reply
from functions.download_certificate import download
from tests.service.integration.conftest import World
from tests.support.examples import given
from tests.support.pdf import pdf
from tests.support.responses import PRECONDITION_FAILED, get, not_modified, outside, part, too_large, whole
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
        412: PRECONDITION_FAILED,
        413: too_large(len(CONTENT)),
        416: outside(len(CONTENT)),
    }[status]


@pytest.mark.fuzz
@example(headers={"If-Range": ETAG, "Range": "bytes=0-9"}, most=2000)
@example(headers={"If-Range": '"other"', "Range": "bytes=0-9"}, most=2000)
@example(headers={"If-Match": '"other"', "Range": "bytes=0-9"}, most=2000)
@example(headers={"If-None-Match": ETAG}, most=1500)
@example(headers={"Range": "bytes=1-"}, most=1500)
@given(headers=requests, most=st.sampled_from([1500, 2000]))
def test_conditions_and_ranges_of_a_first_download_and_of_the_next_follow_the_rfc(
    world: World, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], most: int
) -> None:
    """The bytes of the first are not read back: its conditions and its range are evaluated here, the others' by S3."""
    monkeypatch.setattr(download, "INLINE_LIMIT", most)
    world.provider.responses = [reply(body=CONTENT)]
    world.provider.requests.clear()
    world.bucket.objects.clear()
    event = get(**{name.replace("-", "_").lower(): value for name, value in headers.items()})
    assert world(event) == world(event) == expected(headers, most)
    assert len(world.provider.requests) == 1
