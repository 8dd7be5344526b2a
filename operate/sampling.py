"""A random sample of the certificates, and what it allows to say about all of them."""

import hashlib
import heapq
import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, Context

from certificates.models import SignatureRequest
from operate.checkpoint import Finding

CONFIDENCE = 0.95


class Sample:
    """The `size` signature requests with a certificate whose ids have the greatest hashes with the seed: the same ones
    for the same seed, in whatever order the table is read."""

    def __init__(self, size: int, seed: str) -> None:
        self._size = size
        self._seed = seed
        self._heap: list[tuple[bytes, str, SignatureRequest]] = []

    def add(self, available: list[SignatureRequest]) -> tuple[Mapping[str, int], list[Finding]]:
        """Processes a step of the table."""
        for request in available:
            rank = hashlib.sha256(f"{self._seed} {request.id}".encode()).digest()
            push = heapq.heappush if len(self._heap) < self._size else heapq.heappushpop
            push(self._heap, (rank, request.id, request))
        return {}, []

    @property
    def chosen(self) -> list[SignatureRequest]:
        return [request for *_, request in sorted(self._heap)]

    def state_result(self, defects: int, available: int) -> dict[str, object]:
        """Says what share of the available certificates has defects at most, as a number and as a sentence."""
        size = len(self._heap)
        found = "no defect" if not defects else "1 defect" if defects == 1 else f"{defects:,} defects"
        if size == available:
            bound, sentence = defects / max(size, 1), f"{found} among all {size:,}"
        else:
            bound = find_upper_bound(defects, size)
            percent = Context(prec=2, rounding=ROUND_CEILING).create_decimal(str(round(100 * bound, 9))).normalize()
            sentence = f"{found} among {size:,}: at most {percent:f} % at {CONFIDENCE * 100:.0f} %"
        statement = {"statement": f"{sentence} (seed {self._seed})"}
        return {"sample": size, "seed": self._seed, "defects": defects, "atMost": bound} | statement


def find_upper_bound(defects: int, size: int) -> float:
    """Returns the share of defects from which on a sample of this size has more of them with a probability of at least
    95 % (exact binomial, Clopper and Pearson; without defects about 3 / size)."""
    low, high = defects / size, 1.0
    for _ in range(50):
        share = (low + high) / 2
        low, high = (low, share) if _find_probability(defects, size, share) <= 1 - CONFIDENCE else (share, high)
    return high


def _find_probability(most: int, size: int, share: float) -> float:
    """Returns the probability of at most so many defects in a sample."""
    if share >= 1:
        return float(most >= size)
    odds, none = math.log(share) - math.log1p(-share), size * math.log1p(-share)
    ways = (math.lgamma(size + 1) - math.lgamma(n + 1) - math.lgamma(size - n + 1) for n in range(most + 1))
    return math.fsum(math.exp(way + n * odds + none) for n, way in enumerate(ways))
