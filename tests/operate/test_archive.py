"""`certificates archive`, on resources made from the template."""

import json
import re

from develop.fakes.server import reply
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
    counts = {"waiting": 3, "inFlight": 1, "delayed": 1, "deadLetters": 2, "signatureRequests": 4}
    numbers = json.loads(as_json.stdout)
    assert (as_json.exit_code, as_json.stderr, numbers) == (0, "", counts | {"oldestMessageSeconds": None})
    shown = {
        re.sub("[A-Z]", lambda letter: f" {letter[0].lower()}", name): str(count) for name, count in counts.items()
    }
    assert (table.exit_code, table.stderr) == (0, "")
    assert summary(table.stdout) == shown | {"oldest message seconds": "unknown"}


def test_status_tells_the_age_of_the_oldest_message_if_it_may_read_metrics(
    operate: Operator, script_aws: ScriptAws
) -> None:
    datapoints = [{"Timestamp": time, "Maximum": age} for time, age in ((1780000060, 3725.0), (1780000000, 3665.0))]
    age = reply(200, json.dumps({"Label": "x", "Datapoints": datapoints}).encode())
    cloudwatch = script_aws("CLOUDWATCH", age, age, reply(403, json.dumps({"__type": "AccessDenied"}).encode()))
    assert json.loads(operate("archive", "status", "--json").stdout)["oldestMessageSeconds"] == 3725
    assert summary(operate("archive", "status").stdout)["oldest message seconds"] == "3,725"
    assert b"craftkit-test-ArchiveQueue" in cloudwatch.requests[0].body
    result = operate("archive", "status", "--json")
    assert (result.exit_code, json.loads(result.stdout)["oldestMessageSeconds"]) == (0, None)
