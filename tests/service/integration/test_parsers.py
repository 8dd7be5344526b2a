"""Every parser of untrusted text takes time in proportion to the text's length, because none can be interrupted."""

import io
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import permutations
from types import SimpleNamespace

import pytest

from certificates import https
from certificates.certificate import is_whole_pdf
from certificates.models import ApiKey, SignatureRequest
from certificates.provider import find_link
from certificates.urls import Url
from functions.archive_certificate.message import parse_message
from functions.download_certificate.conditions import matches_weakly, parse_range
from functions.download_certificate.request import Request

REQUEST = {"requestContext": {"requestId": "1"}}

PARSERS: dict[str, Callable[[str], object]] = {
    "url": Url.parse,
    "url's host": lambda text: Url.parse(f"https://{text}"),
    "url's path": lambda text: Url.parse(f"https://a/{text}"),
    "link": lambda text: Url.parse_link(f"https://a/{text}"),
    "link in JSON": lambda text: find_link(f'{{"a": {{"b": "{text}"}}}}'.encode(), "a.b"),
    "JSON": lambda text: find_link(text.encode(), "a.b"),
    "JSON number": lambda text: find_link(f"[1{text}]".encode(), "a.b"),
    "head": lambda text: https.read_head(io.BufferedReader(io.BytesIO(b"HTTP/1.1 200 OK\r\n" + text.encode()))),
    "header": lambda text: https.read_head(
        io.BufferedReader(io.BytesIO(b"HTTP/1.1 200 OK\r\nContent-Length" + text.encode() + b"\r\n\r\n"))
    ),
    "Retry-After": lambda text: https.parse_retry_after(SimpleNamespace(headers={"Retry-After": text})),  # type: ignore[arg-type]
    "PDF": lambda text: is_whole_pdf(b"%PDF-1.7\n" + text.encode() + b"%%EOF"),
    "bytes behind a PDF": lambda text: is_whole_pdf(b"%PDF-1.7\n%%EOF" + text.encode()),
    "PDF's comment": lambda text: is_whole_pdf(
        b"%PDF-1.7\n%" + "é".encode() * 4 + text.encode() + b"startxref\n9%%EOF"
    ),
    "PDF's lengths": lambda text: is_whole_pdf(
        f"%PDF-1.7/Linearized /L{text}/ByteRange[{text}startxref{text}%%EOF".encode()
    ),
    "message": parse_message,
    "message's id": lambda text: parse_message(f'{{"signatureRequestId": "{text}"}}'),
    "Authorization": lambda text: Request.parse(REQUEST | {"headers": {"Authorization": f"Bearer {text}"}}),
    "API key": lambda text: Request.parse(REQUEST | {"headers": {"Authorization": f"Bearer ck_live_{text}"}}),
    "id in a path": lambda text: Request.parse(REQUEST | {"pathParameters": {"id": text}}),
    "Range": lambda text: parse_range(f"bytes={text}"),
    "If-None-Match": lambda text: matches_weakly(text, '"a"'),
    "key's item": lambda text: ApiKey.from_item({"projectId": text, "expiresAt": text, "revokedAt": text}),
    "signature request's item": lambda text: SignatureRequest.from_item(
        {"id": text, "projectId": text, "status": text, "certificateUrl": text, "providerRequestId": text}
    ),
}
CHARACTERS = 'a1 \n\0é":/,[{%\\'
UNITS = [*CHARACTERS, *map("".join, permutations("a1 :/", 2))]
SHORT, LONG = 16 * 1024, 128 * 1024
LONG_ENOUGH_TO_COMPARE = 0.02


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.threat("API4")
def test_a_parser_of_foreign_text_is_linear(name: str) -> None:
    """Eight times the length takes 8 times as long, or 64 times if the parser is quadratic."""
    for unit in UNITS:
        measure = partial(_measure, PARSERS[name], unit)
        assert any(measure(LONG) < max(24 * measure(SHORT), LONG_ENOUGH_TO_COMPARE) for _ in range(3)), unit


def _measure(parse: Callable[[str], object], unit: str, length: int) -> float:
    """CPU seconds of this thread, which exclude other work."""
    text = unit * (length // len(unit))
    started = time.thread_time()
    with suppress(Exception):
        parse(text)
    return time.thread_time() - started
