"""The examples in docs/clients as programs: how each response ends, what they save, and where they send the key."""

import re
import socket
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from develop.fakes.server import Response, ScriptedServer, raw, reply, reset
from develop.local import seeds
from tests.support.clients import DAMAGED, LARGE, PDF, PROGRAMS, Client, cut, error, wait, whole
from tests.support.responses import digest

HOSTILE = "x[$(touch x)]"
GIVEN_UP = [error(503, "Not now.")] * 5
ROWS: dict[str, tuple[list[Response], str | None, list[int]]] = {
    "failures that pass": ([error(429), cut(), reset, raw(b"\x1b[31m\r\n\r\n"), whole()], None, [1, 2, 4, 8]),
    "Retry-After": (
        [wait(503, HOSTILE), wait(503, "7"), wait(409, "7"), wait(409, "soon"), wait(409, HOSTILE), whole()],
        None,
        [1, 7, 7, 30, 30],
    ),
    "503 for ever": (GIVEN_UP, r"HTTP 503 .*some_code.*Not now\..*", [1, 2, 4, 8]),
    "404": ([error(404, f"\x1b]0;owned\x07{'a' * 60_000}")], "HTTP 404 .*a{200,280}", []),
    "206 that was not asked for": ([reply(206, PDF, {"Content-Range": "bytes 0-14/15"})], "HTTP 206.*", []),
    "409 that becomes final": ([wait(409, "7"), error(409, "Declined.")], r"HTTP 409 .*Declined\..*", [7]),
    "409 with an empty Retry-After": ([wait(409, "")], "HTTP 409 .*", []),
    "another digest": ([whole(Repr_Digest=digest(b"another"))], DAMAGED, []),
    "no digest": ([reply(200, PDF, {"ETag": HOSTILE, "Repr-Digest": HOSTILE})], DAMAGED, []),
}
"""The responses, a pattern of the last line of output or None if the certificate is saved, and the pauses."""


@pytest.fixture(params=PROGRAMS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(request.param, tmp_path)


@pytest.mark.parametrize("row", ROWS)
def test_each_response_is_handled_alike(client: Client, row: str) -> None:
    responses, says, pauses = ROWS[row]
    with ScriptedServer(*responses) as server:
        code, output = client.run(server.url)
    assert re.fullmatch(r"([ -~]{1,320}\n)+", output)
    if says is None:
        assert (code, output.splitlines()[-1]) == (0, f"{client.file} downloaded")
        assert client.file.read_bytes() == PDF
        assert client.file.stat().st_mode & 0o777 == 0o600
    else:
        assert (code, client.saved) == (1, {})
        assert re.fullmatch(says, output.splitlines()[-1])
    assert client.pauses == pauses
    assert len(server.requests) == len(responses)
    # Of the user's settings, ~/.netrc, ~/.curlrc and a proxy change nothing.
    headers = server.requests[0].headers
    names = ("authorization", "accept", "range", "if-none-match")
    assert [headers.get(name) for name in names] == [f"Bearer {seeds.KEY}", "application/pdf", None, None]
    assert not (client.folder / "x").exists()


def test_a_response_that_trickles_in_is_abandoned(client: Client, tmp_path: Path) -> None:
    """Runs a copy of the program whose time limit is one second."""
    program = Path(client.command[-1])
    text, found = re.subn(r"(RESPONSE_SECONDS = |--max-time |timeout\()60(_000)?", r"\g<1>1\2", program.read_text())
    assert found == 1
    (tmp_path / program.name).write_text(text)
    client.command = [*client.command[:-1], str(tmp_path / program.name)]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
    with ScriptedServer(raw(head, *[b"x"] * 500, pause=0.1), whole()) as server:
        code, output = client.run(server.url)
    assert (code, output.splitlines()[-1], client.pauses) == (0, f"{client.file} downloaded", [1])


def test_a_full_disk_leaves_the_copy_and_no_half_certificate(client: Client) -> None:
    """No file can grow beyond 4 KiB. Bytecode in the environment of this test would be cut, too: none is written."""
    client.file.write_bytes(PDF)
    client.command = ["bash", "-c", 'trap "" XFSZ; ulimit -f 4; exec "$@"', "bash", *client.command]
    with ScriptedServer(whole(LARGE, ETag='"b"')) as server:
        code, output = client.run(server.url)
    assert (code, client.saved) == (1, {client.file.name: PDF})
    assert "Traceback" not in output


def test_the_key_follows_no_redirect_and_is_in_no_command_line(client: Client) -> None:
    lines: list[str] = []

    def redirect(connection: socket.socket) -> None:
        for each in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # the requesting process waits, others may exit
                lines.append(" ".join(each.cmdline()))
        reply(307, b"", {"Location": elsewhere.url})(connection)

    with ScriptedServer(whole()) as elsewhere, ScriptedServer(redirect) as server:
        code, output = client.run(server.url)
    assert (code, output.strip()) == (1, "HTTP 307")
    assert (elsewhere.connections, client.saved) == (0, {})
    assert any(str(client.file) in line for line in lines)
    assert not any(seeds.KEY in line for line in lines)


@pytest.mark.parametrize(
    ("key", "url", "says"),
    [
        (f"{seeds.KEY}\r\nX-Other: 1", "http://127.0.0.1:{port}/", "CRAFTKIT_API_KEY is not an API key."),
        (seeds.KEY, "http://0.0.0.0:{port}/", "The URL must begin with https://."),
        (seeds.KEY, "http://127.0.0.1:{port}@0.0.0.0:{port}/", "The URL must begin with https://."),
    ],
    ids=["invalid key", "another machine", "another machine after @"],
)
def test_an_invalid_key_or_an_url_of_another_machine_is_never_used(
    client: Client, key: str, url: str, says: str
) -> None:
    """0.0.0.0 leads to this machine, too, but is no loopback address."""
    client.environment["CRAFTKIT_API_KEY"] = key
    with ScriptedServer(whole(), host="0.0.0.0") as server:  # noqa: S104
        assert client.run(url.format(port=server.port)) == (1, f"{says}\n")
    assert server.connections == 0
