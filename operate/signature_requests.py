"""Reads SignaturesTable. Only one page is in memory, however large the table is."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from itertools import batched
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from certificates.errors import InvalidRecord, RecordsUnavailable
from certificates.models import SignatureRequest
from operate.checkpoint import Checkpoint
from operate.output import remark
from operate.stack import DeployedStack

PAGE_ITEMS = 1000
STEP_ITEMS = 50
"""A run that was killed repeats at most one step."""


class SignatureRequests:
    """`identity` differs even between tables of the same name; `count`, the number of items, may be hours old."""

    def __init__(self, stack: DeployedStack) -> None:
        self._dynamodb = stack.client("dynamodb")
        self._table = stack.output("SignaturesTableName")
        table = self._dynamodb.describe_table(TableName=self._table)["Table"]
        created = table["CreationDateTime"].astimezone(UTC).isoformat(timespec="seconds")
        self.identity, self.count = f"{table['TableArn']} of {created}", int(table["ItemCount"])

    def read(self, checkpoint: Checkpoint, advance: Callable[[int], None]) -> Iterator[list[SignatureRequest]]:
        """Yields the requests with a certificate in steps, and saves the checkpoint after each was processed.

        Reads are eventually consistent, at half the price: the stream takes care of the latest writes.
        """
        done = checkpoint.done.get("table", "")
        if done is None:
            return
        start = {"ExclusiveStartKey": {"id": {"S": done}}} if done else {}
        names = ("id", "projectId", "certificateUrl", "status")
        for page in scan(self._dynamodb, self._table, names, PaginationConfig={"PageSize": PAGE_ITEMS}, **start):
            for items in batched(page, STEP_ITEMS, strict=False):
                requests = [request for item in items if (request := _read_request(item))]
                available = [request for request in requests if request.certificate_url is not None]
                yield available
                numbers = {"scanned": len(items), "available": len(available), "broken": len(items) - len(requests)}
                checkpoint.record(numbers)
                checkpoint.save(table=str(items[-1]["id"]))
                advance(len(items))
        checkpoint.save(table=None)


def _read_request(item: dict[str, Any]) -> SignatureRequest | None:
    """Reports an item that breaks the rules of the table."""
    try:
        return SignatureRequest.from_item(item)
    except InvalidRecord as error:
        rules = ", ".join(f"{name}: {rule}" for name, rule in error.problems.items())
        remark(f"broken item {item['id']} ({rules})")
        return None


def scan(dynamodb: Any, table: str, attributes: Iterable[str], **options: Any) -> Iterator[list[dict[str, Any]]]:
    """Yields pages of items with these attributes. botocore parses a non-JSON body as an empty response: raises
    RecordsUnavailable."""
    names = {f"#{name}": name for name in attributes}
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table, ProjectionExpression=", ".join(names), ExpressionAttributeNames=names, **options
    )
    deserialize = TypeDeserializer().deserialize
    for page in pages:
        if "Items" not in page:
            raise RecordsUnavailable("MalformedAnswer")
        yield [{name: deserialize(value) for name, value in item.items()} for item in page["Items"]]
