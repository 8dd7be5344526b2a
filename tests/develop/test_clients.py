"""The examples in docs/clients as programs: how each response ends, what they save, and where they send the key."""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from develop.fakes.server import Response, ScriptedServer, raw, reply, reset
from develop.local import seeds
from tests.support.clients import PROGRAMS, SECONDS, Client

PDF = b"%PDF-1.7\n%%EOF\n"
LARGE = PDF * 10_000
DAMAGED = re.escape("The certificate arrived damaged: its SHA-256 is not that of Repr-Digest.")
NO_RESPONSE = "(No complete response|HTTP 0|curl: ).*"
HOSTILE = ["$(touch x)", "x[$(touch x)]", "\x1b]0;owned\x07", "\x01\x7f\x9b31m", "a" * 5000]


def digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def whole(content: bytes = PDF, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(200, content, {"ETag": '"a"', "Repr-Digest": digest(content)} | named)


def error(status: int, text: str = "No.", headers: dict[str, str] | None = None) -> Response:
    return reply(status, json.dumps({"error": {"code": "some_code", "message": text}}).encode(), headers)


def wait(status: int, retry_after: str) -> Response:
    return error(status, headers={"Retry-After": retry_after})


def cut(status: int = 200) -> Response:
    return raw(f"HTTP/1.1 {status} Text\r\nContent-Length: 500\r\n\r\n".encode() + PDF)


def stall(begun: threading.Event) -> Response:
    """Sends half a certificate, then nothing until the client disconnects."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE[: len(LARGE) // 2])
        begun.set()
        connection.recv(1)

    return answer


@dataclass(frozen=True)
class Row:
    """`says` is a pattern of the last line of output, or None if the certificate is saved."""

    answers: tuple[Response, ...]
    says: str | None = None
    pauses: tuple[int, ...] = ()
    requests: int | None = None


def saves(*answers: Response, pauses: tuple[int, ...] = ()) -> Row:
    return Row(answers, pauses=pauses)


def fails(*answers: Response, says: str, pauses: tuple[int, ...] = ()) -> Row:
    return Row(answers, says, pauses)


def gives_up(answer: Response, says: str) -> Row:
    return Row((answer,), says, (1, 2, 4, 8), requests=5)


ROWS = {
    "whole": saves(whole()),
    "without a digest": fails(reply(200, PDF, {"ETag": '"a"'}), says=DAMAGED),
    "with another digest": fails(whole(Repr_Digest=digest(b"another")), says=DAMAGED),
    "with a digest of another kind": fails(whole(Repr_Digest=digest(PDF).replace("256", "512")), says=DAMAGED),
    "failures that pass": saves(error(429), error(500), error(502), error(503), whole(), pauses=(1, 2, 4, 8)),
    "504, cut and reset pass": saves(error(504), cut(), reset, raw(), whole(), pauses=(1, 2, 4, 8)),
    "no HTTP": saves(raw(b"\x1b[31m\r\n\r\n"), whole(), pauses=(1,)),
    "503 for ever": gives_up(error(503, "Not now."), r"HTTP 503 .*some_code.*Not now\..*"),
    "cut for ever": gives_up(cut(), NO_RESPONSE),
    "reset for ever": gives_up(reset, NO_RESPONSE),
    **{f"{status} is final": fails(error(status), says=rf"HTTP {status} .*No\..*") for status in (400, 401, 404, 412)},
    "302 is final": fails(reply(302, b"", {"Location": "/elsewhere"}), says="HTTP 302 ?"),
    "204 is final": fails(reply(204, b""), says="HTTP 204 ?"),
    "206 that was not asked for": fails(reply(206, PDF, {"Content-Range": "bytes 0-14/15"}), says="HTTP 206.*"),
    "304 without a copy": fails(reply(304, b"", {"ETag": '"a"'}), says="HTTP 304 ?"),
    "409 without Retry-After": fails(error(409, "Declined."), says=r"HTTP 409 .*Declined\..*"),
    "409 with an empty Retry-After": fails(wait(409, ""), says=r"HTTP 409 .*No\..*"),
    "409 that becomes final": fails(wait(409, "7"), error(409), says=r"HTTP 409 .*No\..*", pauses=(7,)),
    **{
        f"Retry-After: {value}": saves(wait(503, value), wait(409, value), whole(), pauses=pauses)
        for value, pauses in {"7": (7, 7), **dict.fromkeys(("0.5", "-5", "5, 5", "1e3", "soon"), (1, 30))}.items()
    },
    "an error page": fails(reply(404, b"<h1>\x1b[31mNo\0</h1>"), says="HTTP 404.*"),
    "an error without a body": fails(reply(404), says="HTTP 404 ?"),
    "an error in a terminal's language": fails(error(404, "\x1b]0;owned\x07"), says="HTTP 404.*"),
    "an error without end": fails(error(404, "a" * 60_000), says="HTTP 404 .*a{200,280}"),
}


@pytest.fixture(params=PROGRAMS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(request.param, tmp_path)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_response_is_handled_alike(client: Client, row: Row) -> None:
    with ScriptedServer(*row.answers) as server:
        code, output = client.run(server.url)
    assert re.fullmatch(r"([ -~]{1,320}\n)+", output)
    if row.says is None:
        assert (code, output.splitlines()[-1]) == (0, f"{client.file} downloaded")
        assert client.file.read_bytes() == PDF
        assert client.file.stat().st_mode & 0o777 == 0o600
    else:
        assert (code, client.saved) == (1, {})
        assert re.fullmatch(row.says, output.splitlines()[-1])
    assert client.pauses == list(row.pauses)
    assert len(server.requests) == (row.requests or len(row.answers))


def test_a_service_that_cannot_be_reached_is_tried_five_times(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, output = client.run(f"http://127.0.0.1:{port}")
    assert (code, client.pauses, client.saved) == (1, [1, 2, 4, 8], {})
    assert re.fullmatch(NO_RESPONSE, output.splitlines()[-1])


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"])
def test_a_response_that_trickles_in_is_abandoned(client: Client, tmp_path: Path, head: bytes) -> None:
    """Runs a copy of the program whose time limit is one second."""
    program = Path(client.command[-1])
    text, found = re.subn(r"(RESPONSE_SECONDS = |--max-time |timeout\()60(_000)?", r"\g<1>1\2", program.read_text())
    assert found == 1
    (tmp_path / program.name).write_text(text)
    client.command = [*client.command[:-1], str(tmp_path / program.name)]
    with ScriptedServer(raw(head, *[b"x"] * 500, pause=0.1), whole()) as server:
        code, output = client.run(server.url)
    assert (code, output.splitlines()[-1], client.pauses) == (0, f"{client.file} downloaded", [1])


@pytest.mark.parametrize(("answer", "content"), [(whole(LARGE), LARGE), (error(404), PDF)])
def test_a_copy_is_replaced_or_stays(client: Client, answer: Response, content: bytes) -> None:
    client.file.write_bytes(PDF)
    with ScriptedServer(answer) as server:
        client.run(server.url)
    assert client.file.read_bytes() == content


def test_a_program_that_is_killed_leaves_the_copy(client: Client) -> None:
    client.file.write_bytes(PDF)
    begun = threading.Event()
    with ScriptedServer(stall(begun)) as server, client.started(server.url):
        assert begun.wait(SECONDS)
    assert client.file.read_bytes() == PDF


def test_a_full_disk_leaves_the_copy_and_no_half_certificate(client: Client) -> None:
    """No file can grow beyond 4 KiB. Bytecode in the environment of this test would be cut, too: none is written."""
    bytecode = client.folder / "bytecode"
    client.environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
    client.file.write_bytes(PDF)
    client.command = ["bash", "-c", 'trap "" XFSZ; ulimit -f 4; exec "$@"', "bash", *client.command]
    with ScriptedServer(whole(LARGE, ETag='"b"')) as server:
        code, output = client.run(server.url)
    assert (code, client.saved) == (1, {client.file.name: PDF})
    assert "Traceback" not in output
    assert not bytecode.exists()


def test_two_programs_at_once_do_not_mix_their_certificates(client: Client) -> None:
    """The first stalls halfway while the second saves its own."""
    begun = threading.Event()
    with ScriptedServer(stall(begun), whole()) as server, client.started(server.url):
        assert begun.wait(SECONDS)
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert client.file.read_bytes() == PDF


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_follows_no_redirect(client: Client, status: int) -> None:
    with (
        ScriptedServer(whole()) as elsewhere,
        ScriptedServer(reply(status, b"", {"Location": elsewhere.url})) as server,
    ):
        code, output = client.run(server.url)
    assert (code, output.strip()) == (1, f"HTTP {status}")
    assert (elsewhere.connections, client.saved) == (0, {})


def test_the_key_is_in_no_command_line(client: Client) -> None:
    lines: list[str] = []

    def answer(connection: socket.socket) -> None:
        for each in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # the requesting process waits, others may exit
                lines.append(" ".join(each.cmdline()))
        whole()(connection)

    with ScriptedServer(answer) as server, client.started(server.url) as process:
        assert process.communicate(timeout=SECONDS) == (f"{client.file} downloaded\n", "")
    assert any(str(client.file) in line for line in lines)
    assert not any(seeds.KEY in line for line in lines)


@pytest.mark.parametrize("key", ["", "secret", f"{seeds.KEY}\r\nX-Other: 1"])
def test_an_invalid_key_is_never_sent(client: Client, key: str) -> None:
    client.environment["CRAFTKIT_API_KEY"] = key
    with ScriptedServer(whole()) as server:
        assert client.run(server.url) == (1, "CRAFTKIT_API_KEY is not an API key.\n")
    assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    ["http://0.0.0.0:{port}/", "HTTP://127.0.0.1:{port}/", "http://127.0.0.1:{port}@0.0.0.0:{port}/", "file:///a", ""],
)
def test_the_key_is_sent_to_no_other_machine_by_plain_http(client: Client, url: str) -> None:
    """0.0.0.0 leads to this machine, too, but is no loopback address."""
    with ScriptedServer(whole(), host="0.0.0.0") as server:  # noqa: S104
        assert client.run(url.format(port=server.port)) == (1, "The URL must begin with https://.\n")
    assert server.connections == 0


def test_no_proxy_gets_the_key_by_plain_http(client: Client) -> None:
    with ScriptedServer(error(404)) as proxy, ScriptedServer(whole()) as server:
        client.environment |= dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), proxy.url)
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert proxy.connections == 0


def test_a_request_has_the_key_and_nothing_of_the_users_settings(client: Client) -> None:
    """~/.netrc and ~/.curlrc change nothing."""
    with ScriptedServer(whole()) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    (request,) = server.requests
    names = ("authorization", "accept", "range", "if-none-match")
    assert [request.headers.get(name) for name in names] == [f"Bearer {seeds.KEY}", "application/pdf", None, None]


def replaced(headers: dict[str, str], value: str) -> Iterator[dict[str, str]]:
    """The headers with one of them replaced, each in turn."""
    for name in headers:
        yield headers | {name: value}


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_headers_do_no_harm(client: Client, value: str) -> None:
    sound = {"ETag": '"a"', "Repr-Digest": digest(PDF), "Content-Length": str(len(PDF))}
    others = dict.fromkeys(("Location", "Content-Type", "Set-Cookie", "Accept-Ranges", "Last-Modified"), value)
    scripts = [
        *([reply(200, PDF, headers)] for headers in replaced(sound, value)),
        [reply(200, PDF, sound | {f"{value} ": value})],
        [*(error(status, value, others | {"Retry-After": value}) for status in (503, 409)), error(302, value, others)],
    ]
    for script in scripts:
        with ScriptedServer(*script) as server:
            code, output = client.run(server.url)
        assert re.fullmatch(r"([ -~]{1,320}\n)+", output)
        assert not (client.folder / "x").exists()
        assert client.file.exists() == (code == 0)
        for name, content in client.saved.items():
            assert content == PDF or name == client.tag.name
            (client.folder / name).unlink()
