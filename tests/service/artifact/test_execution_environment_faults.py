"""Execution environments of the built artifact that are killed and that race.

docs/reliability.md has a row for each fault.
"""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import Message

import pytest

from develop.fakes.cloud import Cloud, Script, succeed
from develop.fakes.memory import etag
from develop.fakes.server import Response, raw
from develop.local import seeds
from develop.local.emulator import ExecutionEnvironment
from develop.local.gateway import Gateway
from develop.local.stack import DOWNLOAD
from develop.template import Stack
from tests.support.execution_environments import ExecutionEnvironments, download_event, invoke, warm_up
from tests.support.faults import PDF, SERVICE, signature_id
from tests.support.responses import whole

KILLED: dict[str, tuple[Callable[[Response, Response], Script], int]] = {
    "while-fetching": (lambda kill, _: {"Certificate": [kill]}, 0),
    "before-the-write": (lambda kill, _: {"PutObject": [kill]}, 0),
    "after-the-write": (lambda _, kill_once_done: {"PutObject": [kill_once_done]}, 1),
}
"""The moment at which the execution environment is killed, and how many objects it leaves."""
DRIPPING = raw(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 2000\r\n\r\n', *[b"x"] * 80, pause=0.1)


def send_through_gateway(stack: Stack, instance: ExecutionEnvironment, id_: str) -> tuple[int, dict[str, str], bytes]:
    """Returns status, headers and body as the client gets them."""
    headers = Message()
    headers["Authorization"] = f"Bearer {seeds.KEY}"
    reply = Gateway(stack, {DOWNLOAD: instance}).respond("GET", f"/v1/signatures/{id_}/certificate", headers, b"")
    lines = dict(reply.headers)
    assert lines.pop("x-amzn-RequestId")
    return reply.status, lines, reply.body


GATEWAY_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Type": "application/json",
    "X-Content-Type-Options": "nosniff",
}
GATEWAY_BODY = b'{"error": {"code": "internal", "message": "Something went wrong on our side."}}'
GATEWAY_ERROR = 500, GATEWAY_HEADERS, GATEWAY_BODY


@pytest.mark.parametrize("moment", KILLED)
def test_a_killed_execution_environment_leaves_one_correct_object_or_none(
    moment: str, cloud: Cloud, instances: ExecutionEnvironments, stack: Stack
) -> None:
    id_ = signature_id(moment)
    with instances.borrow() as instance:

        def kill(_: socket.socket) -> None:
            instance.runtime().kill()

        def kill_once_done(connection: socket.socket) -> None:
            cloud.respond()
            kill(connection)

        script, objects = KILLED[moment]
        cloud.tables.put_signature(id_)
        cloud.script(id_, script(kill, kill_once_done))
        assert send_through_gateway(stack, instance, id_) == GATEWAY_ERROR
        left = cloud.written.count(id_)
        cloud.script(id_, {})
        after = invoke(instance, download_event(id_))
    content = cloud.archived(id_) or b""
    assert (left, cloud.written.count(id_)) == (objects, 1)
    assert after.reply == whole(content, etag(content), id_)
    assert after.metrics["CertificatesServed"] == [{"source": "archive" if objects else "provider"} | SERVICE]


@pytest.mark.fault("out-of-time")
def test_an_execution_environment_that_times_out_is_killed_and_the_next_request_succeeds(
    cloud: Cloud, stack: Stack
) -> None:
    """An S3 that sends a byte now and then never exceeds the read timeout."""
    id_ = signature_id("out-of-time")
    cloud.tables.put_signature(id_)
    cloud.archive(id_, PDF)
    with ExecutionEnvironments(cloud, timeout=6) as instances:
        instances(download_event(id_))
        cloud.script(id_, {"GetObject": [DRIPPING]})
        with instances.borrow() as instance:
            assert send_through_gateway(stack, instance, id_) == GATEWAY_ERROR
            cloud.script(id_, {})
            warm_up(instance)
            assert invoke(instance, download_event(id_)).reply == whole(PDF, etag(PDF), id_)


@pytest.mark.fault("fifty-at-once")
@pytest.mark.threat("wrong-bytes")
def test_fifty_first_downloads_at_once_are_one_certificate(cloud: Cloud, instances: ExecutionEnvironments) -> None:
    """Each execution environment fetches its own rendering before any of them is archived."""
    id_ = signature_id("fifty-at-once")
    all_have_fetched = threading.Barrier(instances.number)

    def fetch_together(connection: socket.socket) -> None:
        all_have_fetched.wait(30)
        cloud.respond()(connection)

    cloud.tables.put_signature(id_)
    cloud.script(id_, {"Certificate": [*[fetch_together] * instances.number, succeed]})
    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(lambda _: instances(download_event(id_)), range(50)))
    content = cloud.archived(id_) or b""
    assert [outcome.reply for outcome in outcomes] == [whole(content, etag(content), id_)] * 50
    assert cloud.written.count(id_) == 1
    sources = Counter(outcome.metrics["CertificatesServed"][0]["source"] for outcome in outcomes)
    assert sources == {"provider": instances.number, "archive": 50 - instances.number}
    assert cloud.asked[id_].count("Certificate") == instances.number
