"""Parses a function's output: log lines, and metrics in CloudWatch's embedded metric format."""

import json
from collections.abc import Iterable
from typing import Any

Line = dict[str, Any]
Metrics = dict[str, list[dict[str, Any]]]
"""The dimensions of each occurrence, by metric name."""


def parse_log(lines: Iterable[str]) -> tuple[list[Line], Metrics]:
    entries = [json.loads(line) for line in lines]
    metrics: Metrics = {}
    for entry in entries:
        for directive in entry.get("_aws", {}).get("CloudWatchMetrics", []):
            name = directive["Metrics"][0]["Name"]
            dimensions = {dimension: entry[dimension] for dimension in directive["Dimensions"][0]}
            metrics.setdefault(name, []).append(dimensions)
    return [entry for entry in entries if "_aws" not in entry], metrics
