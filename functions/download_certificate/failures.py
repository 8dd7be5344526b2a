"""Remembers failed fetches. Repeating them at once would use up the provider's rate limit for other projects."""

import math
import time
from dataclasses import dataclass

from certificates import budgets
from certificates.errors import CertificateError
from certificates.models import SignatureRequest


@dataclass(eq=False)
class RecentlyFailed(CertificateError):
    """The last fetch of this certificate failed. The next is possible in `seconds_left`."""

    seconds_left: int


class Failures:
    """The failed fetches of one execution environment, each kept for REMEMBERED_SECONDS or until its item changes."""

    def __init__(self) -> None:
        self._times: dict[SignatureRequest, float] = {}

    def check(self, signature: SignatureRequest) -> None:
        """Raises RecentlyFailed."""
        left = self._find_seconds_left(signature)
        if left > 0:
            raise RecentlyFailed(math.ceil(left))

    def remember(self, signature: SignatureRequest) -> None:
        self._times = {known: failed for known, failed in self._times.items() if self._find_seconds_left(known) > 0}
        self._times[signature] = time.time()

    def _find_seconds_left(self, signature: SignatureRequest) -> float:
        """Uses the wall clock, since others stop while the execution environment is frozen. A time in the future, after
        the clock was set back, does not count."""
        passed = time.time() - self._times.get(signature, 0)
        return budgets.REMEMBERED_SECONDS - passed if passed >= 0 else 0
