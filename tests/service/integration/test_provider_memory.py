"""A lying provider costs little memory, and ends although its time does not."""

import gzip
import json
import socket
import subprocess
import sys

import pytest

from certificates.provider import MAX_LINK_RESPONSE_BYTES
from develop.fakes.server import Response, ScriptedServer, reply
from develop.template import ROOT, Stack
from tests.support.pdf import pdf

MIB = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\n"


def endless(head: bytes, chunk: bytes) -> Response:
    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD + head + b"\r\n")
        while True:
            connection.sendall(chunk)

    return answer


def bomb(connection: socket.socket) -> None:
    """Compresses when it is asked for: every process that collects tests would have to."""
    reply(body=gzip.compress(b"%PDF-" + bytes(200 * MIB)), headers={"Content-Encoding": "gzip"})(connection)


def fetch(answer: Response, link_field: str = "", times: int = 1) -> dict[str, float | str]:
    with ScriptedServer(answer) as server:
        run = [sys.executable, "-m", "tests.support.fetch_once", server.url, link_field, str(times)]
        return dict(json.loads(subprocess.run(run, cwd=ROOT, check=True, capture_output=True).stdout))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(bomb, id="bomb"),
        pytest.param(endless(b"", b"%PDF-" + bytes(MIB)), id="endless"),
        pytest.param(endless(b"Transfer-Encoding: chunked\r\n", b"100000\r\n" + bytes(MIB) + b"\r\n"), id="chunks"),
        pytest.param(endless(b"Transfer-Encoding: chunked\r\n-1\r\n", bytes(MIB)), id="negative-chunk"),
        pytest.param(endless(b"Content-Encoding: gzip\r\n", gzip.compress(bytes(MIB))), id="gzip-members"),
    ],
)
@pytest.mark.threat("API4")
def test_too_much_is_refused_in_little_memory(answer: Response) -> None:
    result = fetch(answer)
    assert result["outcome"] in {"too_large", "broken_answer"}
    assert float(result["peak"]) < 160 * MIB


def test_the_largest_certificate_fits_too() -> None:
    result = fetch(reply(body=pdf(20 * MIB)))
    assert result["outcome"] == 20 * MIB
    assert float(result["peak"]) < 160 * MIB


@pytest.mark.threat("API4")
def test_ten_link_documents_at_once_fit_into_the_archive_functions_memory(stack: Stack) -> None:
    document = b"[" + b"{}," * (MAX_LINK_RESPONSE_BYTES // 3 - 1) + b"0]"
    result = fetch(reply(body=document), "url", 10)
    memory = stack.resources["ArchiveCertificateFunction"]["Properties"]["MemorySize"]
    assert result["outcome"] == "link_missing"
    assert float(result["peak"]) < memory * MIB / 2
