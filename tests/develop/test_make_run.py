"""`make run`, as a newcomer uses it."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
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


Start = Callable[..., tuple[subprocess.Popen[bytes], list[str]]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Returns the process, and what it printed until it was ready. The user's AWS configuration is malformed."""
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text("[default\ns3 =\n  use_accelerate_endpoint = true\n")
    users_own = {"HOME": str(tmp_path), "AWS_PROFILE": "work", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
    output = tmp_path / "output"
    running: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> tuple[subprocess.Popen[bytes], list[str]]:
        with output.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=os.environ | users_own | {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"},
                stdout=file,
            )
        running.append(process)
        wait_until(lambda: "\nready\n" in output.read_text() or process.poll() is not None)
        return process, output.read_text().splitlines()

    yield run
    for process in running:
        process.kill()
        process.wait()


def run(line: str, folder: Path) -> str:
    return subprocess.run(shlex.split(line), cwd=folder, check=True, capture_output=True).stdout.decode("latin-1")


def test_the_first_line_downloads_also_without_the_provider(start: Start, tmp_path: Path) -> None:
    process, lines = start("-m", "develop.local", "--port", str(free_ports()))
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
    operate = lines[lines.index("# the operator's commands work on it, too") + 1]
    assert "waiting" in run(operate, ROOT)
    reference = lines[lines.index("# the API reference, to read and to try") + 1]
    with urllib.request.urlopen(reference) as page:  # noqa: S310
        assert b"<title>Craftkit completion certificates</title>" in page.read()
    url = curls[0].split()[-1]
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)  # noqa: S310


WITH_SHORT_LIVES = "from develop.local import __main__ as run; run.TOKEN_SECONDS['oauth'] = 2; run.main()"


def test_downloads_work_also_after_the_first_access_token_has_ended(start: Start, tmp_path: Path) -> None:
    port = free_ports()
    _, lines = start("-c", WITH_SHORT_LIVES, "--port", str(port), "--provider", "oauth")
    download, complete = (next(line for line in lines if line.startswith(f"curl -sS {end}")) for end in ("-o", "-X"))
    run(download, tmp_path)
    first = (tmp_path / "certificate.pdf").read_bytes()
    assert first.startswith(b"%PDF-")
    token = read_secret(port)
    ask = f"curl -s -o /dev/null -w %{{http_code}} -H 'Authorization: Bearer {token}' http://127.0.0.1:{port + 2}"
    wait_until(lambda: run(f"{ask}/v1/requests/req_first/certificate", tmp_path) == "401")
    id_ = run(complete, tmp_path).strip()

    def downloads() -> bool:
        run(download.replace(signature_id("download_first"), id_), tmp_path)
        return (tmp_path / "certificate.pdf").read_bytes().startswith(b"%PDF-")

    wait_until(downloads)
    assert read_secret(port) != token


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
