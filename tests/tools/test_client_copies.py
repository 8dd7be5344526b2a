"""The examples in docs/clients: the files they leave, where they send the key, and the effect of hostile headers."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.clients import PROGRAMS, SECONDS, Client
from tests.tools.test_clients import DAMAGED, PDF, TOO_LARGE, digest, error, part, whole
from tools.fake_cloud.server import Answer, ScriptedServer, raw, reply
from tools.local import seeds

LARGE = PDF * 10_000
NOT_MODIFIED = reply(304, b"", {"ETag": '"a"'})

HOSTILE = [
    "$(touch x)",
    "x[$(touch x)]",
    "bytes 0-4/status[$(touch x)0]",
    '"$(touch>x)"',
    "\x1b]0;owned\x07",
    "\x01\x7f\x9b31m",
    "a" * 5000,
]


@pytest.fixture(params=PROGRAMS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(request.param, tmp_path)


@pytest.fixture
def copy(client: Client) -> dict[str, bytes]:
    """The files that a first download of `whole()` saves."""
    copy = {client.file.name: PDF, client.tag.name: f'"a" {digest(PDF)}\n'.encode()}
    for name, content in copy.items():
        (client.folder / name).write_bytes(content)
    return copy


def start_writing_nothing_large(client: Client) -> None:
    """Simulates a full disk: no file can grow beyond 4 KiB."""
    client.command = ["bash", "-c", 'trap "" XFSZ; ulimit -f 4; exec "$@"', "bash", *client.command]


def stall(begun: threading.Event) -> Answer:
    """Sends half a certificate, then nothing until the client disconnects."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE[: len(LARGE) // 2])
        begun.set()
        connection.recv(1)

    return answer


@pytest.mark.usefixtures("copy")
def test_a_copy_is_current_when_the_server_says_so(client: Client) -> None:
    with ScriptedServer(NOT_MODIFIED) as server:
        assert client.run(server.url) == (0, f"{client.file} is current\n")
    assert server.requests[0].headers["if-none-match"] == '"a"'


@pytest.mark.usefixtures("copy")
def test_a_new_certificate_replaces_the_copy(client: Client) -> None:
    with ScriptedServer(whole(LARGE, ETag='"b"')) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert client.saved == {client.file.name: LARGE, client.tag.name: f'"b" {digest(LARGE)}\n'.encode()}


@pytest.mark.usefixtures("copy")
def test_the_tag_of_an_earlier_copy_goes_when_the_new_one_has_none(client: Client) -> None:
    with ScriptedServer(whole(LARGE, ETag="none")) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert client.saved == {client.file.name: LARGE}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("certificate.pdf", PDF[:5]),
        ("certificate.pdf", b""),
        ("certificate.pdf", None),
        ("certificate.pdf.etag", b'"a"'),
        ("certificate.pdf.etag", b""),
        ("certificate.pdf.etag", None),
        ("certificate.pdf.etag", b"x[$(touch x)]\n"),
        ("certificate.pdf.etag", b'"a"\r\nX: y\n'),
        ("certificate.pdf.etag", bytes(range(256))),
    ],
)
def test_a_copy_that_was_changed_is_downloaded_again(
    client: Client, copy: dict[str, bytes], file: str, content: bytes | None
) -> None:
    path = client.folder / file
    path.unlink() if content is None else path.write_bytes(content)
    with ScriptedServer(whole()) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert "if-none-match" not in server.requests[0].headers
    assert client.saved == copy


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([whole(ETag='"b"', Repr_Digest="")], DAMAGED),
        ([TOO_LARGE, part(0, 5, etag='"b"'), error(404)], r"HTTP 404 some_code: No\."),
        ([error(409)], r"HTTP 409 some_code: No\."),
    ],
)
def test_a_failure_leaves_the_copy_and_its_tag(
    client: Client, copy: dict[str, bytes], answers: list[Answer], says: str
) -> None:
    with ScriptedServer(*answers) as server:
        code, output = client.run(server.url)
    assert code == 1
    assert re.fullmatch(rf"{says}\n", output)
    assert client.saved == copy


