import pytest

from certificates.budgets import CallLimits


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 3), (2, 2 * 3 + 1), (3, 3 * 3 + 1 + 2)])
def test_a_call_takes_all_attempts_and_the_longest_pauses_between_them(attempts: int, seconds: int) -> None:
    assert CallLimits(read_seconds=2, attempts=attempts).call_seconds == seconds
