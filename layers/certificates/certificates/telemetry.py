"""Log lines and metrics, both as JSON on standard output (CloudWatch embedded metric format).

A metric is written at once, so that none is lost if the execution environment is killed later.
"""

import json
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.base import SingleMetric

from certificates.errors import CertificateError

logger = Logger()


def count(metric: str, **dimensions: str) -> None:
    _record(metric, MetricUnit.Count, 1, dimensions)


def milliseconds_since(started: float) -> float:
    """Returns the time since `started`, a value of time.perf_counter()."""
    return round((time.perf_counter() - started) * 1000, 1)


@contextmanager
def measured(metric: str) -> Iterator[None]:
    """Measures how long the block takes, whether it raises or not."""
    started = time.perf_counter()
    try:
        yield
    finally:
        _record(metric, MetricUnit.Milliseconds, milliseconds_since(started), {})


def _record(metric: str, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
    emf = SingleMetric()
    emf.add_metric(name=metric, unit=unit, value=value)
    for name, text in (dimensions | {"service": logger.service}).items():
        emf.add_dimension(name=name, value=text)
    # One write, line end included: print() makes two, between which another thread may write.
    sys.stdout.write(json.dumps(emf.serialize_metric_set(), separators=(",", ":")) + "\n")


def describe_error(error: Exception) -> dict[str, object]:
    """Returns the fields that a log may hold: the attributes of our own errors, but only the name and origin of any
    other, whose text may hold anything."""
    if isinstance(error, CertificateError):
        return {name: value for name, value in vars(error).items() if value is not None}
    steps = traceback.extract_tb(error.__traceback__, limit=-10)
    return {"error": type(error).__name__, "trace": [f"{Path(step.filename).name}:{step.lineno}" for step in steps]}
