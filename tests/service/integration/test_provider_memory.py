"""A lying provider costs little memory, and ends although its time does not."""

import gzip
import json
import socket
import subprocess
import sys
from typing import Any

import pytest

from certificates.provider import MAX_LINK_RESPONSE_BYTES
from develop.fakes.server import Response, ScriptedServer, reply
from develop.template import ROOT, Stack
from tests.support.pdf import pdf

MIB = 1024 * 1024


def endless(head: bytes, chunk: bytes) -> Response:
    def respond(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        while True:
            connection.sendall(chunk)

    return respond


def bomb(connection: socket.socket) -> None:
    """Compresses when it is asked for: every process that collects tests would have to."""
    body = gzip.compress(b"%PDF-" + bytes(200 * MIB), compresslevel=1)
    reply(body=body, headers={"Content-Encoding": "gzip"})(connection)


def fetch(*responses: Response, link_field: str = "", times: int, at_once: int = 1) -> tuple[list[Any], float]:
    """Fetches in a process of its own. Returns the outcomes and the peak of its memory in MiB."""
    with ScriptedServer(*responses) as server:
        run = [sys.executable, "-m", "tests.support.fetch_once", server.url, link_field, str(times), str(at_once)]
        result = json.loads(subprocess.run(run, cwd=ROOT, check=True, capture_output=True).stdout)
    return result["outcomes"], result["peak"] / MIB


@pytest.mark.threat("API4")
def test_too_much_is_refused_and_the_largest_certificate_fetched_in_little_memory() -> None:
    negative_chunk = endless(b"Transfer-Encoding: chunked\r\n-1\r\n", bytes(MIB))
    responses = {
        reply(body=pdf(20 * MIB)): 20 * MIB,
        bomb: "too_large",
        endless(b"", b"%PDF-" + bytes(MIB)): "too_large",
        endless(b"Transfer-Encoding: chunked\r\n", b"100000\r\n" + bytes(MIB) + b"\r\n"): "too_large",
        endless(b"Content-Encoding: gzip\r\n", gzip.compress(bytes(MIB))): "too_large",
        negative_chunk: "broken_answer",
    }
    outcomes, peak = fetch(*responses, times=len(responses))
    assert outcomes == list(responses.values())
    assert peak < 160


@pytest.mark.threat("API4")
def test_ten_link_documents_at_once_fit_into_the_archive_functions_memory(stack: Stack) -> None:
    """Five of them: parsed one after another, the other five add only their bytes."""
    document = b"[" + b"{}," * (MAX_LINK_RESPONSE_BYTES // 3 - 1) + b"0]"
    outcomes, peak = fetch(reply(body=document), link_field="url", times=5, at_once=5)
    memory = stack.resources["ArchiveCertificateFunction"]["Properties"]["MemorySize"]
    assert outcomes == ["link_missing"] * 5
    assert peak + 5 * MAX_LINK_RESPONSE_BYTES / MIB < memory / 2
