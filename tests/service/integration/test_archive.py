"""The archive function: the outcome of each message."""

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from moto.core.utils import unix_time_millis

from certificates import budgets
from certificates.aws import connect_sqs
from certificates.errors import ProviderFailed
from certificates.telemetry import logger
from certificates.urls import UrlTemplate
from develop.fakes.cloud import dynamodb_error, s3_error
from develop.fakes.server import Response, ScriptedServer, raw, reply, reset
from develop.local.resources import create_queues
from develop.local.runtime import Context
from develop.template import Stack
from functions.archive_certificate import handler as archive
from functions.archive_certificate.archiving import Services, archive_certificate
from functions.archive_certificate.delays import Pace, delay_before_next_try
from functions.archive_certificate.settings import ArchiveSettings
from functions.download_certificate import handler as download
from tests.service.integration.conftest import PROJECT, ScriptAws, Service
from tests.support.deployed import AWS, S3, SQS
from tests.support.pdf import pdf
from tests.support.responses import ID

SERVICE = {"service": "archive_certificate"}

Receive = Callable[..., Any]


def other(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


@pytest.fixture
def queue_url(service: Service) -> str:
    create_queues(service.stack, AWS.client)
    return str(SQS.get_queue_url(QueueName=service.stack.physical_id("ArchiveQueue"))["QueueUrl"])


@pytest.fixture
def receive(service: Service, queue_url: str, monkeypatch: pytest.MonkeyPatch) -> Receive:
    """Sends bodies, receives them as Lambda would, invokes the function and returns the bodies that failed."""
    monkeypatch.setattr(budgets, "PROVIDER_PAUSE", 0.001)
    settings = ArchiveSettings.from_environment().model_copy(update={"archive_queue_url": queue_url})
    monkeypatch.setattr(archive, "SETTINGS", settings)
    same = service.services
    monkeypatch.setattr(archive, "SERVICES", Services(same.records, same.archive, same.provider, Pace(1_000_000, 1)))
    monkeypatch.setattr(logger, "service", "archive_certificate")
    logger.thread_safe_clear_keys()  # of the download function's tests

    def run(*bodies: str) -> Any:
        for body in bodies:
            SQS.send_message(QueueUrl=queue_url, MessageBody=body)
        messages = SQS.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
        attributes = {"eventSource": "aws:sqs", "attributes": {"ApproximateReceiveCount": "1"}}
        records: list[dict[str, Any]] = [
            attributes | {"messageId": one["MessageId"], "receiptHandle": one["ReceiptHandle"], "body": one["Body"]}
            for one in messages
        ]
        if not records:
            return []
        response: Any = archive.handler({"Records": records}, Context(300))  # type: ignore[arg-type]
        failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
        return [record["body"] for record in records if record["messageId"] in failed]

    return run


def message(signature_id: str = ID) -> str:
    return json.dumps({"signatureRequestId": signature_id})


def test_an_available_certificate_is_archived(service: Service, receive: Receive) -> None:
    service.seed()
    assert receive(message(ID.upper())) == []
    head = S3.head_object(Bucket=service.bucket, Key=f"{PROJECT}/{ID}.pdf", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["ContentType"]) == (2000, "application/pdf")
    assert head["ChecksumSHA256"]
    (line,), metrics = service.written()
    assert line.items() >= {"message": "certificate_archived", "signature_id": ID, "bytes": 2000}.items()
    assert line["milliseconds"] > 0
    assert metrics == {"ProviderMilliseconds": [SERVICE], "CertificatesArchived": [SERVICE]}


@pytest.mark.fault("archive-unknown")
@pytest.mark.threat("forged-messages")
def test_an_unknown_signature_is_dropped_with_a_warning(service: Service, receive: Receive) -> None:
    assert receive(message()) == []
    (line,), metrics = service.written()
    assert (line["level"], line["message"], line["signature_id"]) == ("WARNING", "unknown_signature_dropped", ID)
    assert metrics == {"UnknownSignatures": [SERVICE]}


NULL = {"certificateUrl": {"NULL": True}}
FAILED: list[tuple[Any, dict[str, Any], int | None]] = [
    (reply(503, headers={"Retry-After": "2"}), {"reason": "status", "upstream_status": 503, "retry_after": 2}, None),
    (reply(429, headers={"Retry-After": "900"}), {"reason": "status", "upstream_status": 429, "retry_after": 900}, 900),
    (reply(404), {"reason": "status", "upstream_status": 404}, None),
    (reply(body=b"<html>"), {"reason": "not_a_pdf", "upstream_status": 200}, None),
    (reset, {"reason": "unreachable"}, None),
]


def broken(**problems: str) -> dict[str, Any]:
    return {"record": "signatures", "problems": problems}


@pytest.mark.parametrize(
    ("attributes", "error", "detail"),
    [
        (NULL, "NotAvailableYet", {"status": "completed"}),
        (NULL | {"status": {"S": "declined"}}, "NotAvailable", {"status": "declined"}),
        ({"status": {"S": "done"}}, "InvalidRecord", broken(status="literal_error")),
        ({"providerRequestId": None}, "InvalidRecord", broken(providerRequestId="missing")),
        (
            {"certificateUrl": {"S": f"/v1/signatures/{other(1)}/certificate"}},
            "InvalidRecord",
            broken(item="value_error"),
        ),
    ],
)
@pytest.mark.fault("archive-not-yet", "archive-broken-item")
def test_a_certificate_that_cannot_be_fetched_is_tried_later(
    service: Service, receive: Receive, attributes: dict[str, Any], error: str, detail: dict[str, Any]
) -> None:
    service.seed(**attributes)
    assert receive(message()) == [message()]
    (line,), metrics = service.written()
    assert (line["level"], line["message"]) == ("ERROR" if error == "InvalidRecord" else "INFO", "archive_later")
    assert (line["error"], line["detail"], line["signature_id"], line["receives"]) == (error, detail, ID, 1)
    assert 22 <= line["delay"] <= 38
    assert metrics == {"ArchiveRetries": [{"error": error} | SERVICE]}
    assert service.provider.requests == []


@pytest.mark.parametrize(("response", "detail", "delay"), FAILED)
@pytest.mark.fault("archive-provider-fails", "archive-provider-503")
def test_every_failure_of_the_provider_is_tried_later(
    service: Service, receive: Receive, response: Any, detail: dict[str, Any], delay: int | None
) -> None:
    service.seed()
    service.provider.responses = [response]
    assert receive(message()) == [message()]
    assert service.archived() is None
    (line,), metrics = service.written()
    assert line["detail"].items() >= detail.items()
    assert line["delay"] == delay or (delay is None and 22 <= line["delay"] <= 38)
    assert metrics["UpstreamFailures"] == [SERVICE]
    assert metrics["ArchiveRetries"] == [{"error": "ProviderFailed"} | SERVICE]
    assert len(service.provider.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        " ",
        "canary",
        "null",
        '{"signatureRequestId": "canary"}',
        f'{{"signatureRequestId": "{ID}/../{ID}"}}',
        "[" * 10_000,
    ],
)
@pytest.mark.fault("archive-malformed")
@pytest.mark.threat("forged-messages")
def test_a_malformed_message_ends_on_the_dead_letter_queue(receive: Receive, service: Service, body: str) -> None:
    dead = SQS.get_queue_url(QueueName=service.stack.physical_id("ArchiveDeadLetterQueue"))["QueueUrl"]
    assert receive(body) == [body]
    (line,), _ = service.written()
    assert (line["level"], line["error"], line["delay"]) == ("ERROR", "MalformedMessage", 0)
    assert "canary" not in json.dumps(line)
    assert receive() == [body]
    for _ in range(60 if body == " " else 0):
        receive()
    found = SQS.receive_message(QueueUrl=dead).get("Messages", [])
    assert [m["Body"] for m in found] == ([body] if body == " " else [])


