"""The examples in docs/clients: all three programs handle each response in one table alike."""

import base64
import hashlib
import json
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.support.clients import PROGRAMS, Client
from tools.fake_cloud.server import Answer, ScriptedServer, chunked, raw, reply, reset
from tools.local import seeds

PDF = b"%PDF-1.7\n%%EOF\n"
DAMAGED = re.escape("The certificate arrived damaged: its SHA-256 is not that of Repr-Digest.")
UNRELATED = re.escape("The parts do not belong together.")
LOST = "No complete response: .+"
TOO_LARGE = reply(413, b"{}")
PAST, FUTURE = "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 06 Nov 2093 08:49:37 GMT"

# Retry-After: seconds to wait before the first retry after 503, and before the next request after 409.
RETRY_AFTER = {
    "7": (7, 7),
    "08": (8, 8),
    "0": (1, 1),
    "99999": (60, 300),
    PAST: (1, 1),
    FUTURE: (60, 300),
    "Sun, 99 Nov 2093 08:49:37 GMT": (1, 30),
    "Sunday, 06-Nov-94 08:49:37 GMT": (1, 30),
    "2093-11-06T08:49:37Z": (1, 30),
    "99999999999999999999": (1, 30),
    "0.5": (1, 30),
    "1e3": (1, 30),
    "0x10": (1, 30),
    "-5": (1, 30),
    "5, 5": (1, 30),
    "soon": (1, 30),
}


def digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def whole(content: bytes = PDF, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(200, content, {"ETag": '"a"', "Repr-Digest": digest(content)} | named)


def part(first: int, end: int, *, content_range: str | None = None, etag: str = '"a"', content: bytes = PDF) -> Answer:
    content_range = content_range or f"bytes {first}-{end - 1}/{len(PDF)}"
    headers = {"ETag": etag, "Content-Range": content_range, "Repr-Digest": digest(PDF)}
    return reply(206, content[first:end], headers)


def error(status: int, text: str = "No.", headers: dict[str, str] | None = None) -> Answer:
    return reply(status, json.dumps({"error": {"code": "some_code", "message": text}}).encode(), headers)


def cut(status: int = 200) -> Answer:
    return raw(f"HTTP/1.1 {status} Text\r\nContent-Length: 500\r\n\r\n".encode() + PDF)


def endless(status: int) -> Answer:
    """Sends until the client disconnects."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {status} Text\r\nLocation: /\xff\r\n\r\n".encode("latin-1"))
        while True:
            connection.sendall(bytes(65536))

    return answer


@dataclass(frozen=True)
class Row:
    """`says` is a pattern of the whole output, or None if the certificate is saved with `tag`."""

    answers: tuple[Answer, ...]
    says: str | None = None
    pauses: tuple[int, ...] = ()
    requests: int | None = None
    tag: str | None = '"a"'


def saves(*answers: Answer, pauses: tuple[int, ...] = (), tag: str | None = '"a"') -> Row:
    return Row(answers, pauses=pauses, tag=tag)


def fails(*answers: Answer, says: str, pauses: tuple[int, ...] = (), requests: int | None = None) -> Row:
    return Row(answers, says, pauses, requests)


def gives_up(answer: Answer, says: str) -> Row:
    return fails(answer, says=says, pauses=(1, 2, 4, 8), requests=5)


ROWS = {
    # a whole certificate
    "whole": saves(whole()),
    "without a digest": fails(reply(200, PDF, {"ETag": '"a"'}), says=DAMAGED),
    "with another digest": fails(whole(Repr_Digest=digest(b"another")), says=DAMAGED),
    "with a digest of another kind": fails(whole(Repr_Digest=digest(PDF).replace("256", "512")), says=DAMAGED),
    "endless": fails(endless(200), says=DAMAGED),
    "with a weak tag": saves(whole(ETag='W/"a"'), tag=None),
    "with a tag without quotes": saves(whole(ETag="a"), tag=None),
    "with a tag of two lines": saves(whole(ETag='"a" "b"'), tag=None),
    "with a tag too long": saves(whole(ETag=f'"{"a" * 201}"'), tag=None),
    "without a tag": saves(reply(200, PDF, {"Repr-Digest": digest(PDF)}), tag=None),
    # transient failures
    "failures that pass": saves(error(429), error(500), error(502), error(503), whole(), pauses=(1, 2, 4, 8)),
    "504 passes": saves(error(504), whole(), pauses=(1,)),
    "cut, reset and closed": saves(cut(), reset, raw(), whole(), pauses=(1, 2, 4)),
    "cut chunks": saves(chunked([PDF], {"ETag": '"a"'}, end=b""), whole(), pauses=(1,)),
    "no HTTP": saves(raw(b"\x1b[31m\r\n\r\n"), whole(), pauses=(1,)),
    "503 for ever": gives_up(error(503, "Not now."), r"HTTP 503 some_code: Not now\."),
    "cut for ever": gives_up(cut(), LOST),
    "reset for ever": gives_up(reset, LOST),
    # final responses
    **{
        f"{status} is final": fails(error(status), says=rf"HTTP {status} some_code: No\.") for status in (400, 401, 404)
    },
    "412 is final": fails(error(412), says=r"HTTP 412 some_code: No\."),
    "416 is final": fails(reply(416, b"", {"Content-Range": "bytes */15"}), says="HTTP 416"),
    "302 is final": fails(reply(302, b"", {"Location": "/elsewhere"}), says="HTTP 302"),
    "an endless redirect": fails(endless(302), says="HTTP 302"),
    "204 is final": fails(reply(204, b""), says="HTTP 204"),
    "206 that was not asked for": fails(part(0, 15), says="HTTP 206"),
    "304 without a copy": fails(reply(304, b"", {"ETag": '"a"'}), says="HTTP 304"),
    # not available
    "409 without Retry-After": fails(error(409, "Declined."), says=r"HTTP 409 some_code: Declined\."),
    "409 with an empty Retry-After": fails(error(409, headers={"Retry-After": ""}), says=r"HTTP 409 some_code: No\."),
    "409 that becomes final": fails(
        error(409, headers={"Retry-After": "0"}), error(409), says=r"HTTP 409 some_code: No\.", pauses=(1,)
    ),
    "409 for ever": fails(
        error(409, headers={"Retry-After": "86400"}),
        says=r"The certificate is not available yet\. Ask again later\.",
        pauses=(300,) * 12,
        requests=13,
    ),
    # in parts
    "in parts": saves(TOO_LARGE, part(0, 5), part(5, 14), part(14, 15)),
    "in one part": saves(TOO_LARGE, part(0, 15)),
    "failures between parts": saves(
        TOO_LARGE, cut(206), part(0, 5), error(503), cut(206), part(5, 15), pauses=(1, 1, 2)
    ),
    "too large for ever": fails(TOO_LARGE, error(413), says=r"HTTP 413 some_code: No\."),
    "whole instead of the first part": fails(TOO_LARGE, whole(), says="HTTP 200"),
    "another instead of the next part": fails(TOO_LARGE, part(0, 5), whole(), says="HTTP 200"),
    "none instead of the next part": fails(TOO_LARGE, part(0, 5), error(404), says=r"HTTP 404 some_code: No\."),
    "part without Content-Range": fails(TOO_LARGE, reply(206, PDF, {"ETag": '"a"'}), says=UNRELATED),
    "part without a tag": fails(TOO_LARGE, reply(206, PDF, {"Content-Range": "bytes 0-14/15"}), says=UNRELATED),
    "part with a weak tag": fails(TOO_LARGE, part(0, 15, etag='W/"a"'), says=UNRELATED),
    "next part with another tag": fails(TOO_LARGE, part(0, 5), part(5, 15, etag='"b"'), says=UNRELATED),
    "next part without a usable tag": fails(TOO_LARGE, part(0, 5), part(5, 15, etag=""), says=UNRELATED),
    "next part of another size": fails(
        TOO_LARGE, part(0, 5), part(5, 15, content_range="bytes 5-14/16"), says=UNRELATED
    ),
    "next part without Content-Range": fails(
        TOO_LARGE, part(0, 5), reply(206, PDF[5:], {"ETag": '"a"'}), says=UNRELATED
    ),
    "the same part again": fails(TOO_LARGE, part(0, 5), part(0, 5), says=UNRELATED),
    "a gap between parts": fails(TOO_LARGE, part(0, 5), part(6, 15), says=UNRELATED),
    "a part that begins later": fails(TOO_LARGE, part(1, 15), says=UNRELATED),
    "an empty part": fails(TOO_LARGE, part(0, 0, content_range="bytes 0-0/15"), says=UNRELATED),
    "an empty part that says so": fails(TOO_LARGE, part(0, 5), part(5, 5), says=UNRELATED),
    "a part shorter than it says": fails(TOO_LARGE, part(0, 5, content_range="bytes 0-14/15"), says=UNRELATED),
    "a part longer than it says": fails(TOO_LARGE, part(0, 15, content_range="bytes 0-4/15"), says=UNRELATED),
    "an endless part": fails(TOO_LARGE, endless(206), says=UNRELATED),
    "a part behind the end": fails(TOO_LARGE, part(0, 15, content_range="bytes 0-14/14"), says=UNRELATED),
    "of unknown size": fails(TOO_LARGE, part(0, 15, content_range="bytes 0-14/*"), says=UNRELATED),
    "larger than allowed": fails(TOO_LARGE, part(0, 15, content_range="bytes 0-14/100000001"), says=UNRELATED),
    "larger than any number": fails(TOO_LARGE, part(0, 15, content_range=f"bytes 0-14/{9**40}"), says=UNRELATED),
    "Content-Range in another unit": fails(TOO_LARGE, part(0, 15, content_range="items 0-14/15"), says=UNRELATED),
    "Content-Range with more behind": fails(TOO_LARGE, part(0, 15, content_range="bytes 0-14/15, 1"), says=UNRELATED),
    "too many parts": fails(
        TOO_LARGE,
        *(reply(206, b"x", {"ETag": '"a"', "Content-Range": f"bytes {first}-{first}/9999"}) for first in range(101)),
        says=r"The certificate arrived in too many parts\.",
        requests=101,
    ),
    # error texts
    "an endless error": fails(endless(404), says="HTTP 404"),
    "an error page": fails(reply(404, b"<h1>\x1b[31mNo</h1>"), says="HTTP 404"),
    "an error of other JSON": fails(reply(404, b'{"error": {}}'), says="HTTP 404"),
    "an error of deep JSON": fails(reply(404, b"[" * 60_000), says="HTTP 404"),
    "an error without a body": fails(reply(404), says="HTTP 404"),
    "an error in a terminal's language": fails(error(404, "\x1b]0;owned\x07"), says=r"HTTP 404.*"),
    "an error in a terminal's bytes": fails(
        reply(404, b'{"error": {"code": "some_code", "message": "\x9b31m"}}'), says=r"HTTP 404.*"
    ),
    "an error without end": fails(error(404, "a" * 60_000), says=r"HTTP 404 some_code: a{200,280}"),
}


@pytest.fixture(params=PROGRAMS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(request.param, tmp_path)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_response_is_handled_alike(client: Client, row: Row) -> None:
    with ScriptedServer(*row.answers) as server:
        code, output = client.run(server.url)
    if row.says is None:
        assert (code, output) == (0, f"{client.file} downloaded\n")
        tag = {client.tag.name: f"{row.tag} {digest(PDF)}\n".encode()} if row.tag else {}
        assert client.saved == {client.file.name: PDF} | tag
    else:
        assert code == 1
        assert re.fullmatch(rf"{row.says}\n", output)
        assert re.fullmatch(r"[ -~]{1,300}\n", output)
        assert client.saved == {}
    assert client.pauses == list(row.pauses)
    assert len(server.requests) == (row.requests or len(row.answers))


def test_each_retry_after_is_read_alike(client: Client) -> None:
    answers: list[Answer] = []
    for value in RETRY_AFTER:
        answers += [error(status, headers={"Retry-After": value}) for status in (503, 409)]
    with ScriptedServer(*answers, whole()) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    pauses = iter(client.pauses)
    assert {value: (next(pauses), next(pauses)) for value in RETRY_AFTER} == RETRY_AFTER


def test_a_retry_after_date_is_waited_for(client: Client) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=250), usegmt=True)
    with ScriptedServer(error(409, headers={"Retry-After": date}), whole()) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert 200 <= client.pauses[0] <= 250


def test_a_service_that_cannot_be_reached_is_tried_five_times(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, output = client.run(f"http://127.0.0.1:{port}")
    assert code == 1
    assert re.fullmatch(rf"{LOST}\n", output)
    assert client.pauses == [1, 2, 4, 8]
    assert client.saved == {}


def test_a_response_that_trickles_in_is_abandoned(client: Client, tmp_path: Path) -> None:
    """Runs a copy of the program whose time limit is one second."""
    program = Path(client.command[-1])
    text, found = re.subn(r"(?i)(\bresponse_seconds ?= ?)60\b", r"\g<1>1", program.read_text())
    assert found == 1
    copy = tmp_path / program.name
    copy.write_text(text)
    client.command = [*client.command[:-1], str(copy)]
    trickle = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", *[b"x"] * 500, pause=0.1)
    with ScriptedServer(trickle, whole()) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert client.pauses == [1]


def test_every_request_names_key_type_and_range(client: Client) -> None:
    """~/.netrc and ~/.curlrc change nothing. fetch adds its own `identity` to a range request."""
    with ScriptedServer(TOO_LARGE, part(0, 5), part(5, 15)) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert {request.headers["accept-encoding"] for request in server.requests} <= {"identity", "identity, identity"}
    names = ("authorization", "accept", "if-none-match", "range", "if-range")
    common = (f"Bearer {seeds.KEY}", "application/pdf", None)
    assert [tuple(request.headers.get(name) for name in names) for request in server.requests] == [
        (*common, None, None),
        (*common, "bytes=0-4499999", None),
        (*common, "bytes=5-4500004", '"a"'),
    ]
