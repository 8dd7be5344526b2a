"""The functions in this process, behind the limits of the Lambda service."""

import importlib
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.local.gateway import Invoke
from tools.template import REGION, Stack

MOST_REPLY_BYTES = 6_291_556
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


@dataclass
class Context:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    timeout: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.started + self.timeout - time.monotonic()) * 1000))


@contextmanager
def in_process(stack: Stack, logical_id: str, environment: Mapping[str, str]) -> Iterator[Invoke]:
    """The function's own handler, imported as it would be on Lambda."""
    os.environ.update({**CREDENTIALS, **environment})
    properties = stack.resources[logical_id]["Properties"]
    module, _, name = properties["Handler"].rpartition(".")
    handler = getattr(importlib.import_module(module), name)

    def invoke(event: bytes) -> bytes:
        reply = json.dumps(handler(json.loads(event), Context(properties["Timeout"]))).encode()
        if len(reply) > MOST_REPLY_BYTES:
            return json.dumps({"errorType": "Function.ResponseSizeTooLarge"}).encode()
        return reply

    yield invoke
