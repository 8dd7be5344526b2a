import json

import pytest

from certificates.telemetry import count, describe_error, measured, milliseconds_since


def test_durations_have_one_decimal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", lambda: 7.25)
    assert milliseconds_since(7.01544) == 234.6


def test_a_metric_is_one_line_with_its_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "tests")
    monkeypatch.setattr("time.perf_counter", iter([7.01544, 7.25]).__next__)
    with measured("Duration"):
        count("Events", code="a")
    events, duration = capsys.readouterr().out.splitlines()
    assert " " not in duration
    (directive,) = json.loads(duration)["_aws"]["CloudWatchMetrics"]
    assert directive["Metrics"] == [{"Name": "Duration", "Unit": "Milliseconds"}]
    assert json.loads(duration)["Duration"] == [234.6]
    (directive,) = json.loads(events)["_aws"]["CloudWatchMetrics"]
    assert directive["Metrics"] == [{"Name": "Events", "Unit": "Count"}]
    assert (json.loads(events)["Events"], json.loads(events)["code"]) == ([1], "a")


def test_a_defect_is_described_by_its_name_and_its_last_ten_steps() -> None:
    def fail(depth: int) -> None:
        if depth == 0:
            raise KeyError("canary")
        fail(depth - 1)

    with pytest.raises(KeyError) as error:
        fail(20)
    here = fail.__code__.co_firstlineno
    called, raised = f"test_telemetry.py:{here + 3}", f"test_telemetry.py:{here + 2}"
    assert describe_error(error.value) == {"error": "KeyError", "trace": [called] * 9 + [raised]}
