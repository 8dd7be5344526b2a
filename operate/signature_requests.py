"""Reads SignaturesTable in parallel segments. Only one page per segment is in memory, however large the table is."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC
from itertools import batched
from threading import Event, Lock
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from certificates.errors import InvalidRecord, RecordsUnavailable
from certificates.models import SignatureRequest
from operate.checkpoint import Checkpoint, Part
from operate.output import Output
from operate.stack import DeployedStack

PAGE_ITEMS = 1000
STEP_ITEMS = 50
"""A run that was killed repeats at most one step of each segment."""

Finding = Mapping[str, str | int]
"""A `problem`, and the signature request or the key that has it."""


@dataclass(frozen=True)
class Step:
    """Some items of a page. `available` holds those with a certificate, `broken` a line about each item that breaks the
    rules of the table. `last_id` is where the next step begins; None once the segment has been read."""

    last_id: str | None
    scanned: int
    available: list[SignatureRequest] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class SignatureRequests:
    def __init__(self, stack: DeployedStack) -> None:
        self._dynamodb = stack.dynamodb()
        self._table = stack.output("SignaturesTableName")
        self._deserialize = TypeDeserializer().deserialize

    def describe_table(self) -> tuple[str, int]:
        """Returns an identity, which differs even between tables of the same name, and the number of items, which may
        be hours old."""
        table = self._dynamodb.describe_table(TableName=self._table)["Table"]
        created = table["CreationDateTime"].astimezone(UTC).isoformat(timespec="seconds")
        return f"{table['TableArn']} of {created}", table["ItemCount"]

    def process_all(
        self,
        checkpoint: Checkpoint,
        process: Callable[[list[SignatureRequest]], tuple[Mapping[str, int], list[Finding]]],
        output: Output,
        advance: Callable[[int], None],
    ) -> None:
        """Processes the requests with a certificate in steps, from several threads, and saves the checkpoint after each
        step. `process` returns its numbers and findings. After Ctrl-C or an error, each thread ends its step."""
        saving = Lock()

        def work(segment: int, stop: Event) -> None:
            for step in self.steps(segment, len(checkpoint.segments), checkpoint.segments[segment].after):
                if stop.is_set():
                    return
                counts, findings = process(step.available)
                with saving:
                    for line in step.broken:
                        output.remark(line)
                    for finding in findings:
                        output.write_finding(finding)
                    numbers = {"scanned": step.scanned, "available": len(step.available), "broken": len(step.broken)}
                    checkpoint.add({**numbers, **counts})
                    checkpoint.segments[segment] = Part(after=step.last_id, is_done=step.last_id is None)
                    checkpoint.save()
                    advance(step.scanned)

        run_in_parallel([n for n, segment in enumerate(checkpoint.segments) if not segment.is_done], work)

    def steps(self, segment: int, segments: int, after: str | None = None) -> Iterator[Step]:
        """Yields the items of one segment after the one with the id `after`.

        Reads are eventually consistent, at half the price: the stream takes care of the latest writes.
        """
        start = {"ExclusiveStartKey": {"id": {"S": after}}} if after else {}
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            Segment=segment,
            TotalSegments=segments,
            ProjectionExpression="id, projectId, certificateUrl, #status",
            ExpressionAttributeNames={"#status": "status"},
            PaginationConfig={"PageSize": PAGE_ITEMS},
            **start,  # type: ignore[arg-type]
        )
        for page in pages:
            for items in batched(read_items(page), STEP_ITEMS, strict=False):
                yield self._read_step(items)
        yield Step(None, 0)

    def _read_step(self, items: tuple[dict[str, Any], ...]) -> Step:
        step = Step(items[-1]["id"]["S"], len(items))
        for item in items:
            plain = {name: self._deserialize(value) for name, value in item.items()}
            try:
                request = SignatureRequest.from_item(plain)
            except InvalidRecord as error:
                rules = ", ".join(f"{name}: {rule}" for name, rule in error.problems.items())
                step.broken.append(f"broken item {plain['id']} ({rules})")
            else:
                if request.certificate_url is not None:
                    step.available.append(request)
        return step


def read_items(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the items of a scan. botocore parses a non-JSON body as an empty response.

    Raises RecordsUnavailable.
    """
    if "Items" not in response:
        raise RecordsUnavailable("MalformedAnswer")
    return response["Items"]  # type: ignore[no-any-return]


def run_in_parallel(segments: list[int], work: Callable[[int, Event], None]) -> None:
    """Runs `work` on each segment in a thread of its own. After Ctrl-C or an error, the event stops the others."""
    stop = Event()
    with ThreadPoolExecutor(max_workers=max(len(segments), 1)) as workers:
        try:
            for future in as_completed([workers.submit(work, segment, stop) for segment in segments]):
                future.result()
        except BaseException:
            stop.set()
            raise