def test_a_message_that_is_tried_later_comes_back(
    service: Service, receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.seed()
    service.provider.responses = [reply(503)]
    assert receive(message()) == [message()]
    service.provider.responses = [reply(body=pdf())]
    assert receive() == []
    assert service.archived() is None
    later = unix_time_millis() + 1000 * 1.25 * budgets.FIRST_ARCHIVE_DELAY
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: later)
    assert receive() == []
    assert service.archived() == pdf()


@pytest.mark.fault("archive-batch-mixed", "archive-batch-fails")
def test_one_poisoned_message_among_ten_holds_up_none_and_ten_are_no_error_of_the_function(
    service: Service, receive: Receive
) -> None:
    """The others are worked on at once."""
    bodies = [message(other(number)) for number in range(9)]
    for number in range(9):
        service.seed(signature_id=other(number))
    service.provider.responses = [reply(404)]
    assert sorted(receive("poison", *bodies)) == sorted(["poison", *bodies])
    nine = threading.Barrier(9)

    def wait_for_the_others(connection: Any) -> None:
        nine.wait(60)
        reply(body=pdf())(connection)

    service.provider.responses = [wait_for_the_others]
    assert receive(*bodies) == ["poison"]
    assert all(service.archived(signature_id=other(number)) == pdf() for number in range(9))


