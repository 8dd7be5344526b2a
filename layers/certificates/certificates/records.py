"""The two tables, read and never written."""

import random
import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from certificates import budgets
from certificates.aws import error_code
from certificates.errors import RecordsUnavailable
from certificates.models import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Keys = Mapping[str, Mapping[str, "AttributeValueTypeDef"]]
"""The key of the one requested item, by table: `{"signatures": {"id": {"S": "0f8f…"}}}`."""


class Records:
    def __init__(self, dynamodb: "DynamoDBClient", signatures_table: str, api_keys_table: str = "") -> None:
        self._dynamodb = dynamodb
        self._signatures_table = signatures_table
        self._api_keys_table = api_keys_table

    def lookup(self, key_hash: str, signature_id: str | None) -> tuple[Item | None, Item | None]:
        """Returns the items of the key and the signature request, or None for each that is missing, from one strongly
        consistent read. The caller must accept the key before it looks at the signature request.

        Raises RecordsUnavailable.
        """
        wanted: Keys = {self._api_keys_table: {"keyHash": {"S": key_hash}}}
        if signature_id is not None:
            wanted = {**wanted, self._signatures_table: {"id": {"S": signature_id}}}
        found = self._read(wanted)
        return found.get(self._api_keys_table), found.get(self._signatures_table)

    def signature(self, signature_id: str) -> Item | None:
        """Returns the signature request's item from a strongly consistent read. Raises RecordsUnavailable."""
        return self._read({self._signatures_table: {"id": {"S": signature_id}}}).get(self._signatures_table)

    def _read(self, wanted: Keys) -> dict[str, Item]:
        """Returns the existing items, by table."""
        found: dict[str, Item] = {}
        for attempt in range(budgets.UNPROCESSED_READS):
            try:
                response = self._dynamodb.batch_get_item(
                    RequestItems={table: {"Keys": [key], "ConsistentRead": True} for table, key in wanted.items()}
                )
            except Exception as error:
                raise RecordsUnavailable(error_code(error)) from error
            items, unprocessed = _check(response, wanted)
            found |= items
            if not unprocessed:
                return found
            wanted = {table: wanted[table] for table in unprocessed}
            time.sleep(budgets.UNPROCESSED_PAUSE * 2**attempt * random.uniform(0.5, 1))  # noqa: S311
        raise RecordsUnavailable("UnprocessedKeys")


def _check(response: Mapping[str, Any], wanted: Keys) -> tuple[dict[str, Item], list[str]]:
    """Returns the items in DynamoDB's response, and the tables that it left unread.

    Raises RecordsUnavailable unless the response matches the request. botocore parses a body that is not JSON as a
    response without any field.
    """
    responses, unprocessed = response.get("Responses"), response.get("UnprocessedKeys")
    if not (
        isinstance(responses, dict) and isinstance(unprocessed, dict) and {*responses, *unprocessed} <= wanted.keys()
    ):
        raise RecordsUnavailable("MalformedAnswer")
    found: dict[str, Item] = {}
    for table, items in responses.items():
        match items:
            case []:
                pass
            case [dict() as item] if item.items() >= wanted[table].items():
                found[table] = {name: _plain(value) for name, value in item.items()}
            case _:
                raise RecordsUnavailable("MalformedAnswer")
    return found, list(unprocessed)


def _plain(value: object) -> object:
    """Returns a text, number or null without its type, and anything else unchanged: no rule allows it."""
    match value:
        case {"S": text}:
            return text
        case {"N": str() as digits}:
            try:
                return Decimal(digits)
            except InvalidOperation:
                raise RecordsUnavailable("MalformedAnswer") from None
        case {"NULL": True}:
            return None
    return value
