"""`make run`, as a newcomer uses it."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from pypdf import PdfReader

from develop.environment import CREDENTIALS, REGION
from develop.local.__main__ import main
from develop.local.seeds import SITUATIONS, signature_id
from develop.template import ROOT
from tests.service.artifact.conftest import SECONDS, wait_until


def free_ports() -> int:
    """Returns the first of three consecutive free ports, below those that the kernel gives to other programs."""
    for port in range(10000 + os.getpid() % 10000, 32768, 3):
        with socket.socket() as a, socket.socket() as b, socket.socket() as c:
            try:
                for offset, probe in enumerate((a, b, c)):
                    probe.bind(("127.0.0.1", port + offset))
            except OSError:
                continue
            return port
    raise AssertionError("no free ports")


WITH_SHORT_LIVES = """\
import signal
from develop.local import __main__ as run
def announce(running, announce=run.announce):
    announce(running)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
run.announce, run.TOKEN_SECONDS['oauth'] = announce, 5
run.main()
"""
"""Starts `make run` with access tokens that live for seconds. Another thread than the main one receives Ctrl-C."""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, list[str]]]:
    """The process, its first port, and what it printed until it was ready. The user's AWS settings are malformed."""
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text("[default\ns3 =\n  use_accelerate_endpoint = true\n")
    users_own = {"HOME": str(tmp_path), "AWS_PROFILE": "work", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
    users_own |= {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}
    port, output = free_ports(), tmp_path / "output"
    command = [sys.executable, "-c", WITH_SHORT_LIVES, "--port", str(port), "--provider", "oauth"]
    with (
        output.open("w") as file,
        subprocess.Popen(command, cwd=ROOT, env=os.environ | users_own, stdout=file) as process,
    ):
        try:
            wait_until(lambda: "\nready\n" in output.read_text() or process.poll() is not None)
            yield process, port, output.read_text().splitlines()
        finally:
            process.kill()


def run(line: str, folder: Path) -> str:
    return subprocess.run(shlex.split(line), cwd=folder, check=True, capture_output=True).stdout.decode("latin-1")


def test_the_printed_commands_work_also_without_the_provider_and_after_the_first_access_token(
    running: tuple[subprocess.Popen[bytes], int, list[str]], tmp_path: Path
) -> None:
    process, port, lines = running
    curls = [line for line in lines if line.startswith("curl ")]
    assert len(curls) == len(SITUATIONS) + 3
    download, (complete, stop, restart) = curls[0], curls[-3:]
    token, certificate = read_secret(port), tmp_path / "certificate.pdf"
    run(download, tmp_path)
    first = certificate.read_bytes()
    assert "Completion certificate" in PdfReader(certificate).pages[0].extract_text()
    assert run(stop, tmp_path) == "stopped\n"
    run(download, tmp_path)
    assert certificate.read_bytes() == first
    assert run(restart, tmp_path) == "started\n"
    for situation, curl in zip(SITUATIONS, curls, strict=False):
        if situation.status != 200:
            assert run(curl, tmp_path).startswith(f"HTTP/1.1 {situation.status} ")
    operate = lines[lines.index("# the operator's commands work on it, too") + 1]
    assert "waiting" in run(operate, ROOT)
    reference = lines[lines.index("# the API reference, to read and to try") + 1]
    with urllib.request.urlopen(reference) as page:  # noqa: S310
        assert b"<title>Craftkit completion certificates</title>" in page.read()

    ask = f"curl -s -o /dev/null -w %{{http_code}} -H 'Authorization: Bearer {token}' http://127.0.0.1:{port + 2}"
    wait_until(lambda: run(f"{ask}/v1/requests/req_first/certificate", tmp_path) == "401")
    id_ = run(complete, tmp_path).strip()

    def downloads() -> bool:
        run(download.replace(signature_id("download_first"), id_), tmp_path)
        return certificate.read_bytes().startswith(b"%PDF-")

    wait_until(downloads)
    assert read_secret(port) != token
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(download.split()[-1])  # noqa: S310


def read_secret(port: int) -> str:
    session = boto3.Session(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    client = session.client("secretsmanager", endpoint_url=f"http://127.0.0.1:{port + 1}")
    return str(client.get_secret_value(SecretId="craftkit/provider-secret")["SecretString"])


def test_a_port_in_use_is_a_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(sys, "argv", ["", "--port", str(port)])
        message = f"Port {port} can't be used: Address already in use. Choose another first port: make run PORT=4000"
        with pytest.raises(SystemExit, match=f"^{re.escape(message)}$"):
            main()
