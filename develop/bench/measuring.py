"""Measures the execution environments of all contenders in turn, in each round."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import count, repeat
from pathlib import Path
from statistics import median

import psutil

from develop.bench.contenders import Contender, archive_event, download_event
from develop.bench.results import SIZE, Batches, Costs, Growth, Restored, Warm
from develop.bench.stub import certificate_id
from develop.local.emulator import ExecutionEnvironment

REQUESTS = 25
"""Consecutive requests per contender and round."""

GROWTH_REQUESTS = 15
SIZES = (10_000, 100_000, SIZE, 1_000_000, 2_500_000, 4_400_000)
ARCHIVING_SIZES = (SIZE, 4_400_000)

Advance = Callable[[], object]
"""Advances the progress by one step."""


def cold_starts(contenders: Sequence[Contender], rounds: int, advance: Advance) -> Costs:
    """`rounds` + 1 steps, the first of which loads the files into memory and does not count."""
    milliseconds, cpu = _by_name(contenders), _by_name(contenders)
    for number in range(rounds + 1):
        for contender in _in_turn(contenders, number):
            with contender.start() as instance:
                taken = _download(instance)
                if number:
                    milliseconds[contender.name].append(taken)
                    cpu[contender.name].append(_cpu(instance.runtime()))
        advance()
    return Costs(milliseconds, cpu)


def warm_requests(contenders: Sequence[Contender], rounds: int, advance: Advance) -> Warm:
    """`rounds` + 1 steps, the first of which warms up and does not count."""
    milliseconds, cpu = _by_name(contenders), _by_name(contenders)
    with ExitStack() as running:
        instances = {contender.name: running.enter_context(contender.start()) for contender in contenders}
        for number in range(rounds + 1):
            for name, instance in instances.items():
                taken, used = _downloads(instance, SIZE, REQUESTS)
                if number:
                    milliseconds[name].append(taken)
                    cpu[name].append(used)
            advance()
        return Warm(milliseconds, cpu, {name: _peak(instance.runtime()) for name, instance in instances.items()})


def restored(contender: Contender, rounds: int, advance: Advance) -> Restored:
    """`rounds` + 1 steps, the first of which does not count."""
    first, warm = [], []
    for number in range(rounds + 1):
        with contender.start() as instance:
            _invoke(instance, {})  # imports everything and runs the hooks of the snapshot
            taken = _download(instance)
            if number:
                first.append(taken)
                warm.append(_downloads(instance, SIZE, REQUESTS)[0])
        advance()
    return Restored(first, warm)


def first_downloads(contenders: Sequence[Contender], rounds: int, advance: Advance) -> Costs:
    """`rounds` + 1 steps, the first of which warms up and does not count."""
    milliseconds, cpu = _by_name(contenders), _by_name(contenders)
    numbers = count()
    with ExitStack() as running:
        instances = {contender.name: running.enter_context(contender.start()) for contender in contenders}
        for number in range(rounds + 1):
            for name, instance in instances.items():
                ids = (certificate_id(SIZE, next(numbers), archived=False) for _ in range(REQUESTS + 1))
                taken, used = _time_downloads(instance, ids)
                if number:
                    milliseconds[name].append(taken)
                    cpu[name].append(used)
            advance()
        return Costs(milliseconds, cpu)


def growth(contenders: Sequence[Contender], rounds: int, advance: Advance) -> Growth:
    """`rounds` + 1 steps, the first of which warms up. Each size has its own execution environment."""
    milliseconds, cpu = _by_name_and_size(contenders), _by_name_and_size(contenders)
    peak: dict[str, dict[int, int]] = {contender.name: {} for contender in contenders}
    with ExitStack() as running:
        instances = {
            (contender.name, size): running.enter_context(contender.start())
            for size in SIZES
            for contender in contenders
        }
        for instance in instances.values():
            _download(instance, certificate_id(min(SIZES)))
            _reset_peak(instance.runtime())
        for number in range(rounds + 1):
            for (name, size), instance in instances.items():
                taken, used = _downloads(instance, size, GROWTH_REQUESTS)
                if number:
                    milliseconds[name][size].append(taken)
                    cpu[name][size].append(used)
            advance()
        for (name, size), instance in instances.items():
            peak[name][size] = _peak(instance.runtime())
    return Growth(milliseconds, cpu, peak)


def archiving(archiver: Contender, rounds: int, advance: Advance) -> Mapping[int, Batches]:
    """`rounds` + 1 steps for each of ARCHIVING_SIZES, the first of which warms up and does not count."""
    return {size: _batches(archiver, size, rounds, advance) for size in ARCHIVING_SIZES}


def _batches(archiver: Contender, size: int, rounds: int, advance: Advance) -> Batches:
    one, ten, cpu = [], [], []
    numbers = count()
    with archiver.start() as of_one, archiver.start() as of_ten:
        for number in range(rounds + 1):
            one.append(_archive(of_one, [certificate_id(size, next(numbers), archived=False)]))
            before = _cpu(of_ten.runtime()) if number else 0
            ten.append(_archive(of_ten, [certificate_id(size, next(numbers), archived=False) for _ in range(10)]))
            cpu.append((_cpu(of_ten.runtime()) - before) / 10)
            advance()
        return Batches(one[1:], ten[1:], cpu[1:], _peak(of_one.runtime()), _peak(of_ten.runtime()))


def endurance(contender: Contender, requests: int, advance: Advance) -> Mapping[int, int]:
    """Measures memory after every tenth of the requests, all in one execution environment. Ten steps."""
    memory: dict[int, int] = {}
    with contender.start() as instance:
        for tenth in range(1, 11):
            for _ in range(requests // 10):
                _download(instance)
            memory[requests // 10 * tenth] = instance.runtime().memory_info().rss
            advance()
    return memory


def _in_turn(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """Rotates the first contender of a round: after-effects of the previous one hit all equally."""
    first = number % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def _by_name(contenders: Sequence[Contender]) -> dict[str, list[float]]:
    return {contender.name: [] for contender in contenders}


def _by_name_and_size(contenders: Sequence[Contender]) -> dict[str, dict[int, list[float]]]:
    return {contender.name: {size: [] for size in SIZES} for contender in contenders}


def _downloads(instance: ExecutionEnvironment, size: int, requests: int) -> tuple[float, float]:
    return _time_downloads(instance, repeat(certificate_id(size), requests + 1))


def _time_downloads(instance: ExecutionEnvironment, ids: Iterator[str]) -> tuple[float, float]:
    """Returns the median of their milliseconds, and the CPU milliseconds per request. The first does not count."""
    _download(instance, next(ids))
    process = instance.runtime()
    before = _cpu(process)
    taken = [_download(instance, id_) for id_ in ids]
    return median(taken), (_cpu(process) - before) / len(taken)


def _download(instance: ExecutionEnvironment, id_: str = certificate_id(SIZE)) -> float:
    """Returns the milliseconds until the reply arrived."""
    milliseconds, reply = _invoke(instance, download_event(id_))
    if json.loads(reply).get("statusCode") not in {200, 204}:
        raise _UnexpectedReply(instance, reply)
    return milliseconds


def _archive(instance: ExecutionEnvironment, signature_ids: Sequence[str]) -> float:
    """Returns the milliseconds until all were archived."""
    milliseconds, reply = _invoke(instance, archive_event(signature_ids))
    if json.loads(reply) != {"batchItemFailures": []}:
        raise _UnexpectedReply(instance, reply)
    return milliseconds


def _invoke(instance: ExecutionEnvironment, event: Mapping[str, object]) -> tuple[float, bytes]:
    body = json.dumps(event).encode()
    started = time.perf_counter()
    reply = instance(body)
    return (time.perf_counter() - started) * 1000, reply


class _UnexpectedReply(Exception):
    """The function failed instead of doing the measured work."""

    def __init__(self, instance: ExecutionEnvironment, reply: bytes) -> None:
        super().__init__(f"{reply[:1000]!r}\n{instance.log()[-5000:]}")


def _cpu(process: psutil.Process) -> float:
    """Returns the CPU milliseconds used so far."""
    clock = ~process.pid << 3 | 2  # what clock_getcpuclockid(3) returns: psutil's times have steps of 10 ms
    return time.clock_gettime(clock) * 1000


def _peak(process: psutil.Process) -> int:
    """Returns the peak memory of the process in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


def _reset_peak(process: psutil.Process) -> None:
    """Resets the peak to the current memory. Source: proc_pid_clear_refs(5)."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
