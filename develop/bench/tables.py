"""The results as tables, for the terminal and for the page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from develop.bench.results import SIZE, Batches, Growth, Results, Rounds, goals, middle_half


@dataclass(frozen=True)
class Table:
    """The first column names the row; the others are numbers. `words` is the text below the title."""

    title: str
    words: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(results: Results) -> list[Table]:
    """Returns the tables of the parts that were measured, the goals first."""
    found = [_goals(results), _contenders(results)]
    if results.growth:
        found.append(_growth(results.growth))
    if results.archiving:
        found.append(_archiving(results.archiving))
    if results.endurance:
        found.append(_endurance(results.endurance))
    return found


def _goals(results: Results) -> Table:
    rows = [
        [
            goal.words,
            f"{goal.value:.2f} {goal.unit}".strip(),
            f"{goal.limit:g} {goal.unit}".strip(),
            "met" if goal.is_met else "missed",
        ]
        for goal in goals(results)
    ]
    return Table("Goals", "", ["this service", "measured", "at most", "goal"], rows)


def _contenders(results: Results) -> Table:
    columns: dict[str, Mapping[str, str]] = {}
    if results.cold:
        columns |= {"cold start, ms": _each(results.cold.milliseconds), "its CPU, ms": _each(results.cold.cpu)}
    if results.warm:
        columns |= {
            "request, ms": _each(results.warm.milliseconds),
            "CPU, ms": _each(results.warm.cpu),
            "peak, MB": {name: _megabytes(peak) for name, peak in results.warm.peak.items()},
        }
    if results.first:
        columns |= {"first download, ms": _each(results.first.milliseconds), "its CPU": _each(results.first.cpu)}
    columns |= {"size, MiB": {name: f"{size / 2**20:.1f}" for name, size in results.unzipped.items()}}
    rows = [[name, *(values.get(name, "") for values in columns.values())] for name in results.unzipped]
    words = "Peak: memory; size: the unzipped package."
    return Table(f"A certificate of {_size(SIZE)}", words, ["", *columns], rows)


def _growth(growth: Growth) -> Table:
    def cells(size: int) -> Iterator[str]:
        for name in growth.peak:
            yield _middle(growth.milliseconds[name][size])
            yield _middle(growth.cpu[name][size])
            yield _megabytes(growth.peak[name][size])

    per_byte = ", ".join(f"{growth.bytes_per_byte(name):.1f} ({name})" for name in growth.peak)
    return Table(
        "Growth with the certificate",
        f"Bytes of memory for each byte of a certificate: {per_byte}.",
        ["certificate", *(f"{name}, {unit}" for name in growth.peak for unit in ("ms", "CPU ms", "peak MB"))],
        [[_size(size), *cells(size)] for size in growth.peak["ours"]],
    )


def _archiving(archiving: Mapping[int, Batches]) -> Table:
    rows = [
        [
            _size(size),
            _middle(batches.one),
            _middle(batches.ten),
            f"{batches.per_second:.0f}",
            _middle(batches.cpu),
            _megabytes(batches.peak_of_one),
            _megabytes(batches.peak_of_ten),
        ]
        for size, batches in archiving.items()
    ]
    return Table(
        "Archiving ahead",
        "A batch of one and a batch of ten; requests to the provider are not limited.",
        ["certificate", "one, ms", "ten, ms", "a second", "CPU of each, ms", "one, peak MB", "ten, peak MB"],
        rows,
    )


def _endurance(endurance: Mapping[int, int]) -> Table:
    return Table(
        "Many requests in one execution environment",
        f"Downloads of {_size(SIZE)}, without delays.",
        ["requests", "memory, MB"],
        [[f"{requests:,}", _megabytes(memory)] for requests, memory in endurance.items()],
    )


def _each(values: Mapping[str, Rounds]) -> Mapping[str, str]:
    return {name: _middle(rounds) for name, rounds in values.items()}


def _middle(values: Rounds) -> str:
    """The median, and how far the middle half of the rounds is spread to either side: `31.2 ± 0.4`."""
    low, high = middle_half(values)
    middle, spread = median(values), (high - low) / 2
    return f"{middle:,.0f} ± {spread:.0f}" if middle >= 100 else f"{middle:.1f} ± {spread:.1f}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _size(size: int) -> str:
    return f"{size / 1e6:g} MB" if size >= 1_000_000 else f"{size / 1000:g} KB"
