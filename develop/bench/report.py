"""The results as tables, for the terminal and for docs/benchmarks.md."""

import importlib.metadata
import os
import platform
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median

import psutil

from develop.bench.results import Results, goals


def render_page(page: str, results: Results, day: date) -> str:
    """Returns docs/benchmarks.md with its tables, in this order, and its date replaced."""
    tables = iter([_goals(results), _contenders(results), _machine(results)])
    page = re.sub(r"(?:^\|.*\n)+", lambda _: next(tables), page, flags=re.MULTILINE)
    return re.sub(r"\d{4}-\d\d-\d\d", str(day), page, count=1)


def _goals(results: Results) -> str:
    rows = [
        [words, f"{value:.3g}{unit}", f"{limit:g}{unit}", "met" if value <= limit else "missed"]
        for words, value, limit, unit in goals(results)
    ]
    return _table(["this service", "measured", "at most", "goal"], rows)


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


def _machine(results: Results) -> str:
    """Describes the machine that measured, without identifying it."""
    lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    models = (value.strip() for name, _, value in lines if name.strip() == "model name")  # x86 machines only
    sam, client = (f"{name} {importlib.metadata.version(name)}" for name in ("aws-sam-cli", "awslambdaric"))
    rows = [
        ["processor", f"{next(models, platform.machine())}, {os.cpu_count()} cores"],
        ["memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"],
        ["system", f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}"],
        ["Python", platform.python_version()],
        ["runtime", f"Runtime Interface Emulator of {sam}, {client}"],
        ["rounds", str(results.rounds)],
    ]
    return _table(["", ""], rows, "---")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], alignment: str = "---:") -> str:
    widths = [max(len(line[number]) for line in [columns, *rows]) for number in range(len(columns))]
    lines = [columns, ["---", *[alignment] * (len(columns) - 1)], *rows]
    return "".join(f"| {' | '.join(map(str.ljust, line, widths))} |\n" for line in lines)


def _middle(values: Sequence[float]) -> str:
    """Returns the median, and how far the middle half of the rounds is spread to either side: `31.2 ± 0.4`."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    middle, spread = median(values), (ordered[-1 - quarter] - ordered[quarter]) / 2
    return f"{middle:,.0f} ± {spread:.0f}" if middle >= 100 else f"{middle:.1f} ± {spread:.1f}"
