import json
import time
from typing import Any

import pytest
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.base import SingleMetric

from certificates.telemetry import count, describe_error, logger, measure, milliseconds_since


def test_durations_have_one_decimal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", lambda: 7.25)
    assert milliseconds_since(7.01544) == 234.6


def test_a_metric_is_one_line_as_powertools_writes_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_780_659_728.25)
    count("Events", code="a")
    measure("Duration", 234.6)
    powertools: list[Any] = []
    for metric, unit, value, dimensions in (
        ("Events", MetricUnit.Count, 1, {"code": "a"}),
        ("Duration", MetricUnit.Milliseconds, 234.6, dict[str, str]()),
    ):
        emf = SingleMetric()
        emf.add_metric(metric, unit, value)
        for name, text in (dimensions | {"service": logger.service}).items():
            emf.add_dimension(name, text)
        powertools.append(emf.serialize_metric_set())
    for metric in powertools:
        metric["_aws"]["Timestamp"] = 1_780_659_728_250
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == powertools
    assert " " not in "".join(lines)


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
