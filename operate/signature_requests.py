"""Reads SignaturesTable in parallel segments. Only one page per segment is in memory, however large the table is."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC
from threading import Event
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from certificates.errors import InvalidRecord, RecordsUnavailable
from certificates.models import SignatureRequest
from operate.stack import Target

PAGE_ITEMS = 1000


@dataclass(frozen=True)
class Page:
    """`scanned` counts all items. `available` holds those with a certificate, `broken` a line about each item that
    breaks the rules of the table. `last_id` is where the next page begins; None at the end of the segment."""

    scanned: int
    available: list[SignatureRequest]
    broken: list[str]
    last_id: str | None


class SignatureRequests:
    def __init__(self, target: Target) -> None:
        self._dynamodb = target.dynamodb()
        self._table = target.output("SignaturesTableName")
        self._deserialize = TypeDeserializer().deserialize

    def describe_table(self) -> tuple[str, int]:
        """Returns an identity, which differs even between tables of the same name, and the number of items, which may
        be hours old."""
        table = self._dynamodb.describe_table(TableName=self._table)["Table"]
        created = table["CreationDateTime"].astimezone(UTC).isoformat(timespec="seconds")
        return f"{table['TableArn']} of {created}", table["ItemCount"]

    def pages(self, segment: int, segments: int, after: str | None = None) -> Iterator[Page]:
        """Yields the pages of one segment after the item with the id `after`.

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
            last_key = page.get("LastEvaluatedKey")
            yield self._read_page(read_items(page), last_key["id"]["S"] if last_key else None)

    def _read_page(self, items: list[dict[str, Any]], last_id: str | None) -> Page:
        available, broken = [], []
        for item in items:
            plain = {name: self._deserialize(value) for name, value in item.items()}
            try:
                signature = SignatureRequest.from_item(plain)
            except InvalidRecord as error:
                rules = ", ".join(f"{name}: {rule}" for name, rule in error.problems.items())
                broken.append(f"broken item {plain['id']} ({rules})")
            else:
                if signature.certificate_url is not None:
                    available.append(signature)
        return Page(len(items), available, broken, last_id)


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
