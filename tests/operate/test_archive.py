"""`certificates archive`, on resources made from the template."""

import json

from tests.support.deployed import SQS
from tests.support.operator import Operator, summary


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
    assert (as_json.exit_code, as_json.stderr, numbers) == (0, "", counts)
    shown = dict(zip(("waiting", "in flight", "delayed", "dead letters", "signature requests"), "31124", strict=True))
    assert (table.exit_code, table.stderr, summary(table.stdout)) == (0, "", shown)
