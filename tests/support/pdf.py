"""PDFs of exact sizes."""

HEAD = b"%PDF-1.7\n1 0 obj\n<</Length 0>>\nstream\n"
TAIL = b"\nendstream\nendobj\ntrailer\n<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"


def pdf(size: int = 2000, seed: int = 0) -> bytes:
    """Makes a PDF of `size` bytes. Every 8 bytes encode their offset and the seed."""
    needed = size - len(HEAD) - len(TAIL)
    filling = b"".join(b"%07x " % ((seed << 24) + number) for number in range(needed // 8 + 1))
    return HEAD + filling[:needed] + TAIL
