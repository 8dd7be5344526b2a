"""The measurements, and how they are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

SIZE = 200_000
"""Bytes of the usual certificate."""


@dataclass
class Costs:
    """For each round, the milliseconds from an event to its reply and those of CPU in the runtime process. `peak` is
    the most memory that the process had, in bytes."""

    milliseconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: int = 0


@dataclass(frozen=True)
class Results:
    rounds: int
    unzipped: Mapping[str, int]
    """Bytes, by contender."""
    cold: Mapping[str, Costs]
    """The first reply of a new execution environment, by contender."""
    warm: Mapping[str, Costs]
    """One download of many, by contender."""
    first: Mapping[str, Costs]
    """One first download of many, by contender."""
    archiving: Mapping[int, Costs]
    """One batch, by its number of certificates."""


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Returns the median of the ratios within a round: a temporary slowdown of the machine affects both."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def goals(results: Results) -> list[tuple[str, float, float, str]]:
    """Returns what is compared, the value, the most that it may be, and the unit."""
    cold, warm, first = (
        {name: costs.milliseconds for name, costs in one.items()} for one in (results.cold, results.warm, results.first)
    )
    warm_cpu, first_cpu = ({name: costs.cpu for name, costs in one.items()} for one in (results.warm, results.first))
    one, ten = (results.archiving[number].milliseconds for number in (1, 10))
    return [
        ("cold start / floor", ratio(cold["ours"], cold["floor"]), 1.05, ""),
        ("cold start / textbook", ratio(cold["ours"], cold["textbook"]), 0.3, ""),
        ("warm, latency / floor", ratio(warm["ours"], warm["floor"]), 1.03, ""),
        ("warm, CPU / floor", ratio(warm_cpu["ours"], warm_cpu["floor"]), 1.08, ""),
        ("peak memory at 200 KB", results.warm["ours"].peak / 1e6, 80, " MB"),
        ("first download, latency / floor", ratio(first["ours"], first["floor"]), 1.1, ""),
        ("first download, CPU / floor", ratio(first_cpu["ours"], first_cpu["floor"]), 1.3, ""),
        ("artifact, unzipped", results.unzipped["ours"] / 2**20, 25, " MiB"),
        ("archiving ten / one", ratio(ten, one), 1.5, ""),
    ]
