"""Records the calls to a stand-in for AWS as IAM sees them: who, which action, on which resource."""

import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from develop.environment import REGION
from develop.template import ACCOUNT

_CREDENTIAL = re.compile(r"Credential=(?P<who>[^/]+)/\d+/[^/]+/(?P<service>[^/]+)/aws4_request")
_S3_OPERATIONS = {"GET": "GetObject", "PUT": "PutObject"}

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Call:
    """`action` is IAM's name for it, `operation` the service's."""

    who: str
    action: str
    resource: str
    operation: str

    @property
    def service(self) -> str:
        return self.action.partition(":")[0]


@dataclass
class Recorder:
    calls: set[Call] = field(default_factory=set)

    def watch(self, application: Application) -> Application:
        """Wraps a WSGI application and records its requests."""

        def watched(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)

            def start(status: str, *arguments: Any) -> Any:
                self.calls |= set(_calls(environ, body, status))
                return start_response(status, *arguments)

            return application(environ, start)

        return watched


def _calls(environ: dict[str, Any], body: bytes, status: str) -> Iterable[Call]:
    match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if match is None:
        return
    if match["service"] == "s3":
        bucket, _, key = unquote(environ["PATH_INFO"]).removeprefix("/").partition("/")
        if key:
            operation = _S3_OPERATIONS[environ["REQUEST_METHOD"]]
            yield Call(match["who"], f"s3:{operation}", f"arn:aws:s3:::{bucket}/{key}", operation)
            # S3 tells a missing key (404) from a forbidden one (403) only to those who may list the bucket.
            if status.startswith("404"):
                yield Call(match["who"], "s3:ListBucket", f"arn:aws:s3:::{bucket}", operation)
        return
    operation = environ["HTTP_X_AMZ_TARGET"].rpartition(".")[2]
    for resource in _resources(match["service"], json.loads(body)):
        yield Call(match["who"], f"{match['service']}:{operation}", resource, operation)


def _resources(service: str, request: dict[str, Any]) -> list[str]:
    """ARNs."""
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:"
    match request:
        case {"RequestItems": tables}:
            return [f"{arn}table/{table}" for table in tables]
        case {"TableName": table}:
            return [f"{arn}table/{table}"]
        case {"StreamArn": text} | {"ShardIterator": text} | {"KeyId": text}:
            return [text.partition("|")[0]]
        case {"QueueUrl": url}:
            return [arn + url.rpartition("/")[2]]
        case {"SecretId": name}:
            return [f"{arn}secret:{name}-AbCdEf"]
    return []
