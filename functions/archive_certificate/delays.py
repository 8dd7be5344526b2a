"""The delay before a message is received again, and the pace of requests to the provider.

A message is received at most 50 times (maxReceiveCount in `template.yaml`). The first seven delays double from
30 seconds to 32 minutes, the other 42 take an hour, each 25 % more or less at random: at least 32 hours of tries.
"""

import random
import threading
import time

from certificates.budgets import FIRST_ARCHIVE_DELAY, LONGEST_ARCHIVE_DELAY
from certificates.errors import CertificateError


def delay_before_next_try(receives: int, retry_after: int | None) -> int:
    """Returns seconds, at least `retry_after` unless that is above LONGEST_ARCHIVE_DELAY."""
    growing = min(FIRST_ARCHIVE_DELAY * 2 ** min(receives - 1, 10), LONGEST_ARCHIVE_DELAY)
    return max(int(growing * random.uniform(0.75, 1.25)), min(retry_after or 0, LONGEST_ARCHIVE_DELAY))  # noqa: S311


class PaceExceeded(CertificateError):
    """The provider's turn for this certificate comes later."""


class Pace:
    """Spaces the fetches of one execution environment, so that all together keep to `per_minute`: downloads need their
    share of the provider's limit."""

    def __init__(self, per_minute: int, environments: int) -> None:
        self._interval = 60 * environments / per_minute
        self._next = 0.0
        self._lock = threading.Lock()

    def wait_for_turn(self, longest: float) -> None:
        """Raises PaceExceeded if the turn would not come within `longest` seconds."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            if turn - now > longest:
                raise PaceExceeded
            self._next = turn + self._interval
        time.sleep(turn - now)
