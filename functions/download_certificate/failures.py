"""Certificates that the provider failed to give a moment ago. Asking again at once would take the provider's limited
requests from other projects."""

import math
import time

from certificates.errors import CertificateError
from certificates.models import SignatureRequest

REMEMBERED_SECONDS = 10


class RecentlyFailed(CertificateError):
    """The provider failed to give this certificate a moment ago, and is asked again in `seconds_left`."""

    def __init__(self, seconds_left: int) -> None:
        super().__init__(seconds_left)
        self.seconds_left = seconds_left


class Failures:
    """The failed fetches of one execution environment, each for REMEMBERED_SECONDS or until its item changes."""

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
        """By the clock of the day: no other goes on while the execution environment is frozen. After it was set back,
        nothing counts."""
        passed = time.time() - self._times.get(signature, 0)
        return REMEMBERED_SECONDS - passed if passed >= 0 else 0
