"""The local service's stub of the provider."""

import socket
import struct

import pytest

from develop.local.provider import ProviderStub
from develop.local.stack import serving


def test_a_client_disconnect_prints_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    """The functions disconnect from a response that is not a certificate."""
    provider = ProviderStub("127.0.0.1", 0, "secret", {})
    with serving(provider), socket.create_connection(("127.0.0.1", provider.server_port)) as client:
        client.sendall(b"GET /v1/requests/unknown/certificate HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 401"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # unread bytes reset it
        client.close()
    provider.server_close()
    assert capfd.readouterr().err == ""
