"""The two tables, read and never written."""

import random
import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from certificates.aws import error_code
from certificates.errors import RecordsUnavailable
from certificates.models import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

ATTEMPTS = 4
FIRST_PAUSE = 0.05

Keys = Mapping[str, Mapping[str, "AttributeValueTypeDef"]]
"""By table, the key of the one item that is asked for: `{"signatures": {"id": {"S": "0f8f…"}}}`."""


class Records:
    def __init__(self, dynamodb: "DynamoDBClient", signatures_table: str, api_keys_table: str = "") -> None:
        self._dynamodb = dynamodb
        self._signatures_table = signatures_table
        self._api_keys_table = api_keys_table

    def lookup(self, key_hash: str, signature_id: str | None) -> tuple[Item | None, Item | None]:
        """The key's item and the signature's in one strongly consistent read. A missing item is None.

        Neither is validated: the caller must not look at the signature before it has accepted the key.
        Raises RecordsUnavailable.
        """
        wanted: Keys = {self._api_keys_table: {"keyHash": {"S": key_hash}}}
        if signature_id is not None:
            wanted = {**wanted, self._signatures_table: {"id": {"S": signature_id}}}
        found = self._read(wanted)
        return found.get(self._api_keys_table), found.get(self._signatures_table)

    def signature(self, signature_id: str) -> Item | None:
        """The signature's item, from a strongly consistent read. Raises RecordsUnavailable."""
        return self._read({self._signatures_table: {"id": {"S": signature_id}}}).get(self._signatures_table)

    def _read(self, wanted: Keys) -> dict[str, Item]:
        """The existing items, by table."""
        found: dict[str, Item] = {}
        for attempt in range(ATTEMPTS):
            try:
                answer = self._dynamodb.batch_get_item(
                    RequestItems={table: {"Keys": [key], "ConsistentRead": True} for table, key in wanted.items()}
                )
            except Exception as error:
                raise RecordsUnavailable(error_code(error)) from error
            items, unprocessed = _check(answer, wanted)
            found |= items
            if not unprocessed:
                return found
            wanted = {table: wanted[table] for table in unprocessed}
            time.sleep(FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1))  # noqa: S311
        raise RecordsUnavailable("UnprocessedKeys")


def _check(answer: Mapping[str, Any], wanted: Keys) -> tuple[dict[str, Item], list[str]]:
    """The items in DynamoDB's answer, and the tables that it left unread.

    Raises RecordsUnavailable unless the answer matches the request. botocore parses a body that is not JSON as an
    answer without any field.
    """
    responses, unprocessed = answer.get("Responses"), answer.get("UnprocessedKeys")
    if not isinstance(responses, dict) or not isinstance(unprocessed, dict):
        raise RecordsUnavailable("MalformedAnswer")
    if not {*responses, *unprocessed} <= wanted.keys():
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
    """Texts, numbers and nulls without their types. Everything else stays as it is: no rule allows it."""
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
