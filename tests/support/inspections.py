"""Inspections that end, block or exhaust their process, as a hostile PDF may. Processes import this module, so it
imports little."""

import os
import resource
import signal
import time
from typing import Any


def wait_forever(_: bytes) -> Any:
    time.sleep(1000)


def use_memory(_: bytes) -> Any:
    bytearray(2_000_000_000)


def kill_itself(_: bytes) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def describe_itself(_: bytes) -> Any:
    """Returns what Ctrl-C does, and the limit of memory."""
    return signal.getsignal(signal.SIGINT), resource.getrlimit(resource.RLIMIT_AS)[0]
