"""Measures the execution environments of all contenders in turn, in each round."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

import psutil

from develop.bench.contenders import Contender, archive_event, download_event
from develop.bench.results import SIZE, Costs
from develop.bench.stub import certificate_id
from develop.local.emulator import ExecutionEnvironment

MakeEvent = Callable[[], Mapping[str, object]]
_NUMBERS = count()


@dataclass(frozen=True)
class Run:
    """Consecutive requests in one execution environment, in each round."""

    contender: Contender
    make_event: MakeEvent
    requests: int = 25


def download() -> Mapping[str, object]:
    return download_event(certificate_id(SIZE))


def first_download() -> Mapping[str, object]:
    return download_event(certificate_id(SIZE, next(_NUMBERS), archived=False))


def batch(number: int) -> MakeEvent:
    return lambda: archive_event([certificate_id(SIZE, next(_NUMBERS), archived=False) for _ in range(number)])


def cold_starts(contenders: Sequence[Contender], rounds: int) -> dict[str, Costs]:
    """One round more loads the files into memory, and does not count."""
    costs = {contender.name: Costs() for contender in contenders}
    for number in range(rounds + 1):
        first = number % len(contenders)  # after-effects of the previous contender hit all equally
        for contender in [*contenders[first:], *contenders[:first]]:
            with contender.start() as instance:
                taken = _send(instance, download())
                if number:
                    costs[contender.name].milliseconds.append(taken)
                    costs[contender.name].cpu.append(_cpu(instance.runtime()))
    return costs


def warm[Key](runs: Mapping[Key, Run], rounds: int) -> dict[Key, Costs]:
    """Neither one round more nor the first request of each turn counts."""
    costs = {key: Costs() for key in runs}
    with ExitStack() as running:
        instances = {key: running.enter_context(run.contender.start()) for key, run in runs.items()}
        for number in range(rounds + 1):
            for key, run in runs.items():
                _send(instances[key], run.make_event())
                process = instances[key].runtime()
                before = _cpu(process)
                taken = [_send(instances[key], run.make_event()) for _ in range(run.requests)]
                if number:
                    costs[key].milliseconds.append(median(taken))
                    costs[key].cpu.append((_cpu(process) - before) / run.requests)
                    costs[key].peak = _peak(process)
    return costs


def _send(instance: ExecutionEnvironment, event: Mapping[str, object]) -> float:
    """Returns the milliseconds until the reply arrived."""
    body = json.dumps(event).encode()
    started = time.perf_counter()
    reply = instance(body)
    milliseconds = (time.perf_counter() - started) * 1000
    parsed = json.loads(reply)
    if parsed.get("statusCode") != 200 and parsed != {"batchItemFailures": []}:
        raise RuntimeError(f"{reply[:1000]!r}\n{instance.log()[-5000:]}")
    return milliseconds


def _cpu(process: psutil.Process) -> float:
    """Returns the CPU milliseconds used so far."""
    clock = ~process.pid << 3 | 2  # what clock_getcpuclockid(3) returns: psutil's times have steps of 10 ms
    return time.clock_gettime(clock) * 1000


def _peak(process: psutil.Process) -> int:
    """Returns the peak memory of the process in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024
