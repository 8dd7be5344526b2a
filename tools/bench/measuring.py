"""How it is measured: sandboxes of all contenders in turn, round after round."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psutil

from tools.bench.contenders import Contender, download_event
from tools.bench.results import Cold, Warm
from tools.bench.stub import certificate_id
from tools.local.emulator import Sandbox

SIZE = 200_000
"""Bytes of the usual certificate."""

WARM_REQUESTS = 25
"""In a row, for each contender and round. CPU time is counted in steps of 10 ms."""

Advance = Callable[[], object]
"""Moves the progress on by one step."""


def cold_starts(contenders: Sequence[Contender], rounds: int, advance: Advance) -> Cold:
    """One round more than counts: the first one brings the files into memory. `rounds` + 1 steps."""
    milliseconds, cpu = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for number in range(rounds + 1):
        for contender in contenders:
            with contender.sandbox() as sandbox:
                taken = _download(sandbox, SIZE)
                if number:
                    milliseconds[contender.name].append(taken)
                    cpu[contender.name].append(_cpu(sandbox.runtime()))
        advance()
    return Cold(milliseconds, cpu)


def warm_requests(contenders: Sequence[Contender], rounds: int, advance: Advance) -> Warm:
    """`rounds` + 1 steps, the first of which warms up."""
    milliseconds, cpu = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    with ExitStack() as running:
        sandboxes = {contender.name: running.enter_context(contender.sandbox()) for contender in contenders}
        for number in range(rounds + 1):
            for name, sandbox in sandboxes.items():
                taken, used = _downloads(sandbox, SIZE, WARM_REQUESTS)
                if number:
                    milliseconds[name].append(taken)
                    cpu[name].append(used)
            advance()
        return Warm(milliseconds, cpu, {name: _peak(sandbox.runtime()) for name, sandbox in sandboxes.items()})


def _downloads(sandbox: Sandbox, size: int, requests: int) -> tuple[float, float]:
    """The median of their milliseconds, and the milliseconds of CPU for each."""
    _download(sandbox, size)
    process = sandbox.runtime()
    before = _cpu(process)
    taken = median(_download(sandbox, size) for _ in range(requests))
    return taken, (_cpu(process) - before) / requests


def _download(sandbox: Sandbox, size: int) -> float:
    """Milliseconds until the answer was there."""
    event = json.dumps(download_event(certificate_id(size))).encode()
    started = time.perf_counter()
    reply = sandbox(event)
    milliseconds = (time.perf_counter() - started) * 1000
    if b'"statusCode": 20' not in reply[-1000:] + reply[:1000]:
        raise RuntimeError(f"{reply[:1000]!r}\n{sandbox.log()[-5000:]}")
    return milliseconds


def _cpu(process: psutil.Process) -> float:
    """Milliseconds so far."""
    times = process.cpu_times()
    return (times.user + times.system) * 1000


def _peak(process: psutil.Process) -> int:
    """The most memory that the process has had, in bytes."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024
