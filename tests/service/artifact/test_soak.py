"""Sends many requests of every kind to one execution environment of the built artifact: none of them leaks anything.

`REQUESTS=10000 python -m pytest --capture=no tests/service/artifact/test_soak.py` prints the figures of
docs/reliability.md.
"""

import json
import os
import time
import uuid
from collections.abc import Callable

import psutil

from develop.fakes.cloud import Cloud, s3_error
from develop.fakes.memory import etag
from develop.fakes.server import raw, reply
from develop.template import Stack
from tests.support.execution_environments import ExecutionEnvironments, download_event
from tests.support.faults import signature_id
from tests.support.pdf import pdf

REQUESTS = int(os.environ.get("REQUESTS", "60"))
"""Every quarter of them holds every kind."""
CONTENT, LARGE = pdf(200_000), pdf(4_500_001)


def count_held(process: psutil.Process) -> tuple[int, int, int]:
    """Returns the numbers of descriptors, connections and threads."""
    return process.num_fds(), len(process.net_connections()), process.num_threads()


def requests(cloud: Cloud) -> list[tuple[int, Callable[[], bytes]]]:
    """The status of every kind of request, and the function that makes its event."""
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

    return [
        (200, lambda: download_event(archived)),
        (200, first),
        (206, lambda: download_event(archived, range="bytes=0-999")),
        (206, lambda: download_event(large, range="bytes=0-4500000")),
        (304, lambda: download_event(archived, if_none_match=etag(CONTENT))),
        (401, lambda: download_event(archived, "ck_live_0123456789abcdef")),
        (404, lambda: download_event(str(uuid.uuid4()))),
        (409, lambda: download_event(unavailable)),
        (412, lambda: download_event(archived, if_match='"a"')),
        (413, lambda: download_event(large)),
        (416, lambda: download_event(archived, range="bytes=200000-")),
        (500, lambda: download_event(broken)),
        (502, lambda: download_event(html)),
        (503, lambda: download_event(denied)),
        (503, lambda: download_event(cut)),
    ]


def test_many_requests_of_every_kind_leave_nothing_behind(stack: Stack) -> None:
    held: list[tuple[int, int, int]] = []
    memory: list[int] = []
    with Cloud(stack) as cloud, ExecutionEnvironments(cloud) as instances, instances.borrow() as instance:
        kinds = requests(cloud)
        for number in range(1, REQUESTS + 1):
            status, make = kinds[number % len(kinds)]
            assert json.loads(instance(make()))["statusCode"] == status
            if number % (REQUESTS // 4) == 0:
                time.sleep(0.05)  # the thread of a fetch ends a moment after its response
                held.append(count_held(instance.runtime()))
                memory.append(instance.runtime().memory_info().rss)
                print(f"after {number}: {held[-1]}, {memory[-1]} bytes")  # noqa: T201
        assert instance.log().count("INIT START") == 1
    assert held == [held[0]] * 4
    assert memory[-1] < 1.05 * memory[0]
