"""The results as tables, for the terminal and for docs/benchmarks.md."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median

import psutil

from develop.bench.results import ARCHIVING_SIZES, GROWTH_SIZES, Results, goals

Rows = list[list[str]]

_PAGE = """\
# Benchmarks

Measured by `make bench` on {day}. The [method](#method) is at the end.

## Goals

{goals}

## A certificate of 200 KB

Peak: memory; size: the unzipped package.

{contenders}

## Growth with the certificate

Bytes of memory for each byte of a certificate: {per_byte}.

{growth}

## Archiving ahead

A batch of one and a batch of ten; requests to the provider are not limited.

{archiving}

## Method

Each contender runs under AWS's Runtime Interface Emulator with the real runtime client, and reads a key, a signature
request and a certificate. AWS is a stub on the same machine that answers after fixed delays: DynamoDB after 4 ms, S3
after 15 ms, the provider after 200 ms, for first downloads after 50 ms. As on Lambda, files can't be written: a
contender without bytecode compiles at each start.

Contenders take turns in each round. A value is the median of its rounds, and ± says how far the middle half of
them is spread to either side; a ratio is the median of the ratios within a round. Times are those of one call of the
emulator, CPU is that of the runtime process alone, and memory is its peak.

The emulator takes no snapshots. The first request after one is the first download of a process that has imported
everything and run the hooks that the runtime client runs around a snapshot; a warm one is a later download of it.

- **ours**: this service, as `make build` leaves it
- **empty**: a handler that answers 204: the cost of the runtime and the emulator alone
- **floor**: only boto3's calls, with our settings, and the reply in base64: no handler with boto3 costs less
- **naive**: three calls of boto3 and no features; boto3 is the runtime's own, which comes with bytecode
- **textbook**: Powertools with Logger, Tracer, Metrics, router and parser, boto3's resources; plain `sam build`
- **textbook-best**: the same without Tracer, with bytecode
- **fastapi**: FastAPI behind Mangum, boto3's resources; plain `sam build`

{machine}
"""


def render_page(results: Results, day: date) -> str:
    """Returns Markdown."""
    return _PAGE.format(
        day=day,
        goals=_table(["this service", "measured", "at most", "goal"], _goals(results)),
        contenders=_contenders(results),
        per_byte=", ".join(f"{_bytes_per_byte(results, name):.1f} ({name})" for name in ("ours", "floor")),
        growth=_growth(results),
        archiving=_archiving(results),
        machine=_table(["", ""], _machine(results.rounds), "---"),
    )


def _goals(results: Results) -> Rows:
    return [
        [words, f"{value:.2f}{unit}", f"{limit:g}{unit}", "met" if value <= limit else "missed"]
        for words, value, limit, unit in goals(results)
    ]


def _contenders(results: Results) -> str:
    columns = {
        "cold start, ms": {name: _middle(costs.milliseconds) for name, costs in results.cold.items()},
        "its CPU, ms": {name: _middle(costs.cpu) for name, costs in results.cold.items()},
        "request, ms": {name: _middle(costs.milliseconds) for name, costs in results.warm.items()},
        "CPU, ms": {name: _middle(costs.cpu) for name, costs in results.warm.items()},
        "peak, MB": {name: f"{costs.peak / 1e6:.1f}" for name, costs in results.warm.items()},
        "first download, ms": {name: _middle(costs.milliseconds) for name, costs in results.first.items()},
        "its CPU": {name: _middle(costs.cpu) for name, costs in results.first.items()},
        "size, MiB": {name: f"{size / 2**20:.1f}" for name, size in results.unzipped.items()},
    }
    rows = [[name, *(values.get(name, "") for values in columns.values())] for name in results.unzipped]
    return _table(["", *columns], rows)


def _bytes_per_byte(results: Results, name: str) -> float:
    least, most = min(GROWTH_SIZES), max(GROWTH_SIZES)
    return (results.growth[name, most].peak - results.growth[name, least].peak) / (most - least)


def _growth(results: Results) -> str:
    columns = [
        "certificate",
        *(f"{name}, {unit}" for name in ("ours", "floor") for unit in ("ms", "CPU ms", "peak MB")),
    ]
    rows = [[_size(size)] for size in GROWTH_SIZES]
    for row, size in zip(rows, GROWTH_SIZES, strict=True):
        for name in ("ours", "floor"):
            costs = results.growth[name, size]
            row += [_middle(costs.milliseconds), _middle(costs.cpu), f"{costs.peak / 1e6:.1f}"]
    return _table(columns, rows)


def _archiving(results: Results) -> str:
    rows = []
    for size in ARCHIVING_SIZES:
        one, ten = (results.archiving[size, number] for number in (1, 10))
        rows.append(
            [
                _size(size),
                _middle(one.milliseconds),
                _middle(ten.milliseconds),
                f"{10_000 / median(ten.milliseconds):.0f}",
                _middle([milliseconds / 10 for milliseconds in ten.cpu]),
                f"{one.peak / 1e6:.1f}",
                f"{ten.peak / 1e6:.1f}",
            ]
        )
    columns = ["certificate", "one, ms", "ten, ms", "a second", "CPU of each, ms", "one, peak MB", "ten, peak MB"]
    return _table(columns, rows)


def _machine(rounds: int) -> Rows:
    """Describes the machine that measured, without identifying it."""
    lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    models = (value.strip() for name, _, value in lines if name.strip() == "model name")  # x86 machines only
    sam, client = (f"{name} {importlib.metadata.version(name)}" for name in ("aws-sam-cli", "awslambdaric"))
    return [
        ["processor", f"{next(models, platform.machine())}, {os.cpu_count()} cores"],
        ["memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"],
        ["system", f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}"],
        ["Python", platform.python_version()],
        ["runtime", f"Runtime Interface Emulator of {sam}, {client}"],
        ["rounds", str(rounds)],
    ]


def _table(columns: list[str], rows: Rows, alignment: str = "---:") -> str:
    widths = [max(len(line[number]) for line in [columns, *rows]) for number in range(len(columns))]
    lines = [columns, ["---", *[alignment] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def _middle(values: Sequence[float]) -> str:
    """Returns the median, and how far the middle half of the rounds is spread to either side: `31.2 ± 0.4`."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    middle, spread = median(values), (ordered[-1 - quarter] - ordered[quarter]) / 2
    return f"{middle:,.0f} ± {spread:.0f}" if middle >= 100 else f"{middle:.1f} ± {spread:.1f}"


def _size(size: int) -> str:
    return f"{size / 1e6:g} MB" if size >= 1_000_000 else f"{size / 1000:g} KB"
