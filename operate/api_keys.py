"""Writes and reads ApiKeysTable for operators. The functions read it through `certificates.records`."""

import secrets
import string
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from certificates.api_key import HashedKey
from certificates.aws import error_code
from certificates.errors import InvalidRecord
from certificates.models import ApiKey, Item
from operate.signature_requests import read_items
from operate.stack import DeployedStack

_RANDOM_LENGTH = 32
_ALPHABET = string.ascii_letters + string.digits
_NOT_REVOKED = "attribute_not_exists(revokedAt) OR attribute_type(revokedAt, :null)"
_SHOWN = ("prefix", "projectId", "name", "createdAt", "expiresAt", "revokedAt")


@dataclass(frozen=True)
class Entry:
    """A key in the table. `shown` holds the attributes that may be shown, None for missing ones; `broken` names those
    that break the rules of the table."""

    key_hash: str = field(repr=False)
    shown: dict[str, Any]
    broken: frozenset[str]

    @classmethod
    def read(cls, item: Item, now: datetime) -> Self:
        broken: frozenset[str] = frozenset()
        try:
            key = ApiKey.from_item(item)
            state = "revoked" if key.revoked_at else "active" if key.is_accepted_at(now) else "expired"
        except InvalidRecord as error:
            state, broken = "broken", frozenset(error.problems)
        shown = {name: item.get(name) for name in _SHOWN}
        return cls(str(item["keyHash"]), shown | {"state": state}, broken)

    @property
    def is_revoked(self) -> bool:
        return self.shown["revokedAt"] is not None and "revokedAt" not in self.broken


def make_key(*, is_test: bool) -> str:
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return f"ck_{'test' if is_test else 'live'}_{random}"


class ApiKeys:
    def __init__(self, stack: DeployedStack) -> None:
        self._dynamodb = stack.dynamodb()
        self._table = stack.output("ApiKeysTableName")

    def create(self, key: HashedKey, project: str, name: str | None, expires_at: datetime | None) -> None:
        texts = {
            "keyHash": key.sha256,
            "projectId": project,
            "prefix": key.prefix,
            "createdAt": _format_time(datetime.now(UTC)),
        }
        if name:
            texts["name"] = name
        if expires_at:
            texts["expiresAt"] = _format_time(expires_at)
        self._dynamodb.put_item(
            TableName=self._table,
            Item={attribute: {"S": text} for attribute, text in texts.items()} | {"revokedAt": {"NULL": True}},
            ConditionExpression="attribute_not_exists(keyHash)",
        )

    def entries(
        self, project: str | None = None, prefix: str | None = None, created_at: str = "", key_hash: str | None = None
    ) -> list[Entry]:
        """Returns the keys that match all arguments, the oldest of each project first. `created_at` may be the start
        of a time, such as its day."""
        deserialize = TypeDeserializer().deserialize
        now = datetime.now(UTC)
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            ConsistentRead=True,
            ProjectionExpression="keyHash, prefix, projectId, #name, createdAt, expiresAt, revokedAt",
            ExpressionAttributeNames={"#name": "name"},
        )
        entries = [
            Entry.read({name: deserialize(value) for name, value in item.items()}, now)
            for page in pages
            for item in read_items(page)
        ]
        wanted = [
            entry
            for entry in entries
            if project in (None, entry.shown["projectId"])
            and prefix in (None, entry.shown["prefix"])
            and key_hash in (None, entry.key_hash)
            and str(entry.shown["createdAt"] or "").startswith(created_at)
        ]
        return sorted(wanted, key=lambda entry: (str(entry.shown["projectId"]), str(entry.shown["createdAt"])))

    def revoke(self, entry: Entry) -> bool:
        """Revokes the key at once. Returns False if it was revoked or deleted since it was read."""
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"keyHash": {"S": entry.key_hash}},
                UpdateExpression="SET revokedAt = :now",
                ConditionExpression=f"attribute_exists(keyHash) AND ({_NOT_REVOKED})",
                ExpressionAttributeValues={":now": {"S": _format_time(datetime.now(UTC))}, ":null": {"S": "NULL"}},
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _format_time(time: datetime) -> str:
    """Formats a time like `2026-06-05T11:42:08.000Z`."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
