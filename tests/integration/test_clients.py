"""The examples in docs/clients, against answers that the local stack does not give."""

import base64
import hashlib
import re
import time
from pathlib import Path

import pytest

from tests.kit.clients import PROGRAMS, Client
from tests.kit.server import Answer, ScriptedServer, reply

PDF = b"%PDF-1.7\n%%EOF\n"
WHOLE = reply(
    200, PDF, {"ETag": '"a"', "Repr-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(PDF).digest()).decode()}:"}
)
TOO_LARGE = reply(413, b"{}")


def part(first: int, end: int) -> dict[str, str]:
    """The headers of a part."""
    return {"ETag": '"a"', "Content-Range": f"bytes {first}-{end - 1}/{len(PDF)}"}


@pytest.fixture(params=PROGRAMS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(request.param, tmp_path)


def test_a_passing_failure_is_asked_again(client: Client) -> None:
    with ScriptedServer(reply(502, b"{}"), WHOLE) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert client.file.read_bytes() == PDF


def test_after_five_tries_it_gives_up(client: Client) -> None:
    with ScriptedServer(reply(503, b'{"error": {}}', {"Retry-After": "1"})) as server:
        code, output = client.run(server.url)
    assert code == 1
    assert '503 {"error": {}}' in output
    assert len(server.requests) == 5
    assert client.pauses == ([] if client.name == "curl" else [1, 2, 4, 8])  # curl waits by itself


def test_retry_after_is_waited_for(client: Client) -> None:
    started = time.monotonic()
    with ScriptedServer(reply(429, b"{}", {"Retry-After": "2"}), WHOLE) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    if client.name == "curl":
        assert time.monotonic() - started >= 2
    else:
        assert client.pauses == [2]


def test_a_part_that_failed_is_asked_again(client: Client) -> None:
    """Also behind the first, where nothing of the failure may get into the certificate."""
    with ScriptedServer(
        TOO_LARGE,
        reply(206, PDF[:5], part(0, 5)),
        reply(503, b'{"error": {}}', {"Retry-After": "1"}),
        reply(206, PDF[5:], part(5, len(PDF))),
    ) as server:
        assert client.run(server.url)[0] == 0
    assert client.file.read_bytes() == PDF
    assert [request.headers.get("if-range") for request in server.requests] == [None, None, '"a"', '"a"']


@pytest.mark.parametrize(("other", "said"), [(TOO_LARGE, r"413"), (WHOLE, r"Another certificate came|Cannot resume")])
def test_parts_of_two_certificates_are_never_one(client: Client, other: Answer, said: str) -> None:
    with ScriptedServer(TOO_LARGE, reply(206, PDF[:5], part(0, 5)), other) as server:
        code, output = client.run(server.url)
    assert code == 1
    assert re.search(said, output)
    assert "%PDF" not in output
    assert "damaged" not in output
    assert list(client.file.parent.glob("certificate.pdf*")) == []


def test_damage_is_noticed(client: Client) -> None:
    digest = base64.b64encode(hashlib.sha256(b"another").digest()).decode()
    with ScriptedServer(reply(200, PDF, {"ETag": '"a"', "Repr-Digest": f"sha-256=:{digest}:"})) as server:
        code, output = client.run(server.url)
    assert code == 1
    assert "its SHA-256 is not that of Repr-Digest" in output
    assert list(client.file.parent.glob("certificate.pdf*")) == []
