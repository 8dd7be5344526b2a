import pytest

from certificates.telemetry import milliseconds_since


def test_durations_have_one_decimal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", lambda: 7.25)
    assert milliseconds_since(7.01544) == 234.6
