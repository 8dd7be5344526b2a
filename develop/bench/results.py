"""The measurements, and how they are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

DELAYS = 19.0
"""Milliseconds that DynamoDB and S3 take, one after the other."""

SIZE = 200_000
"""Bytes of the usual certificate."""

Rounds = Sequence[float]
"""One value for each round. Rounds are interleaved: values of one round belong together."""


def ratio(ours: Rounds, theirs: Rounds) -> float:
    """Returns the median of the ratios within a round: a temporary slowdown of the machine affects both."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def middle_half(values: Rounds) -> tuple[float, float]:
    """Returns the bounds of the middle half of the rounds."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return ordered[quarter], ordered[-1 - quarter]


@dataclass(frozen=True)
class Costs:
    """By contender: milliseconds from the event to the reply, and CPU milliseconds of the runtime process."""

    milliseconds: Mapping[str, Rounds]
    cpu: Mapping[str, Rounds]


@dataclass(frozen=True)
class Warm(Costs):
    """One request of many. `peak` is in bytes of memory."""

    peak: Mapping[str, int]


@dataclass(frozen=True)
class Restored:
    """Milliseconds of the first download after the imports and the snapshot's hooks, and of a later one."""

    first: Rounds
    warm: Rounds


@dataclass(frozen=True)
class Growth:
    """As `Warm`, by contender and by the certificate's size in bytes. `peak` excludes the start."""

    milliseconds: Mapping[str, Mapping[int, Rounds]]
    cpu: Mapping[str, Mapping[int, Rounds]]
    peak: Mapping[str, Mapping[int, int]]

    def bytes_per_byte(self, name: str) -> float:
        """Returns the bytes of memory per additional byte of a certificate."""
        peak = self.peak[name]
        least, most = min(peak), max(peak)
        return (peak[most] - peak[least]) / (most - least)


@dataclass(frozen=True)
class Batches:
    """Milliseconds for one certificate and for ten in a batch, milliseconds of CPU for each of the ten, and the
    peak memory of an execution environment that gets batches of one, or of ten."""

    one: Rounds
    ten: Rounds
    cpu: Rounds
    peak_of_one: int
    peak_of_ten: int

    @property
    def per_second(self) -> float:
        return 10_000 / median(self.ten)


@dataclass(frozen=True)
class Results:
    """A part that was not measured is None."""

    rounds: int
    unzipped: Mapping[str, int]
    """Bytes, by contender."""
    cold: Costs | None = None
    """From the event for a new execution environment."""
    restored: Restored | None = None
    warm: Warm | None = None
    first: Costs | None = None
    """One first download of many."""
    growth: Growth | None = None
    archiving: Mapping[int, Batches] | None = None
    """By the certificates' size in bytes."""
    endurance: Mapping[int, int] | None = None
    """Bytes of memory, after so many requests."""


@dataclass(frozen=True)
class Goal:
    """`value` must be at most `limit`. A ratio has no unit."""

    words: str
    value: float
    limit: float
    unit: str = ""

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit


def goals(results: Results) -> list[Goal]:
    """Returns the goals of the parts that were measured."""
    found: list[Goal] = []
    if results.cold:
        times = results.cold.milliseconds
        limits = {"floor": 1.05, "textbook": 0.30, "fastapi": 0.25}
        found += [Goal(f"cold start / {name}", ratio(times["ours"], times[name]), limits[name]) for name in limits]
    if results.restored:
        of_warm = ratio(results.restored.first, results.restored.warm)
        found.append(Goal("first request after a snapshot / warm", of_warm, 1.3))
    if results.warm:
        found += _compare_with_floor("warm", results.warm, latency=1.03, cpu=1.08)
        found.append(Goal("peak memory at 200 KB", results.warm.peak["ours"] / 1e6, 80, "MB"))
    if results.first:
        found += _compare_with_floor("first download", results.first, latency=1.10, cpu=1.30)
    found.append(Goal("artifact, unzipped", results.unzipped["ours"] / 2**20, 25, "MiB"))
    if results.archiving:
        usual = results.archiving[SIZE]
        found.append(Goal("archiving ten / one", ratio(usual.ten, usual.one), 1.5))
    if results.endurance:
        first, *_, last = results.endurance.values()
        words = f"memory after {max(results.endurance):,} requests / {min(results.endurance):,}"
        found.append(Goal(words, last / first, 1.02))
    return found


def _compare_with_floor(words: str, costs: Costs, *, latency: float, cpu: float) -> list[Goal]:
    return [
        Goal(f"{words}, {name} / floor", ratio(values["ours"], values["floor"]), limit)
        for name, values, limit in (("latency", costs.milliseconds, latency), ("CPU", costs.cpu, cpu))
    ]
