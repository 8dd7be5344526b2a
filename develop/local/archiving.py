"""Carries a completed signature request to the archive function: the pipe, the rule, the queue's poller."""

import json
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from develop.local import seeds
from develop.local.events import pipe_messages, rule_messages
from develop.local.gateway import Invoke
from develop.template import ACCOUNT, Stack

POLL_SECONDS = 0.3


class Archiving:
    """`client` makes a client of a service of AWS, in the name of one resource of the template. The pipe reads the
    stream under its own name; the event source mapping reads the queue under the function's."""

    def __init__(self, stack: Stack, client: Callable[[str, str], Any], archive: Invoke) -> None:
        self._stack = stack
        self._archive = archive
        self._dynamodb = client("dynamodb", "Craftkit")
        self._streams = client("dynamodbstreams", "SignaturesPipe")
        self._pipe = client("sqs", "SignaturesPipe")
        self._rule = client("sqs", "SignatureCompletedRule")
        self._poller = client("sqs", "ArchiveCertificateFunction")
        name = stack.physical_id("ArchiveQueue")
        self._queue_url = self._rule.get_queue_url(QueueName=name)["QueueUrl"]
        self._table = stack.physical_id("SignaturesTable")
        self._iterators = self._open_iterators()

    def complete(self, id_: str) -> None:
        """Completes a signature request as Craftkit does: writes its item and publishes the event."""
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
        item = seeds.signature(id_, "completed", f"req_{id_}", is_available=True) | {"completedAt": {"S": now}}
        self._dynamodb.put_item(TableName=self._table, Item=item)
        detail = {"event": "signature.completed", "signatureRequestId": id_, "renderId": id_, "status": "completed"}
        event = {"account": ACCOUNT, "source": "craftkit.signatures", "detail-type": "signature.completed"}
        self._send(self._rule, rule_messages(self._stack, event | {"detail": detail}))

    def run_pipe(self) -> None:
        """Forwards the changes in the table since the last call."""
        for shard, iterator in self._iterators.items():
            answer = self._streams.get_records(ShardIterator=iterator)
            self._iterators[shard] = answer["NextShardIterator"]
            records = json.loads(json.dumps(answer["Records"], default=str))  # times as text, as a pipe sees them
            self._send(self._pipe, pipe_messages(self._stack, records))

    def run_poller(self) -> None:
        """Acts as Lambda's event source mapping: sends one batch, and deletes the messages that succeeded."""
        answer = self._poller.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["ApproximateReceiveCount"]
        )
        messages: list[Any] = [*answer.get("Messages", [])]
        if not messages:
            return
        (record,) = seeds.event("archive_available")["Records"]
        names = {"messageId": "MessageId", "receiptHandle": "ReceiptHandle", "body": "Body", "attributes": "Attributes"}
        records = [record | {name: message[of_sqs] for name, of_sqs in names.items()} for message in messages]
        reply: dict[str, Any] = json.loads(self._archive(json.dumps({"Records": records}).encode()))
        failed = {failure["itemIdentifier"] for failure in reply["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self._poller.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])

    @contextmanager
    def running(self) -> Iterator[None]:
        with repeating(self.run_pipe, POLL_SECONDS), repeating(self.run_poller, POLL_SECONDS):
            yield

    def _open_iterators(self) -> dict[str, str]:
        """Starts after the seeds, which must not trigger archiving."""
        arn = self._dynamodb.describe_table(TableName=self._table)["Table"]["LatestStreamArn"]
        shards = self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        return {
            shard["ShardId"]: self._streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST"
            )["ShardIterator"]
            for shard in shards
        }

    def _send(self, sqs: Any, messages: list[str]) -> None:
        for message in messages:
            sqs.send_message(QueueUrl=self._queue_url, MessageBody=message)


@contextmanager
def repeating(step: Callable[[], object], seconds: float) -> Iterator[None]:
    """Takes the step again and again, with a pause of `seconds` before each time."""
    stopped = threading.Event()

    def repeat() -> None:
        while not stopped.wait(seconds):
            try:
                step()
            except Exception:  # noqa: BLE001 - the function died: its messages return after the visibility timeout
                traceback.print_exc()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
