"""The results as a page of the documentation."""

from collections.abc import Sequence
from datetime import date

from develop.bench.machine import Machine
from develop.bench.results import Results
from develop.bench.tables import Table, tables

_CONTENDERS = {
    "ours": "this service, as `make build` leaves it",
    "empty": "a handler that answers 204: the cost of the runtime and the emulator alone",
    "floor": "only boto3's calls, with our settings, and the reply in base64: no handler with boto3 costs less",
    "naive": "three calls of boto3 and no features; boto3 is the runtime's own, which comes with bytecode",
    "textbook": "Powertools with Logger, Tracer, Metrics, router and parser, boto3's resources; plain `sam build`",
    "textbook-best": "the same without Tracer, with bytecode",
    "fastapi": "FastAPI behind Mangum, boto3's resources; plain `sam build`",
}

_METHOD = """\
Each contender runs under AWS's Runtime Interface Emulator with the real runtime client, and reads a key, a signature
request and a certificate. AWS is a stub on the same machine that answers after fixed delays: DynamoDB after 4 ms, S3
after 15 ms, the provider after 200 ms, for first downloads after 50 ms. As on Lambda, files can't be written: a
contender without bytecode compiles at each start.

Contenders take turns in each round. A value is the median of its rounds, and ± says how far the middle half of
them is spread to either side; a ratio is the median of the ratios within a round. Times are those of one call of the
emulator, CPU is that of the runtime process alone, and memory is its peak.

The emulator takes no snapshots. The first request after one is the first download of a process that has imported
everything and run the hooks that the runtime client runs around a snapshot; a warm one is a later download of it."""

PICTURES = {
    "Goals": ("benchmarks.svg", "Cold start and warm request of each contender"),
    "Growth with the certificate": ("benchmarks-growth.svg", "Time, CPU and memory by the certificate's size"),
}
"""Shown below the table of that title: file and what it shows."""


def render_page(results: Results, machine: Machine, day: date) -> str:
    """Markdown."""
    facts = {
        "processor": f"{machine.processor}, {machine.cores} cores",
        "memory": f"{machine.memory / 2**30:.0f} GiB",
        "system": machine.system,
        "Python": machine.python,
        "runtime": machine.emulator,
        "rounds": str(results.rounds),
    }
    contenders = "\n".join(f"- **{name}**: {words}" for name, words in _CONTENDERS.items())
    sections = [
        f"# Benchmarks\n\nMeasured by `make bench` on {day}. The [method](#method) is at the end.",
        *(_section(table) for table in tables(results)),
        f"## Method\n\n{_METHOD}\n\n{contenders}\n\n{_lines(['', ''], [[*fact] for fact in facts.items()], '---')}",
    ]
    return "\n\n".join(sections) + "\n"


def _section(table: Table) -> str:
    parts = [f"## {table.title}", table.words, _lines(table.columns, table.rows, "---:")]
    if table.title in PICTURES:
        file, words = PICTURES[table.title]
        parts.append(f"![{words}]({file})")
    return "\n\n".join(part for part in parts if part)


def _lines(columns: Sequence[str], rows: Sequence[Sequence[str]], alignment: str) -> str:
    lines = [columns, ["---", *[alignment] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