@pytest.mark.fault("archive-twice")
def test_duplicates_ask_the_provider_once(service: Service, receive: Receive) -> None:
    service.seed()
    assert receive(message(), message(), message()) == []
    service.seed(providerRequestId=None)
    assert receive(message()) == []
    assert len(service.provider.requests) == 1
    lines, metrics = service.written()
    assert [line["message"] for line in lines] == ["certificate_archived", "already_archived"]
    assert [line["signature_id"] for line in lines] == [ID, ID]
    assert metrics == {"ProviderMilliseconds": [SERVICE], "CertificatesArchived": [SERVICE]}


@pytest.mark.usefixtures("receive")
def test_a_fetch_ends_in_time_for_the_write(service: Service) -> None:
    service.seed()
    service.provider.responses = [raw(b"", pause=1)]
    left = iter([300, 9.7])  # 0.2 s for the fetch
    with pytest.raises(ProviderFailed, match="timed_out"):
        archive_certificate(ID, archive.SERVICES, lambda: next(left))


DENIED, MISSING = s3_error(403, "AccessDenied"), s3_error(404, "NoSuchKey")
CONFLICT, EXISTS = s3_error(409, "ConditionalRequestConflict"), s3_error(412, "PreconditionFailed")


def later(error: str, cause: str) -> dict[str, Any]:
    return {"level": "ERROR", "message": "archive_later", "error": error, "detail": {"cause": cause}}


