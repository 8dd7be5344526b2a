"""The two tables, read and never written."""

import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from signing.aws import AwsError, error_code
from signing.errors import RecordsUnavailable
from signing.models import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        KeysAndAttributesOutputTypeDef,
        KeysAndAttributesTypeDef,
    )

ATTEMPTS = 4
FIRST_PAUSE = 0.05


class Records:
    def __init__(self, dynamodb: "DynamoDBClient", signatures_table: str, api_keys_table: str = "") -> None:
        self._dynamodb = dynamodb
        self._signatures_table = signatures_table
        self._api_keys_table = api_keys_table

    def lookup(self, key_hash: str, signature_id: str | None) -> tuple[Item | None, Item | None]:
        """The key's item and the signature's, each None where there is none, in one strongly consistent read.

        Neither is validated: the caller must not look at the signature before it has accepted the key.
        Raises RecordsUnavailable.
        """
        wanted = self._request(self._api_keys_table, "keyHash", key_hash)
        if signature_id is not None:
            wanted |= self._request(self._signatures_table, "id", signature_id)
        found = self._read(wanted)
        return found.get(self._api_keys_table), found.get(self._signatures_table)

    def signature(self, signature_id: str) -> Item | None:
        """The signature's item, from a strongly consistent read. Raises RecordsUnavailable."""
        return self._read(self._request(self._signatures_table, "id", signature_id)).get(self._signatures_table)

    @staticmethod
    def _request(table: str, key: str, value: str) -> dict[str, "KeysAndAttributesTypeDef"]:
        return {table: {"Keys": [{key: {"S": value}}], "ConsistentRead": True}}

    def _read(self, request: dict[str, "KeysAndAttributesTypeDef"]) -> dict[str, Item]:
        wanted: Mapping[str, KeysAndAttributesTypeDef | KeysAndAttributesOutputTypeDef] = request
        found: dict[str, Item] = {}
        for attempt in range(ATTEMPTS):
            try:
                answer = self._dynamodb.batch_get_item(RequestItems=wanted)
            except AwsError as error:
                raise RecordsUnavailable(error_code(error)) from error
            if "Responses" not in answer:  # boto3 takes what is no JSON for an answer without any field
                raise RecordsUnavailable("MalformedAnswer")
            for table, items in answer["Responses"].items():
                for item in items:
                    found[table] = _plain(item)
            wanted = answer.get("UnprocessedKeys", {})
            if not wanted:
                return found
            time.sleep(FIRST_PAUSE * 2**attempt * random.uniform(0.5, 1))  # noqa: S311
        raise RecordsUnavailable("UnprocessedKeys")


def _plain(item: Mapping[str, "AttributeValueTypeDef"]) -> Item:
    """Texts and nulls without their types. Whatever else there is stays as it came: no rule allows it."""
    return {name: _plain_value(value) for name, value in item.items()}


def _plain_value(value: "AttributeValueTypeDef") -> object:
    match value:
        case {"S": text}:
            return text
        case {"NULL": True}:
            return None
    return value
