"""Sends every event through `sam local invoke`, and every download through `sam local start-api`.

Both run the built artifact in Docker, against the local service. Without Docker, nothing runs and one line says so.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from develop.local import seeds
from develop.local.__main__ import TOKEN_SECONDS
from develop.local.runtime import ARCHITECTURE
from develop.local.stack import ARCHIVE, DOWNLOAD, REFRESH
from develop.template import ROOT

LOCAL_SERVICE, API = "http://127.0.0.1:3000", "http://127.0.0.1:3010"
# For containers, and with access tokens, so that there is something to refresh.
LOCAL_COMMAND = [sys.executable, "-m", "develop.local", "--host", "0.0.0.0", "--provider", "oauth"]  # noqa: S104


def main() -> None:
    if not _is_docker_running():
        print("skipped: sam local needs Docker, which does not respond")
        return
    started = time.monotonic()
    with _local_service():
        wrong = [*_invoke_events(), *_download_all()]
    if wrong:
        sys.exit(f"unexpected responses: {', '.join(wrong)}")
    print(f"all as expected, in {time.monotonic() - started:.0f} s")


def _invoke_events() -> Iterator[str]:
    """Yields the events with an unexpected reply."""
    for download in seeds.SITUATIONS:
        status = _invoke(DOWNLOAD, download.event)["statusCode"]
        print(f"{status}  {download.event}", flush=True)
        if status != download.status:
            yield download.event
    for archive in seeds.ARCHIVE_SITUATIONS:
        later = len(_invoke(ARCHIVE, archive.event)["batchItemFailures"])
        print(f"{later:>3}  {archive.event}", flush=True)
        if later != archive.later:
            yield archive.event
    refreshed = _invoke(REFRESH, seeds.REFRESH_EVENT)
    print(f"{refreshed.get('seconds')}  {seeds.REFRESH_EVENT}: the seconds that the access token lives", flush=True)
    if refreshed.get("seconds") != TOKEN_SECONDS["oauth"]:
        yield seeds.REFRESH_EVENT


def _invoke(function: str, event: str) -> dict[str, Any]:
    output = _run(*_sam_local("invoke", function, "--event", f"events/{event}.json"))
    return dict(json.loads(output.splitlines()[-1]))


def _download_all() -> Iterator[str]:
    """Yields the requests with an unexpected status, or with another body than the local service sends."""
    with _api():
        for situation in seeds.SITUATIONS:
            status, body = _curl(situation, API)
            print(f"{status}  {situation.event}, by HTTP: {len(body):,} bytes", flush=True)
            if (situation.status, body) != (status, _curl(situation, LOCAL_SERVICE)[1]):
                yield f"{situation.event} by HTTP"


def _curl(situation: seeds.Situation, url: str) -> tuple[int, bytes]:
    event = seeds.event(situation.event)
    answer = _run("curl", "-sS", "-w", "%{http_code}", *seeds.curl_headers(event), url + event["path"])
    return int(answer[-3:]), answer[:-3]


@contextmanager
def _local_service() -> Iterator[None]:
    with (
        tempfile.NamedTemporaryFile() as output,
        _running(LOCAL_COMMAND, output) as process,
    ):
        said = Path(output.name)
        while b"\nready\n" not in said.read_bytes():
            if process.poll() is not None:
                sys.exit(said.read_text())
            time.sleep(0.1)
        yield


@contextmanager
def _api() -> Iterator[None]:
    with _running(_sam_local("start-api", "--warm-containers", "LAZY"), subprocess.DEVNULL):
        _run("curl", "-sS", "--retry", "60", "--retry-connrefused", "--retry-delay", "1", API)
        yield


def _sam_local(*arguments: str) -> list[str]:
    """The first command pulls Lambda's image if it is missing."""
    has_image = _run("docker", "image", "ls", "--quiet", f"*/lambda/python:3.13-{ARCHITECTURE}")
    return ["sam", "local", *arguments, *(["--skip-pull-image"] if has_image else [])]


@contextmanager
def _running(command: list[str], output: IO[bytes] | int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as process:
        try:
            yield process
        finally:
            process.terminate()


def _run(*command: str) -> bytes:
    """Returns standard output. If the command fails, exits with its standard error."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(command)}\n{result.stderr.decode()}")
    return result.stdout


def _is_docker_running() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    main()