@pytest.mark.parametrize(
    ("aws", "responses", "logged"),
    [
        (
            "DYNAMODB",
            [dynamodb_error(400, "AccessDeniedException")],
            later("RecordsUnavailable", "AccessDeniedException"),
        ),
        ("S3", [DENIED], later("ArchiveUnavailable", "AccessDenied")),
        ("S3", [s3_error(404, "NoSuchBucket")], later("ArchiveUnavailable", "NoSuchBucket")),
        ("S3", [MISSING, DENIED], later("ArchiveUnavailable", "AccessDenied")),
        ("S3", [MISSING, EXISTS], {"level": "INFO", "message": "already_archived"}),
        (
            "S3",
            [MISSING, CONFLICT, reply(200, headers={"ETag": '"a"'})],
            {"level": "INFO", "message": "certificate_archived"},
        ),
    ],
)
@pytest.mark.fault("archive-dynamodb-denied", "archive-s3-denied", "archive-s3-no-bucket", "archive-s3-write-denied")
@pytest.mark.fault("archive-s3-409-once", "archive-s3-412")
def test_a_message_that_meets_a_fault_of_aws_is_tried_later_unless_the_certificate_is_archived(  # noqa: PLR0913
    service: Service,
    receive: Receive,
    script: ScriptAws,
    monkeypatch: pytest.MonkeyPatch,
    *,
    aws: str,
    responses: list[Response],
    logged: dict[str, Any],
) -> None:
    service.seed()
    script(aws, *responses)
    scripted = replace(archive.SERVICES, records=download.SERVICES.records, archive=download.SERVICES.archive)
    monkeypatch.setattr(archive, "SERVICES", scripted)
    error = logged.get("error")
    assert receive(message()) == ([message()] if error else [])
    (line,), metrics = service.written()
    assert {name: line[name] for name in ("level", "message", "error", "detail") if name in line} == logged
    assert metrics.get("ArchiveRetries") == ([{"error": error} | SERVICE] if error else None)
    assert metrics.get("ArchiveWriteFailures") == ([SERVICE] if error == "ArchiveUnavailable" else None)
    assert len(service.provider.requests) == (responses[0] is MISSING)


@pytest.mark.fault("archive-defect")
def test_a_defect_is_tried_later_too(service: Service, receive: Receive, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(archive, "archive_certificate", fail)
    assert receive(message()) == [message()]
    (line,), metrics = service.written()
    assert (line["level"], line["error"], line["detail"]["error"]) == ("ERROR", "RuntimeError", "RuntimeError")
    assert "canary" not in json.dumps(line)
    assert metrics.keys() == {"ArchiveRetries"}


@pytest.mark.fault("archive-no-delay")
def test_without_its_delay_a_message_still_stays(
    service: Service, receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(reply(400, b'{"__type": "com.amazonaws.sqs#AccessDenied"}')) as refusing:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", refusing.url)
        monkeypatch.setattr(archive, "SQS", connect_sqs())
        assert receive(message()) == []
        assert receive("nonsense") == ["nonsense"]
    assert json.loads(refusing.requests[0].body)["ReceiptHandle"]
    lines, _ = service.written()
    assert [line["message"] for line in lines] == ["unknown_signature_dropped", "archive_later", "delay_not_set"]
    assert (lines[2]["detail"], lines[2]["message_id"]) == ({"cause": "AccessDenied"}, lines[1]["message_id"])


@pytest.mark.fault("archive-too-fast")
def test_without_a_turn_the_provider_is_not_asked(
    service: Service, receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 300 seconds, 272 are left for the turn, one every 276 s: the fetch and the write need the others."""
    url = f"{service.provider.url}/v1/requests/{{providerRequestId}}/certificate"
    values = {"archive_fetches_per_minute": 5, "archive_maximum_concurrency": 23}
    settings = archive.SETTINGS.model_copy(update=values | {"provider_certificate_url": UrlTemplate.parse(url)})
    monkeypatch.setattr(archive, "SERVICES", archive.connect(settings))
    for number in range(3):
        service.seed(signature_id=other(number))
    assert len(receive(*[message(other(number)) for number in range(3)])) == 2
    assert len(service.provider.requests) == 1
    lines, _ = service.written()
    assert [line["level"] for line in lines] == ["INFO"] * 3
    assert {line.get("error") for line in lines} == {None, "PaceExceeded"}


def test_a_message_is_tried_for_at_least_a_day(stack: Stack) -> None:
    receives = stack.resources["ArchiveQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    middle = sum(min(30 * 2 ** (n - 1), 3600) for n in range(1, receives))
    assert 0.75 * middle > 32 * 3600
    assert sum(delay_before_next_try(n, None) for n in range(1, receives)) >= 0.75 * middle - receives
    kept = stack.resources["ArchiveQueue"]["Properties"]["MessageRetentionPeriod"]
    assert 1.25 * middle < kept / 2
