"""Sends many requests of every kind to one execution environment of the built artifact: none of them leaks anything.

`REQUESTS=10000 python -m pytest --log-cli-level=INFO tests/service/artifact/test_soak.py` prints the figures of
docs/reliability.md.
"""

import json
import logging
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import psutil

from develop.fakes.cloud import Cloud, s3_error
from develop.fakes.memory import etag
from develop.fakes.server import raw, reply
from develop.template import Stack
from tests.support.execution_environments import ExecutionEnvironments, download_event
from tests.support.faults import signature_id
from tests.support.pdf import pdf

REQUESTS = int(os.environ.get("REQUESTS", "150"))
"""Every tenth of them holds every kind."""
CONTENT, LARGE = pdf(200_000), pdf(4_500_001)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holds:
    """What the process that runs the function has at one time. `memory` in bytes."""

    memory: int
    descriptors: int
    connections: int
    threads: int

    @classmethod
    def of(cls, process: psutil.Process) -> Self:
        return cls(process.memory_info().rss, process.num_fds(), len(process.net_connections()), process.num_threads())


def requests(cloud: Cloud) -> Mapping[str, tuple[int, Callable[[], bytes]]]:
    """Every kind, its status, and what makes an event of it."""
    archived, large = signature_id("soak-archived"), signature_id("soak-large")
    unavailable, broken = signature_id("soak-unavailable"), signature_id("soak-broken")
    denied, html, cut = signature_id("soak-denied"), signature_id("soak-html"), signature_id("soak-cut")
    for id_ in (archived, large, denied, html, cut):
        cloud.tables.put_signature(id_)
    cloud.tables.put_signature(unavailable, certificateUrl={"NULL": True})
    cloud.tables.put_signature(broken, status={"S": "unheard-of"})
    cloud.archive(archived, CONTENT)
    cloud.archive(large, LARGE)
    cloud.script(denied, {"GetObject": [s3_error(403, "AccessDenied")]})
    cloud.script(html, {"Certificate": [reply(body=b"<html>")]})
    cloud.script(cut, {"GetObject": [raw(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 9999\r\n\r\n%PDF-')]})

    def first() -> bytes:
        id_ = str(uuid.uuid4())
        cloud.tables.put_signature(id_)
        return download_event(id_)

    return {
        "archived": (200, lambda: download_event(archived)),
        "first": (200, first),
        "range": (206, lambda: download_event(archived, range="bytes=0-999")),
        "part": (206, lambda: download_event(large, range="bytes=0-4500000")),
        "current": (304, lambda: download_event(archived, if_none_match=etag(CONTENT))),
        "unknown key": (401, lambda: download_event(archived, "ck_live_0123456789abcdef")),
        "unknown id": (404, lambda: download_event(str(uuid.uuid4()))),
        "unavailable": (409, lambda: download_event(unavailable)),
        "another": (412, lambda: download_event(archived, if_match='"a"')),
        "large": (413, lambda: download_event(large)),
        "behind the end": (416, lambda: download_event(archived, range="bytes=200000-")),
        "broken item": (500, lambda: download_event(broken)),
        "no certificate": (502, lambda: download_event(html)),
        "archive away": (503, lambda: download_event(denied)),
        "archive cut": (503, lambda: download_event(cut)),
    }


def test_many_requests_of_every_kind_leave_nothing_behind(stack: Stack) -> None:
    held: dict[int, Holds] = {}
    answers: Counter[int] = Counter()
    started = time.monotonic()
    with Cloud(stack) as cloud, ExecutionEnvironments(cloud) as instances, instances.borrow() as instance:
        kinds = list(requests(cloud).values())
        for number in range(1, REQUESTS + 1):
            status, make = kinds[number % len(kinds)]
            answered = json.loads(instance(make()))["statusCode"]
            assert answered == status
            answers[answered] += 1
            if number % (REQUESTS // 10) == 0:
                time.sleep(0.05)  # the thread of a fetch ends a moment after its answer
                held[number] = Holds.of(instance.runtime())
                logger.info("after %s: %s", number, held[number])
        assert instance.log().count("INIT START") == 1
    logger.info("answers %s in %.0f s", dict(sorted(answers.items())), time.monotonic() - started)
    first, *others = held.values()
    assert [replace(other, memory=first.memory) for other in others] == [first] * 9
    assert others[-1].memory < 1.05 * first.memory
