"""Runs the built artifact under AWS's Runtime Interface Emulator, isolated and one request at a time.

The emulator's binary comes with the SAM CLI. As on Lambda, only the function, its layers and the runtime client can be
imported: this project's folders and tools are not on the path.
"""

import importlib.metadata
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
import samcli
import urllib3
from samtranslator.yaml_helper import yaml_parse

from develop.environment import CREDENTIALS
from develop.local.runtime import ARCHITECTURE
from develop.template import ROOT, Stack

BUILD = ROOT / ".aws-sam" / "build"
RUNTIME_PACKAGES = ("awslambdaric", "simplejson", "snapshot-restore-py")
START_SECONDS = 60
INVOCATIONS = "/2015-03-31/functions/function/invocations"


@dataclass(frozen=True)
class Package:
    """A function and its layers, as Lambda unpacks them. `folders` are on the path: the function's, then each layer's.
    `timeout` is in seconds, `memory` in MiB."""

    handler: str
    folders: list[Path]
    timeout: int = 30
    memory: int = 1024


def find_built(function: str) -> Package:
    """Finds a function in `.aws-sam/build` by its logical id."""
    template = yaml_parse((BUILD / "template.yaml").read_text())
    properties = template["Globals"]["Function"] | template["Resources"][function]["Properties"]
    layers = [BUILD / layer["Ref"] / "python" for layer in properties["Layers"]]
    folders = [BUILD / properties["CodeUri"], *layers]
    return Package(properties["Handler"], folders, properties["Timeout"], properties["MemorySize"])


class ExecutionEnvironment:
    """One running copy of a function. Calling it invokes the function: event and reply are JSON."""

    def __init__(self, package: Package, variables: Mapping[str, str]) -> None:
        self._package = package
        self._variables = variables
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
            if self.process.poll() is not None:
                self._start()
            return self._http.request("POST", self._url, body=event).data

    def _start(self) -> None:
        port, api_port = reserve_port(), reserve_port()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    Path(samcli.__file__).parent / "local" / "rapid" / f"aws-lambda-rie-{ARCHITECTURE}",
                    *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
                    *("--runtime-api-address", f"127.0.0.1:{api_port}"),
                    *(sys._base_executable, "-m", "awslambdaric", self._package.handler),  # type: ignore[attr-defined]  # noqa: SLF001
                ],
                cwd=self._package.folders[0],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join(str(path) for path in [*self._package.folders, self._runtime]),
                    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
                    "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self._package.timeout),
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._package.memory),
                    **CREDENTIALS,
                    **self._variables,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._url = f"http://127.0.0.1:{port}{INVOCATIONS}"
        _wait_for(port)

    def runtime(self) -> psutil.Process:
        """Returns the Python process that runs the function. It exists from the first call on."""
        (process,) = psutil.Process(self.process.pid).children(recursive=True)
        return process

    def kill(self) -> None:
        """Ends the execution environment at once, as Lambda may. The next call starts another one."""
        if self.process.poll() is None:
            # The runtime has its own process group.
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        """Returns the output of the function and the emulator so far."""
        return self._log.read_text()


class Emulator(ExecutionEnvironment):
    """One execution environment of one function of the stack."""

    def __init__(self, _stack: Stack, function: str, environment: Mapping[str, str]) -> None:
        super().__init__(find_built(function), environment)


def _link_runtime(folder: Path) -> None:
    folder.mkdir()
    for package in RUNTIME_PACKAGES:
        distribution = importlib.metadata.distribution(package)
        for top in {file.parts[0] for file in distribution.files or []}:
            (folder / top).symlink_to(Path(str(distribution.locate_file(top))))


def reserve_port() -> int:
    """Returns a port on which a program can listen, and which the kernel gives to no other program for a minute: the
    closed connection is in the state TIME_WAIT that long (RFC 9293, section 3.3.2)."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()),
        server.accept()[0],
    ):
        return int(server.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
