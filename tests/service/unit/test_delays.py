"""The delay before a message is received again, and the pace of requests to the provider."""

from types import SimpleNamespace

import pytest

from functions.archive_certificate import delays
from functions.archive_certificate.delays import Pace, PaceExceeded, delay_before_next_try


@pytest.mark.parametrize(
    ("receives", "shortest", "longest"), [(1, 22, 38), (2, 45, 75), (8, 2700, 4500), (999, 2700, 4500)]
)
def test_delays_grow_and_differ(receives: int, shortest: int, longest: int) -> None:
    seen = {delay_before_next_try(receives, None) for _ in range(200)}
    assert min(seen) >= shortest
    assert max(seen) <= longest
    assert len(seen) > 5


@pytest.mark.fault("archive-provider-fails")
def test_what_the_provider_asks_to_wait_is_kept_to_within_bounds() -> None:
    assert delay_before_next_try(1, 600) == 600
    assert delay_before_next_try(1, 1) >= 22
    assert delay_before_next_try(1, 10**9) == 3600


def test_fetches_keep_to_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(waits), sleep=waits.append)
    monkeypatch.setattr(delays, "time", clock)
    pace = Pace(per_minute=120, environments=4)  # one every 2 s in each execution environment
    for _ in range(3):
        pace.wait_for_turn(10)
    assert waits == [0, 2, 2]
    with pytest.raises(PaceExceeded):
        pace.wait_for_turn(1.9)
    pace.wait_for_turn(2)
    assert sum(waits) == 6
