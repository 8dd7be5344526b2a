"""A random sample of the certificates, and what it allows to say about all of them."""

import hashlib
import heapq
import math
from collections.abc import Iterable
from decimal import ROUND_CEILING, Context

from certificates.models import SignatureRequest

CONFIDENCE = 0.95


def choose(available: Iterable[SignatureRequest], size: int, seed: str) -> list[SignatureRequest]:
    """Returns those whose ids have the greatest hashes with the seed. The same seed chooses the same ones, whatever the
    order of the table."""
    return heapq.nlargest(size, available, lambda one: hashlib.sha256(f"{seed} {one.id}".encode()).digest())


def state_result(seed: str, defects: int, size: int, available: int) -> dict[str, object]:
    """Says what share of the available certificates has defects at most, as a number and as a sentence."""
    found = "no defect" if not defects else "1 defect" if defects == 1 else f"{defects:,} defects"
    if size == available:
        bound, sentence = defects / max(size, 1), f"{found} among all {size:,}"
    else:
        bound = find_upper_bound(defects, size)
        percent = Context(prec=2, rounding=ROUND_CEILING).create_decimal(str(round(100 * bound, 9))).normalize()
        sentence = f"{found} among {size:,}: at most {percent:f} % at {CONFIDENCE * 100:.0f} %"
    numbers = {"sample": size, "seed": seed, "defects": defects, "atMost": bound}
    return {**numbers, "statement": f"{sentence} (seed {seed})"}


def find_upper_bound(defects: int, size: int) -> float:
    """Returns the share of defects from which on a sample of this size has more of them with a probability of at least
    95 % (exact binomial, Clopper and Pearson; without defects about 3 / size)."""
    low, high = defects / size, 1.0
    for _ in range(50 if low < high else 0):
        share = (low + high) / 2
        low, high = (low, share) if _find_probability(defects, size, share) <= 1 - CONFIDENCE else (share, high)
    return high


def _find_probability(most: int, size: int, share: float) -> float:
    """Returns the probability of at most so many defects in a sample."""
    odds, none = math.log(share) - math.log1p(-share), size * math.log1p(-share)
    ways = (math.lgamma(size + 1) - math.lgamma(n + 1) - math.lgamma(size - n + 1) for n in range(most + 1))
    return math.fsum(math.exp(way + n * odds + none) for n, way in enumerate(ways))