@pytest.mark.parametrize("in_parts", [False, True])
def test_a_full_disk_leaves_no_half_certificate(client: Client, in_parts: bool) -> None:  # noqa: FBT001
    start_writing_nothing_large(client)
    content_range = {"ETag": '"a"', "Content-Range": f"bytes 0-{len(LARGE) - 1}/{len(LARGE)}"}
    answers = [TOO_LARGE, reply(206, LARGE, content_range)] if in_parts else [whole(LARGE)]
    with ScriptedServer(*answers) as server:
        code, output = client.run(server.url)
    assert code == 1
    assert "Traceback" not in output
    assert len(server.requests) == len(answers)
    assert client.saved == {}


def test_a_full_disk_leaves_the_copy(client: Client, copy: dict[str, bytes]) -> None:
    start_writing_nothing_large(client)
    with ScriptedServer(whole(LARGE, ETag='"b"')) as server:
        assert client.run(server.url)[0] == 1
    assert client.saved in (copy, {client.file.name: PDF})


def test_a_program_that_is_killed_leaves_no_half_certificate(client: Client) -> None:
    begun = threading.Event()
    with ScriptedServer(stall(begun)) as server, client.started(server.url):
        assert begun.wait(SECONDS)
    assert not client.file.exists()
    assert not client.tag.exists()


def test_a_program_that_is_killed_leaves_the_copy_and_its_tag(client: Client, copy: dict[str, bytes]) -> None:
    begun = threading.Event()
    with ScriptedServer(stall(begun)) as server, client.started(server.url):
        assert begun.wait(SECONDS)
    assert copy.items() <= client.saved.items()


def test_the_copy_is_for_its_owner_alone(client: Client) -> None:
    with ScriptedServer(whole()) as server:
        assert client.run(server.url) == (0, f"{client.file} downloaded\n")
    assert {(client.folder / name).stat().st_mode & 0o777 for name in client.saved} == {0o600}


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
        assert client.run(server.url) == (1, f"HTTP {status}\n")
    assert elsewhere.connections == 0
    assert client.saved == {}


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
    assert server.requests == []


def replaced(headers: dict[str, str], value: str) -> Iterator[dict[str, str]]:
    """The headers with one of them replaced, each in turn."""
    for name in headers:
        yield headers | {name: value}


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_headers_do_no_harm(client: Client, number: int) -> None:
    """Each program gets every value, and every script, in a third of the combinations: the programs share them."""
    value = HOSTILE[number]
    sound = {"ETag": '"a"', "Repr-Digest": digest(PDF)}
    first = {"ETag": '"a"', "Content-Range": "bytes 0-4/15"}
    rest = {"ETag": '"a"', "Content-Range": "bytes 5-14/15"}
    others = dict.fromkeys(("Location", "Content-Type", "Set-Cookie", "Accept-Ranges", "Last-Modified"), value)
    scripts = [
        *([reply(200, PDF, headers)] for headers in replaced(sound, value)),
        *([TOO_LARGE, reply(206, PDF[:5], headers), reply(206, PDF[5:], rest)] for headers in replaced(first, value)),
        *([TOO_LARGE, reply(206, PDF[:5], first), reply(206, PDF[5:], headers)] for headers in replaced(rest, value)),
        *(
            [reply(200, PDF, sound | {name: value})]
            for name in ("Content-Length", "Transfer-Encoding", "Content-Encoding")
        ),
        [reply(200, PDF, sound | {f"{value} ": value})],
        [*(error(status, value, others | {"Retry-After": value}) for status in (503, 409)), error(302, value, others)],
    ]
    first_script = (number + list(PROGRAMS).index(client.name)) % len(PROGRAMS)
    for script in scripts[first_script :: len(PROGRAMS)]:
        with ScriptedServer(*script) as server:
            code, output = client.run(server.url)
        assert re.fullmatch(r"[ -~]{1,300}\n", output)
        assert not (client.folder / "x").exists()
        if code == 0:
            assert client.file.read_bytes() == PDF
            assert client.tag.name not in client.saved or re.fullmatch(r'"[!#-~]+" \S+\n', client.tag.read_text())
        else:
            assert client.saved == {}
        for name in client.saved:
            (client.folder / name).unlink()


def test_many_headers_stop_no_program(client: Client) -> None:
    """They are as many as curl reads, 300 KB."""
    many = b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 70_000
    found = f'ETag: "a"\r\nRepr-Digest: {digest(PDF)}\r\nContent-Length: {len(PDF)}\r\n\r\n'.encode()
    with ScriptedServer(raw(many + found + PDF)) as server:
        code, output = client.run(server.url)
    assert re.fullmatch(r"[ -~]{1,300}\n", output)
    assert (code, client.file.exists()) in {(0, True), (1, False)}
