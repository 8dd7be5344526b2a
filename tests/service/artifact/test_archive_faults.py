"""Faults of AWS and the provider while the built artifact processes a message. docs/reliability.md has a row for each
fault."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from develop.fakes.cloud import Cloud, Script, dynamodb_error, s3_error, succeed
from develop.fakes.server import reply
from develop.local import seeds
from develop.local.stack import ARCHIVE
from tests.support.execution_environments import ExecutionEnvironments, Outcome
from tests.support.faults import signature_id
from tests.support.log import Line

SERVICE = {"service": "archive_certificate"}
DENIED, NO_BUCKET = s3_error(403, "AccessDenied"), s3_error(404, "NoSuchBucket")
CONFLICT, EXISTS = s3_error(409, "ConditionalRequestConflict"), s3_error(412, "PreconditionFailed")
LATER: dict[str, tuple[Script, str, dict[str, Any]]] = {
    "archive-dynamodb-denied": (
        {"BatchGetItem": [dynamodb_error(400, "AccessDeniedException")]},
        "RecordsUnavailable",
        {"cause": "AccessDeniedException"},
    ),
    "archive-s3-denied": ({"GetObject": [DENIED]}, "ArchiveUnavailable", {"cause": "AccessDenied"}),
    "archive-s3-no-bucket": ({"GetObject": [NO_BUCKET]}, "ArchiveUnavailable", {"cause": "NoSuchBucket"}),
    "archive-s3-write-denied": ({"PutObject": [DENIED]}, "ArchiveUnavailable", {"cause": "AccessDenied"}),
    "archive-provider-503": (
        {"Certificate": [reply(503)]},
        "ProviderFailed",
        {"reason": "status", "upstream_status": 503, "transient": True},
    ),
}
"""The error that the log names, and its details."""
DONE: dict[str, tuple[Script, str]] = {
    "archive-s3-409-once": ({"PutObject": [CONFLICT, succeed]}, "certificate_archived"),
    "archive-s3-412": ({"PutObject": [EXISTS]}, "already_archived"),
}


@dataclass(frozen=True)
class Batches:
    """The outcomes of a batch with a message per fault, during the faults and after them. `asked` lists each message's
    operations during its fault."""

    during: Outcome
    asked: dict[str, list[str]]
    after: Outcome

    def line(self, name: str) -> Line:
        """Returns the log line of the message during the fault."""
        (line,) = (line for line in self.during.lines if line["signature_id"] == signature_id(name))
        names = ("level", "message", "error", "detail")
        return {name: line[name] for name in names if name in line}


@pytest.fixture(scope="module")
def batches(cloud: Cloud) -> Batches:
    scripts = {name: script for name, (script, _, _) in LATER.items()}
    scripts |= {name: script for name, (script, _) in DONE.items()}
    for name, script in scripts.items():
        cloud.tables.put_signature(signature_id(name))
        cloud.script(signature_id(name), script)
    (record,) = seeds.event("archive_available")["Records"]
    bodies = {name: json.dumps({"signatureRequestId": signature_id(name)}) for name in scripts}
    event = json.dumps({"Records": [record | {"messageId": name, "body": body} for name, body in bodies.items()]})
    with ExecutionEnvironments(cloud, function=ARCHIVE, ARCHIVE_FETCHES_PER_MINUTE="6000000") as instances:
        during = instances(event.encode())
        asked = {name: cloud.asked[signature_id(name)] for name in scripts}
        for name in scripts:
            cloud.script(signature_id(name), {})
        return Batches(during, asked, instances(event.encode()))


@pytest.mark.parametrize("name", LATER)
def test_a_message_that_meets_a_fault_stays_in_the_queue(name: str, batches: Batches) -> None:
    _, error, detail = LATER[name]
    assert {"itemIdentifier": name} in batches.during.reply["batchItemFailures"]
    assert batches.line(name) == {"level": "ERROR", "message": "archive_later", "error": error, "detail": detail}
    if name in {"archive-dynamodb-denied", "archive-s3-denied", "archive-s3-no-bucket"}:
        assert "Certificate" not in batches.asked[name]  # only AWS can say what is archived


@pytest.mark.parametrize("name", DONE)
def test_a_message_whose_certificate_is_archived_meanwhile_is_deleted(name: str, batches: Batches) -> None:
    _, message = DONE[name]
    assert {"itemIdentifier": name} not in batches.during.reply["batchItemFailures"]
    assert batches.line(name) == {"level": "INFO", "message": message}


@pytest.mark.fault("archive-batch-mixed")
def test_every_fault_of_a_batch_is_counted_and_the_next_receive_archives_all(cloud: Cloud, batches: Batches) -> None:
    metrics = batches.during.metrics
    assert Counter(dimensions["error"] for dimensions in metrics["ArchiveRetries"]) == {
        "RecordsUnavailable": 1,
        "ArchiveUnavailable": 3,
        "ProviderFailed": 1,
    }
    assert metrics["UpstreamFailures"] == [SERVICE]
    assert metrics["ArchiveWriteFailures"] == [SERVICE] * 3
    assert metrics["CertificatesArchived"] == [SERVICE]
    assert batches.after.reply == {"batchItemFailures": []}
    assert {cloud.written.count(signature_id(name)) for name in (*LATER, *DONE)} == {1}
