"""The built artifact under AWS's Runtime Interface Emulator: its own Python, its own path, one request at a time.

The emulator's binary comes with the SAM CLI. As on Lambda, nothing can be imported but the function, its layers and the
runtime client: this project's folders and tools are not on the path.
"""

import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Self

import psutil
import samcli
import urllib3
from samtranslator.yaml_helper import yaml_parse

from tools.local.runtime import CREDENTIALS
from tools.template import ROOT, Stack

BUILD = ROOT / ".aws-sam" / "build"
RUNTIME_PACKAGES = ("awslambdaric", "simplejson", "snapshot-restore-py")
INVOCATIONS = "/2015-03-31/functions/function/invocations"


class Emulator:
    """One sandbox of one function. Calling it invokes the function: event and reply as JSON."""

    def __init__(self, _stack: Stack, function: str, environment: Mapping[str, str]) -> None:
        self._properties = yaml_parse((BUILD / "template.yaml").read_text())["Resources"][function]["Properties"]
        self._environment = environment
        self._path = [BUILD / self._properties["CodeUri"], *_layers(self._properties)]
        self._clean_up = ExitStack()
        self._one_at_a_time = threading.Lock()
        self._http = urllib3.PoolManager(retries=False)

    def __enter__(self) -> Self:
        folder = Path(self._clean_up.enter_context(tempfile.TemporaryDirectory(prefix="lambda-")))
        self._runtime = folder / "runtime"
        _link_runtime(self._runtime)
        self._log = folder / "log"
        self._start()
        self._clean_up.callback(self.kill)
        return self

    def __exit__(self, *_: object) -> None:
        self._clean_up.close()

    def __call__(self, event: bytes) -> bytes:
        with self._one_at_a_time:
            return self._invoke(event)

    def _invoke(self, event: bytes) -> bytes:
        if self.process.poll() is not None:
            self._start()
        return self._http.request("POST", self._url, body=event).data

    def _start(self) -> None:
        port, api_port = _free_port(), _free_port()
        machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [
                    Path(samcli.__file__).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}",
                    *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
                    *("--runtime-api-address", f"127.0.0.1:{api_port}"),
                    *(sys._base_executable, "-m", "awslambdaric", self._properties["Handler"]),  # type: ignore[attr-defined]  # noqa: SLF001
                ],
                cwd=self._path[0],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join(str(path) for path in [*self._path, self._runtime]),
                    "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self._properties["Timeout"]),
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._properties["MemorySize"]),
                    **CREDENTIALS,
                    **self._environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._url = f"http://127.0.0.1:{port}{INVOCATIONS}"
        _wait_for(port)

    def kill(self) -> None:
        """Ends the sandbox at once, as Lambda may. The next call starts another one."""
        if self.process.poll() is None:
            # The emulator puts the runtime into a process group of its own.
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        """What the function and the emulator have written so far."""
        return self._log.read_text()


def _layers(properties: Mapping[str, Any]) -> list[Path]:
    return [BUILD / layer["Ref"] / "python" for layer in properties["Layers"]]


def _link_runtime(folder: Path) -> None:
    folder.mkdir()
    for package in RUNTIME_PACKAGES:
        distribution = importlib.metadata.distribution(package)
        for top in {file.parts[0] for file in distribution.files or []}:
            (folder / top).symlink_to(Path(str(distribution.locate_file(top))))


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
