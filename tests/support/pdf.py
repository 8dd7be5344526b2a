"""PDFs of exact sizes."""

from random import Random

HEAD = b"%PDF-1.7\n1 0 obj\n<</Length 0>>\nstream\n"
TAIL = b"\nendstream\nendobj\ntrailer\n<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"


def pdf(size: int = 2000, seed: int = 0) -> bytes:
    """Makes a PDF of `size` bytes. Its text is random, but the same for each call with the seed."""
    needed = size - len(HEAD) - len(TAIL)
    digits = Random(seed).randbytes(needed // 2 + 1).hex().encode()  # noqa: S311 - no secret
    return HEAD + digits[:needed] + TAIL
