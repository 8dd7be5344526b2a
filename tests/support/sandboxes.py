"""A built function in sandboxes of its own, and what becomes of a request."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from queue import LifoQueue
from typing import Any, Self

from tests.support.answers import REQUEST_ID
from tests.support.cloud import Cloud
from tests.support.log import Line, Metrics, parse_log
from tools.local import seeds
from tools.local.emulator import Sandbox, built
from tools.local.stack import DOWNLOAD

SECRETS = ("canary", seeds.KEY, seeds.PROVIDER_SECRET, seeds.api_keys()[0]["keyHash"]["S"])


def download(signature_id: str, key: str = seeds.KEY, **headers: str) -> bytes:
    """The event of a GET. `if_match='"a"'` is the header If-Match."""
    event = seeds.event("download_archived")
    lines = {name.replace("_", "-").title(): value for name, value in headers.items()}
    lines = {"Authorization": f"Bearer {key}"} | lines
    changes = {
        "headers": lines,
        "multiValueHeaders": {name: [value] for name, value in lines.items()},
        "pathParameters": {"id": signature_id},
        "requestContext": event["requestContext"] | {"requestId": REQUEST_ID},
    }
    return json.dumps(event | changes).encode()


@dataclass(frozen=True)
class Outcome:
    """The reply of the function, and what it has written meanwhile."""

    reply: dict[str, Any]
    lines: list[Line]
    metrics: Metrics


class Sandboxes:
    """So many, of which each call takes one that is free: the one that was used last. `timeout` in seconds, or 0 for
    the template's."""

    def __init__(
        self, cloud: Cloud, number: int = 1, *, function: str = DOWNLOAD, timeout: int = 0, **environment: str
    ) -> None:
        self.number = number
        package = built(function)
        self._package = replace(package, timeout=timeout or package.timeout)
        self._environment: Mapping[str, str] = cloud.environment(function) | environment
        self._free: LifoQueue[Sandbox] = LifoQueue()
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """All have started when this returns: a cold start takes as long as the machine needs, and would use up the
        time of the first request."""
        for _ in range(self.number):
            sandbox = self._running.enter_context(Sandbox(self._package, self._environment))
            _warm_up(sandbox)
            self._free.put(sandbox)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def __call__(self, event: bytes) -> Outcome:
        with self.one() as sandbox:
            return ask(sandbox, event)

    @contextmanager
    def one(self) -> Iterator[Sandbox]:
        """One that is free."""
        sandbox = self._free.get()
        try:
            yield sandbox
        finally:
            self._free.put(sandbox)


def _warm_up(sandbox: Sandbox) -> None:
    """By an event of neither function, which asks nothing of anyone. A start that takes longer than the function's
    time-out is repeated."""
    for _ in range(10):
        if b"timed out" not in sandbox(b"{}"):
            return
    raise AssertionError(sandbox.log())


def ask(sandbox: Sandbox, event: bytes) -> Outcome:
    """Neither the reply nor the log holds a secret."""
    before = len(sandbox.log())
    reply = json.loads(sandbox(event))
    written = sandbox.log()[before:]
    assert [secret for secret in SECRETS if secret in written or secret in json.dumps(reply)] == []
    return Outcome(reply, *parse_log(line for line in written.splitlines() if line.startswith("{")))
