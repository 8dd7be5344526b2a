"""Runs each function in separate processes, within the limits of the Lambda service."""

import importlib
import json
import multiprocessing
import os
import platform
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from develop.environment import CREDENTIALS

if TYPE_CHECKING:  # the processes of the functions need neither
    from develop.local.gateway import Invoke
    from develop.template import Stack

MAX_REPLY_BYTES = 6_291_556
MAX_ENVIRONMENTS = 2
ARCHITECTURE = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


@dataclass
class Context:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    timeout: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)
    function_version: str = "$LATEST"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.started + self.timeout - time.monotonic()) * 1000))


@contextmanager
def in_processes(stack: "Stack", logical_id: str, environment: Mapping[str, str]) -> "Iterator[Invoke]":
    """Runs the function's handler in processes of its own, so that its environment variables affect no other. After
    one has died, starts new ones."""
    properties = stack.resources[logical_id]["Properties"]
    module, _, name = properties["Handler"].rpartition(".")

    def start() -> ProcessPoolExecutor:
        context, variables = multiprocessing.get_context("spawn"), {**CREDENTIALS, **environment}
        pool = ProcessPoolExecutor(MAX_ENVIRONMENTS, context, _prepare, (module, variables))
        pool.submit(os.getpid).result()  # starts the first process at once
        return pool

    pools = [start()]

    def invoke(event: bytes) -> bytes:
        try:
            reply = pools[-1].submit(_run, module, name, properties["Timeout"], event).result()
        except BrokenProcessPool:
            pools.append(start())
            raise
        if len(reply) > MAX_REPLY_BYTES:
            return json.dumps({"errorType": "Function.ResponseSizeTooLarge"}).encode()
        return reply

    try:
        yield invoke
    finally:
        pools[-1].shutdown()


def _prepare(module: str, variables: Mapping[str, str]) -> None:
    os.environ.update(variables)
    # Ctrl-C reaches every process of the terminal; the parent ends this one itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    importlib.import_module(module)


def _exit_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _run(module: str, name: str, timeout: float, event: bytes) -> bytes:
    return json.dumps(getattr(sys.modules[module], name)(json.loads(event), Context(timeout))).encode()
