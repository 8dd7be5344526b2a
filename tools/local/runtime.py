"""The functions in processes of their own, behind the limits of the Lambda service."""

import importlib
import json
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.local.gateway import Invoke
from tools.template import REGION, Stack

MOST_REPLY_BYTES = 6_291_556
MOST_SANDBOXES = 2
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


@dataclass
class Context:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    timeout: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.started + self.timeout - time.monotonic()) * 1000))


@contextmanager
def in_processes(stack: Stack, logical_id: str, environment: Mapping[str, str]) -> Iterator[Invoke]:
    """The function's own handler, imported as on Lambda; a sandbox each, which keeps its environment to itself."""
    properties = stack.resources[logical_id]["Properties"]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(MOST_SANDBOXES, context, _start, ({**CREDENTIALS, **environment},)) as sandboxes:

        def invoke(event: bytes) -> bytes:
            reply = sandboxes.submit(_run, properties["Handler"], properties["Timeout"], event).result()
            if len(reply) > MOST_REPLY_BYTES:
                return json.dumps({"errorType": "Function.ResponseSizeTooLarge"}).encode()
            return reply

        sandboxes.submit(_warm_up, properties["Handler"]).result()
        yield invoke


def _start(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    # Ctrl-C reaches every process of a terminal; the parent ends this one in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _warm_up(handler: str) -> None:
    importlib.import_module(handler.rpartition(".")[0])


def _run(handler: str, timeout: float, event: bytes) -> bytes:
    module, _, name = handler.rpartition(".")
    run = getattr(importlib.import_module(module), name)
    return json.dumps(run(json.loads(event), Context(timeout))).encode()
