"""Reads SignaturesTable. Only one page is in memory, however large the table is."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from itertools import batched
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from certificates.errors import InvalidRecord, RecordsUnavailable
from certificates.models import SignatureRequest
from operate.checkpoint import Checkpoint
from operate.output import Output
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
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            ProjectionExpression="id, projectId, certificateUrl, #status",
            ExpressionAttributeNames={"#status": "status"},
            PaginationConfig={"PageSize": PAGE_ITEMS},
            **start,
        )
        for page in pages:
            for items in batched(read_items(page), STEP_ITEMS, strict=False):
                requests = [request for item in items if (request := _read_request(item, checkpoint.output))]
                available = [request for request in requests if request.certificate_url is not None]
                yield available
                numbers = {"scanned": len(items), "available": len(available), "broken": len(items) - len(requests)}
                checkpoint.record(numbers)
                checkpoint.save(table=str(items[-1]["id"]))
                advance(len(items))
        checkpoint.save(table=None)


def _read_request(item: dict[str, Any], output: Output) -> SignatureRequest | None:
    """Reports an item that breaks the rules of the table."""
    try:
        return SignatureRequest.from_item(item)
    except InvalidRecord as error:
        rules = ", ".join(f"{name}: {rule}" for name, rule in error.problems.items())
        output.remark(f"broken item {item['id']} ({rules})")
        return None


def read_items(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the items of a scan. botocore parses a non-JSON body as an empty response.

    Raises RecordsUnavailable.
    """
    if "Items" not in response:
        raise RecordsUnavailable("MalformedAnswer")
    deserialize = TypeDeserializer().deserialize
    return [{name: deserialize(value) for name, value in item.items()} for item in response["Items"]]
