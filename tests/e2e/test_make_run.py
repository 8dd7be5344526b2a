"""`make run`, as a newcomer uses it."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader

from tools.local.seeds import SITUATIONS
from tools.template import ROOT


def free_ports() -> int:
    """Returns the first of three consecutive free ports."""
    for port in range(20000 + os.getpid() % 20000, 65000, 3):
        with socket.socket() as a, socket.socket() as b, socket.socket() as c:
            try:
                for offset, probe in enumerate((a, b, c)):
                    probe.bind(("127.0.0.1", port + offset))
            except OSError:
                continue
            return port
    raise AssertionError("no free ports")


END_SECONDS = 120
"""Far more than needed, for busy machines."""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The process, and what it printed until it was ready. The user's AWS configuration is malformed."""
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text("[default\ns3 =\n  use_accelerate_endpoint = true\n")
    users_own = {"HOME": str(tmp_path), "AWS_PROFILE": "work", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.local", "--port", str(free_ports())],
        cwd=ROOT,
        env=os.environ | users_own | {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    lines = []
    for line in process.stdout:
        if line == "ready\n":
            break
        lines.append(line.rstrip("\n"))
    yield process, lines
    process.kill()
    process.wait()
    process.stdout.close()


def run(line: str, folder: Path) -> str:
    return subprocess.run(shlex.split(line), cwd=folder, check=True, capture_output=True).stdout.decode("latin-1")


def test_the_first_line_downloads_also_without_the_provider(
    started: tuple[subprocess.Popen[str], list[str]], tmp_path: Path
) -> None:
    process, lines = started
    curls = [line for line in lines if line.startswith("curl ")]
    assert len(curls) == len(SITUATIONS) + 3
    run(curls[0], tmp_path)
    first = (tmp_path / "certificate.pdf").read_bytes()
    assert "Completion certificate" in PdfReader(tmp_path / "certificate.pdf").pages[0].extract_text()
    assert run(curls[-2], tmp_path) == "stopped\n"
    run(curls[0], tmp_path)
    assert (tmp_path / "certificate.pdf").read_bytes() == first
    assert run(curls[-1], tmp_path) == "started\n"
    for situation, curl in zip(SITUATIONS, curls, strict=False):
        if situation.status != 200:
            assert run(curl, tmp_path).startswith(f"HTTP/1.1 {situation.status} ")
    reference = lines[lines.index("# the API reference, to read and to try") + 1]
    with urllib.request.urlopen(reference) as page:  # noqa: S310
        assert b"<title>Craftkit completion certificates</title>" in page.read()
    url = curls[0].split()[-1]
    process.send_signal(signal.SIGINT)
    assert process.wait(END_SECONDS) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)  # noqa: S310


def test_a_port_in_use_is_a_clear_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "tools.local", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    message = f"Port {port} can't be used: Address already in use. Choose another first port: make run PORT=4000\n"
    assert (result.stdout, result.stderr) == ("", message)
