"""What was measured, and how it is compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Rounds = Sequence[float]
"""One value for each round. Rounds are interleaved, so that two contenders' values of one round belong together."""


def ratio(ours: Rounds, theirs: Rounds) -> float:
    """The median of the ratios within a round: what slows the machine for a while slows both."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


def middle_half(values: Rounds) -> tuple[float, float]:
    """Between which values the middle half of the rounds lies."""
    ordered = sorted(values)
    quarter = len(ordered) // 4
    return ordered[quarter], ordered[-1 - quarter]


@dataclass(frozen=True)
class Cold:
    """From an event for a new sandbox to its answer. By contender."""

    milliseconds: Mapping[str, Rounds]
    cpu: Mapping[str, Rounds]
    """Milliseconds of the runtime process."""


@dataclass(frozen=True)
class Warm:
    """One request of many in a sandbox. By contender."""

    milliseconds: Mapping[str, Rounds]
    cpu: Mapping[str, Rounds]
    """Milliseconds of the runtime process."""
    peak: Mapping[str, int]
    """Bytes of memory."""


@dataclass(frozen=True)
class Results:
    """None is what was left out."""

    unzipped: Mapping[str, int]
    """Bytes, by contender."""
    cold: Cold | None = None
    warm: Warm | None = None


@dataclass(frozen=True)
class Goal:
    words: str
    value: float
    limit: float
    unit: str = ""
    """Empty for a ratio."""

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit


FLOOR = 19.0
"""Milliseconds: what DynamoDB and S3 take, one after the other."""


def goals(results: Results) -> list[Goal]:
    """Those for which something was measured."""
    found: list[Goal] = []
    if results.cold:
        ours = results.cold.milliseconds["ours"]
        found += [
            Goal(f"cold start against {name}", ratio(ours, results.cold.milliseconds[name]), limit)
            for name, limit in (("naive", 0.9), ("textbook", 0.25), ("fastapi", 0.25))
        ]
    if results.warm:
        times, cpu = results.warm.milliseconds, results.warm.cpu
        found += [
            Goal("warm CPU against naive", ratio(cpu["ours"], cpu["naive"]), 0.75),
            Goal("warm latency against naive", ratio(times["ours"], times["naive"]), 0.8),
            Goal(f"warm latency against the {FLOOR:g} ms limit", median(times["ours"]) / FLOOR, 1.5),
            Goal("peak memory, certificate of 200 KB", results.warm.peak["ours"] / 1e6, 80, "MB"),
        ]
    found.append(Goal("artifact, unzipped", results.unzipped["ours"] / 2**20, 25, "MiB"))
    return found
