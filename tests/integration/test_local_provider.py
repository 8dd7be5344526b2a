"""The local stack's stand-in for the signature service."""

import socket
import struct

import pytest

from tools.local.provider import StandInProvider
from tools.local.stack import serving


def test_a_client_that_reads_no_further_leaves_no_trace_in_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """As the functions do with an answer that is no certificate."""
    provider = StandInProvider("127.0.0.1", 0, "secret", {})
    with serving(provider), socket.create_connection(("127.0.0.1", provider.server_port)) as client:
        client.sendall(b"GET /v1/requests/unknown/certificate HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 401"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # what is unread resets it
        client.close()
    provider.server_close()
    assert capfd.readouterr().err == ""
