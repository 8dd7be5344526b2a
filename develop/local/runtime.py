"""Runs each function in separate processes, within the limits of the Lambda service."""

import importlib
import json
import multiprocessing
import os
import platform
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field

from develop.environment import CREDENTIALS
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
def in_processes(stack: Stack, logical_id: str, environment: Mapping[str, str]) -> Iterator[Invoke]:
    """Runs the function's handler in processes of its own, so that its environment variables affect no other."""
    properties = stack.resources[logical_id]["Properties"]
    processes = ExecutionEnvironments(properties["Handler"], {**CREDENTIALS, **environment})

    def invoke(event: bytes) -> bytes:
        reply = processes.run(_run, properties["Handler"], properties["Timeout"], event)
        if len(reply) > MAX_REPLY_BYTES:
            return json.dumps({"errorType": "Function.ResponseSizeTooLarge"}).encode()
        return reply

    try:
        yield invoke
    finally:
        processes.end()


class ExecutionEnvironments:
    """A pool of processes, started at once and restarted after one has died."""

    def __init__(self, handler: str, variables: Mapping[str, str]) -> None:
        self._handler = handler
        self._variables = variables
        self._start()

    def run[**P, T](self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return self._pool.submit(work, *args, **kwargs).result()
        except BrokenProcessPool:
            self._start()
            raise

    def end(self) -> None:
        self._pool.shutdown()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(MAX_ENVIRONMENTS, context, _prepare, (self._variables,))
        self._pool.submit(_warm_up, self._handler).result()


def _prepare(variables: Mapping[str, str]) -> None:
    os.environ.update(variables)
    # Ctrl-C reaches every process of the terminal; the parent ends this one itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _warm_up(handler: str) -> None:
    importlib.import_module(handler.rpartition(".")[0])


def _run(handler: str, timeout: float, event: bytes) -> bytes:
    module, _, name = handler.rpartition(".")
    run = getattr(importlib.import_module(module), name)
    return json.dumps(run(json.loads(event), Context(timeout))).encode()
