"""The operations of DynamoDB, S3 and Secrets Manager that the functions use, as boto3's clients have them."""

import hashlib
import io
from base64 import b64encode
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from develop.local import seeds
from develop.template import Stack

Item = dict[str, dict[str, Any]]
"""In DynamoDB's JSON."""

_STATUSES = {"NoSuchKey": 404, "PreconditionFailed": 412, "InvalidRange": 416}


class Tables:
    """The stack's tables, with the keys of `seeds`. Counts the reads."""

    def __init__(self, stack: Stack) -> None:
        self.reads = 0
        self._stack = stack
        self._items: dict[tuple[str, str], Item] = {}
        for item in seeds.api_keys():
            self._put("ApiKeysTable", item["keyHash"]["S"], item)

    def put_key(self, key: str = seeds.KEY, **attributes: Any) -> Item:
        """Writes a key of the project and returns its item. None removes an attribute."""
        key_hash = hashlib.sha256(key.encode()).hexdigest()
        return self._put("ApiKeysTable", key_hash, seeds.api_keys()[0] | {"keyHash": {"S": key_hash}} | attributes)

    def put_signature(self, signature_id: str, **attributes: Any) -> Item:
        """Writes a signature request whose certificate is available. Otherwise as `put_key`."""
        item = seeds.signature(signature_id, "completed", f"req_{signature_id}", is_available=True)
        return self._put("SignaturesTable", signature_id, item | attributes)

    def _put(self, table: str, key: str, item: Item) -> Item:
        present = {name: value for name, value in item.items() if value is not None}
        self._items[self._stack.physical_id(table), key] = present
        return present

    def get_item(self, TableName: str, Key: Item, **_: Any) -> dict[str, Any]:  # noqa: N803
        (value,) = Key.values()
        item = self._items.get((TableName, value["S"]))
        return {"Item": item} if item else {}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.reads += 1
        found = {
            table: [item for key in wanted["Keys"] for item in self.get_item(table, key).values()]
            for table, wanted in RequestItems.items()
        }
        return {"Responses": found, "UnprocessedKeys": {}}


class Bucket:
    """Objects by key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        """User metadata by key. Objects of other writers have none."""

    def get_object(self, Key: str, **parameters: Any) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise error("NoSuchKey")
        content, metadata = self.objects[Key], self.metadata.get(Key, {})
        if parameters.get("IfMatch") not in (None, etag(content)):
            raise error("PreconditionFailed")
        fields = {"ETag": etag(content), "Metadata": metadata}
        asked = parameters.get("Range")
        if asked is None:
            return answer(200, ContentLength=len(content), Body=io.BytesIO(content), **fields)
        first, last = asked.removeprefix("bytes=").split("-")
        wanted = range(len(content))
        wanted = (
            wanted[int(first) : int(last or len(content)) + 1] if first else wanted[max(0, len(content) - int(last)) :]
        )
        if not wanted:
            raise error("InvalidRange")
        fields["ContentRange"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(content)}"
        body = io.BytesIO(content[wanted.start : wanted.stop])
        return answer(206, ContentLength=len(wanted), Body=body, **fields)

    def put_object(self, Key: str, Body: bytes, **parameters: Any) -> dict[str, Any]:  # noqa: N803
        if parameters.get("IfNoneMatch") == "*" and Key in self.objects:
            raise error("PreconditionFailed")
        self.objects[Key], self.metadata[Key] = Body, parameters.get("Metadata", {})
        return answer(200, ETag=etag(Body), ChecksumSHA256=sha256(Body))


def answer(status: int, **fields: Any) -> dict[str, Any]:
    """As botocore returns it."""
    return fields | {"ResponseMetadata": {"HTTPStatusCode": status}}


def error(code: str) -> ClientError:
    metadata: Any = {"HTTPStatusCode": _STATUSES[code], "HTTPHeaders": {}}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "GetObject")


class Vault:
    """Secrets Manager. Every secret is correct."""

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: ARG002, N803
        return {"SecretString": seeds.PROVIDER_SECRET}


@lru_cache(maxsize=32)  # the benchmark must not pay for a digest per request
def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def etag(content: bytes) -> str:
    return f'"{_digest(content).hex()}"'


def sha256(content: bytes) -> str:
    """Returns base64, as in S3's checksum."""
    return b64encode(_digest(content)).decode()
