"""From a completed signature request to the archive, with the built artifact."""

import json
import threading

import pytest

from develop.local import seeds
from develop.local.emulator import Emulator
from develop.local.stack import ARCHIVE, LocalService
from tests.service.artifact.conftest import SECONDS, complete, is_archived, put_signature_request, settle, wait_until
from tests.support.pdf import pdf


@pytest.mark.parametrize("event", seeds.ARCHIVE_SITUATIONS)
def test_every_event_gets_the_reply_of_its_situation(running: LocalService, event: str) -> None:
    reply = json.loads(running.functions[ARCHIVE](json.dumps(seeds.event(event)).encode()))
    assert len(reply["batchItemFailures"]) == seeds.ARCHIVE_SITUATIONS[event]


def test_completing_requests_archives_them_and_asks_the_provider_once_for_each(running: LocalService) -> None:
    running.provider.asked.clear()
    ids = [complete(running) for _ in range(5)]
    settle(running)
    assert all(is_archived(running, id_) for id_ in ids)
    asked = [request_id.removeprefix("req_") for request_id in running.provider.asked]
    assert sorted(id_ for id_ in asked if id_ in ids) == sorted(ids)


@pytest.mark.fault("archive-killed")
@pytest.mark.threat("lost-certificate")
def test_killing_an_execution_environment_loses_nothing(running: LocalService) -> None:
    """Killed between the fetch and the write, it leaves no partial object, and the next try archives it."""
    sqs, instance = running.client("sqs"), running.functions[ARCHIVE]
    assert isinstance(instance, Emulator)
    queue_url = sqs.get_queue_url(QueueName=running.stack.physical_id("ArchiveQueue"))["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "3"})
    killed, fetching = threading.Event(), threading.Event()

    def render() -> bytes:
        fetching.set()
        killed.wait(SECONDS)
        return pdf()

    running.provider.documents["req_slow"] = render
    id_ = "3000000a-0000-4000-8000-000000000000"
    put_signature_request(running, id_, "req_slow")
    try:
        assert fetching.wait(SECONDS)
        instance.kill()
        assert not is_archived(running, id_)
        killed.set()
        wait_until(lambda: is_archived(running, id_))
    finally:
        sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1800"})
    assert instance.log().count("INIT START") == 2
