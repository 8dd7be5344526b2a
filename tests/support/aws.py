"""The operations of DynamoDB and S3 that the functions use, in memory: for tests with thousands of examples."""

import io
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, dict[str, Any]]
"""In DynamoDB's JSON."""

STATUSES = {"NoSuchKey": 404, "PreconditionFailed": 412, "InvalidRange": 416}


class Tables:
    """Items by table name and key. Counts the reads."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.reads = 0

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.reads += 1
        found: dict[str, list[Item]] = {}
        for table, wanted in RequestItems.items():
            keys = [value["S"] for key in wanted["Keys"] for value in key.values()]
            found[table] = [self.items[table, key] for key in keys if (table, key) in self.items]
        return {"Responses": found, "UnprocessedKeys": {}}


class Bucket:
    """Objects by key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get_object(self, Key: str, **parameters: Any) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise error("NoSuchKey")
        content = self.objects[Key]
        if parameters.get("IfMatch") not in (None, etag(content)):
            raise error("PreconditionFailed")
        asked = parameters.get("Range")
        if asked is None:
            return answer(200, ETag=etag(content), ContentLength=len(content), Body=io.BytesIO(content))
        first, last = asked.removeprefix("bytes=").split("-")
        wanted = (
            slice(int(first), int(last or len(content)) + 1) if first else slice(max(0, len(content) - int(last)), None)
        )
        start, stop, _step = wanted.indices(len(content))
        if start >= stop:
            raise error("InvalidRange")
        return answer(
            206,
            ETag=etag(content),
            ContentLength=stop - start,
            ContentRange=f"bytes {start}-{stop - 1}/{len(content)}",
            Body=io.BytesIO(content[start:stop]),
        )

    def put_object(self, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803
        if Key in self.objects:
            raise error("PreconditionFailed")
        self.objects[Key] = Body
        return answer(200, ETag=etag(Body))


def answer(status: int, **fields: Any) -> dict[str, Any]:
    """As botocore returns it."""
    return fields | {"ResponseMetadata": {"HTTPStatusCode": status}}


def error(code: str) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": STATUSES[code], "HTTPHeaders": {}}}
    return ClientError(response, "GetObject")


class Vault:
    """Secrets Manager: each secret is its own name."""

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803
        return {"SecretString": SecretId}


def etag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()}"'
