"""Runs a built function in execution environments and collects the outcome of each request."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from queue import LifoQueue
from typing import Any, Self

from develop.fakes.cloud import Cloud
from develop.local import seeds
from develop.local.emulator import ExecutionEnvironment, find_built
from develop.local.stack import DOWNLOAD
from tests.support.log import Line, Metrics, parse_log
from tests.support.responses import get

SECRETS = ("canary", seeds.KEY, seeds.PROVIDER_SECRET, seeds.api_keys()[0]["keyHash"]["S"])


def download_event(signature_id: str, key: str = seeds.KEY, **headers: str) -> bytes:
    return json.dumps(get(signature_id, key, **headers)).encode()


@dataclass(frozen=True)
class Outcome:
    """The function's reply, and the log lines and metrics that it wrote for it."""

    reply: dict[str, Any]
    lines: list[Line]
    metrics: Metrics


class ExecutionEnvironments:
    """A pool of `number` execution environments. Each call uses the free one that was used last. `timeout` is in
    seconds; 0 means the template's."""

    def __init__(
        self, cloud: Cloud, number: int = 1, *, function: str = DOWNLOAD, timeout: int = 0, **variables: str
    ) -> None:
        self.number = number
        package = find_built(function)
        self._package = replace(package, timeout=timeout or package.timeout)
        self._variables: Mapping[str, str] = cloud.environment(function) | variables
        self._free: LifoQueue[ExecutionEnvironment] = LifoQueue()
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Starts all of them. On a busy machine, a cold start would use up the time of the first request."""
        for _ in range(self.number):
            instance = self._running.enter_context(ExecutionEnvironment(self._package, self._variables))
            warm_up(instance)
            self._free.put(instance)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def __call__(self, event: bytes) -> Outcome:
        with self.borrow() as instance:
            return invoke(instance, event)

    @contextmanager
    def borrow(self) -> Iterator[ExecutionEnvironment]:
        """Lends a free execution environment."""
        instance = self._free.get()
        try:
            yield instance
        finally:
            self._free.put(instance)


def warm_up(instance: ExecutionEnvironment) -> None:
    """Sends an event that neither function knows, so no other service is called. Repeats a start that exceeds the
    function's timeout."""
    for _ in range(10):
        if b"timed out" not in instance(b"{}"):
            return
    raise AssertionError(instance.log())


def invoke(instance: ExecutionEnvironment, event: bytes) -> Outcome:
    """Invokes the function, and asserts that neither its reply nor its log holds a secret."""
    before = len(instance.log())
    reply = json.loads(instance(event))
    written = instance.log()[before:]
    assert [secret for secret in SECRETS if secret in written or secret in json.dumps(reply)] == []
    return Outcome(reply, *parse_log(line for line in written.splitlines() if line.startswith("{")))
