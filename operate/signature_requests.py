"""Reads SignaturesTable. Only one page is in memory, however large the table is."""

from collections.abc import Callable, Mapping
from datetime import UTC
from itertools import batched
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from certificates.errors import InvalidRecord, RecordsUnavailable
from certificates.models import SignatureRequest
from operate.checkpoint import Checkpoint, Finding
from operate.output import Output
from operate.stack import DeployedStack

PAGE_ITEMS = 1000
STEP_ITEMS = 50
"""A run that was killed repeats at most one step."""


class SignatureRequests:
    def __init__(self, stack: DeployedStack) -> None:
        self._dynamodb = stack.dynamodb()
        self._table = stack.output("SignaturesTableName")

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
        advance: Callable[[int], None],
    ) -> None:
        """Processes the requests with a certificate in steps, and saves the checkpoint after each. `process` returns
        its numbers and findings.

        Reads are eventually consistent, at half the price: the stream takes care of the latest writes.
        """
        if checkpoint.table is None:
            return
        start = {"ExclusiveStartKey": {"id": {"S": checkpoint.table}}} if checkpoint.table else {}
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            ProjectionExpression="id, projectId, certificateUrl, #status",
            ExpressionAttributeNames={"#status": "status"},
            PaginationConfig={"PageSize": PAGE_ITEMS},
            **start,  # type: ignore[arg-type]
        )
        for page in pages:
            for items in batched(read_items(page), STEP_ITEMS, strict=False):
                requests = [request for item in items if (request := _read_request(item, checkpoint.output))]
                available = [request for request in requests if request.certificate_url is not None]
                counts, findings = process(available)
                broken = len(items) - len(requests)
                numbers = {"scanned": len(items), "available": len(available), "broken": broken}
                checkpoint.record({**numbers, **counts}, findings)
                checkpoint.table = str(items[-1]["id"])
                checkpoint.save()
                advance(len(items))
        checkpoint.table = None
        checkpoint.save()


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
