"""`certificates archive`, on resources made from the template."""

import json
import re

from develop.fakes.server import Response, reply
from tests.support.deployed import SQS
from tests.support.operator import Operator, ScriptAws, summary


def test_status_counts_what_waits_what_is_in_flight_and_what_is_dead(operate: Operator) -> None:
    sqs, url, dead = SQS, operate.queue_url(), operate.queue_url("ArchiveDeadLetterQueue")
    for number in range(4):
        operate.seed(number)
        sqs.send_message(QueueUrl=url, MessageBody="{}")
    sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=600)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    sqs.send_message(QueueUrl=dead, MessageBody="{}")
    sqs.send_message(QueueUrl=dead, MessageBody="{}")
    sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=1)
    as_json, table = operate("archive", "status", "--json"), operate("archive", "status")
    assert (as_json.exit_code, as_json.stderr, json.loads(as_json.stdout)) == (
        0,
        "",
        {
            "waiting": 3,
            "inFlight": 1,
            "delayed": 1,
            "deadLetters": 2,
            "oldestMessageSeconds": None,
            "signatureRequests": 4,
        },
    )
    assert (table.exit_code, table.stderr, summary(table.stdout)) == (
        0,
        "",
        {
            "waiting": "3",
            "in flight": "1",
            "delayed": "1",
            "dead letters": "2",
            "oldest message seconds": "unknown",
            "signature requests": "4",
        },
    )


def points(*values: tuple[int, float]) -> Response:
    """CloudWatch's response: the maximum at each time."""
    datapoints = [{"Timestamp": time, "Maximum": value} for time, value in values]
    return reply(200, json.dumps({"Label": "x", "Datapoints": datapoints}).encode())


def test_status_tells_the_age_of_the_oldest_message(operate: Operator, script_aws: ScriptAws) -> None:
    cloudwatch = script_aws("CLOUDWATCH", points((1780000060, 3725.0), (1780000000, 3665.0)))
    assert json.loads(operate("archive", "status", "--json").stdout)["oldestMessageSeconds"] == 3725
    assert summary(operate("archive", "status").stdout)["oldest message seconds"] == "3,725"
    assert b"craftkit-test-ArchiveQueue" in cloudwatch.requests[0].body


def test_status_does_without_the_permission_to_read_metrics(operate: Operator, script_aws: ScriptAws) -> None:
    script_aws("CLOUDWATCH", reply(403, json.dumps({"__type": "AccessDenied", "message": "no"}).encode()))
    result = operate("archive", "status", "--json")
    assert (result.exit_code, json.loads(result.stdout)["oldestMessageSeconds"]) == (0, None)


def test_long_work_ends_with_the_time_that_it_took(operate: Operator) -> None:
    for command in ("reconcile", "verify"):
        assert re.fullmatch(r"seconds +\d+", operate("archive", command).stdout.splitlines()[-1])
