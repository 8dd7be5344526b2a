"""Byte ranges of a certificate."""

from dataclasses import dataclass

from certificates.errors import CertificateTooLarge, RangeNotSatisfiable


@dataclass(frozen=True)
class ByteRange:
    """`bytes=100-199`, `bytes=100-` (`last` is None) or `bytes=-100` (`first` is None, `last` says how many)."""

    first: int | None
    last: int | None

    def __str__(self) -> str:
        first, last = ("" if position is None else position for position in (self.first, self.last))
        return f"bytes={first}-{last}"

    def positions(self, size: int) -> range:
        """Returns the positions in a certificate of `size` bytes: an empty range if all lie outside it."""
        if self.first is None:
            return range(max(0, size - (self.last or 0)), size)
        return range(self.first, size if self.last is None else min(self.last + 1, size))


def find_positions(asked: ByteRange | None, size: int, limit: int) -> range:
    """Returns the positions to send of a certificate of `size` bytes: all, or the first `limit` of one range.

    Raises RangeNotSatisfiable, and CertificateTooLarge if the whole, or a range without an end, is above the limit.
    """
    positions = asked.positions(size) if asked else range(size)
    if asked and not positions:
        raise RangeNotSatisfiable(size)
    if (asked is None or asked.last is None) and len(positions) > limit:
        raise CertificateTooLarge(size)
    return positions[:limit]
