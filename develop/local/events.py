"""The two triggers of archiving, with the filters and input templates of the translated template.

Patterns: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
Templates: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html
"""

import json
import re
from collections.abc import Iterable
from functools import reduce
from typing import Any

from moto.events.models import EventPattern

from develop.template import Stack

Json = dict[str, Any]


def pipe_messages(stack: Stack, records: Iterable[Json]) -> list[str]:
    """Makes the messages that SignaturesPipe sends for these records of the table's stream."""
    (pipe,) = stack.of_type("AWS::Pipes::Pipe").values()
    patterns = [item["Pattern"] for item in pipe["SourceParameters"]["FilterCriteria"]["Filters"]]
    template = pipe["TargetParameters"]["InputTemplate"]
    return [
        _fill(template, r"<(\$[^>]+)>", {path: _look_up(path, record) for path in re.findall(r"<(\$[^>]+)>", template)})
        for record in records
        if any(_matches(pattern, record) for pattern in patterns)
    ]


def rule_messages(stack: Stack, event: Json) -> list[str]:
    """Makes the messages that the rules send for this event. A placeholder becomes JSON: text keeps its quotes."""
    transformers = [
        target["InputTransformer"]
        for rule in stack.of_type("AWS::Events::Rule").values()
        if _matches(json.dumps(rule["EventPattern"]), event)
        for target in rule["Targets"]
    ]
    return [
        _fill(
            transformer["InputTemplate"],
            r"<(\w+)>",
            {name: json.dumps(_look_up(path, event)) for name, path in transformer["InputPathsMap"].items()},
        )
        for transformer in transformers
    ]


def _matches(pattern: str, event: Json) -> bool:
    return bool(EventPattern.load(pattern).matches_event(event))  # type: ignore[arg-type]


def _look_up(path: str, event: Json) -> Any:
    """Returns the value at a path such as `$.dynamodb.NewImage.id.S`."""
    return reduce(lambda value, name: value[name], path.split(".")[1:], event)


def _fill(template: str, placeholder: str, values: dict[str, str]) -> str:
    return re.sub(placeholder, lambda match: values[match[1]], template)
