"""Requests to the download function, and its complete replies."""

import json
from base64 import b64encode
from typing import Any

from develop.fakes.memory import sha256
from develop.local import seeds

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
COMMON = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", "X-Request-Id": REQUEST_ID}
JSON = COMMON | {"Content-Type": "application/json"}
PDF = COMMON | {"Content-Type": "application/pdf", "Accept-Ranges": "bytes"}


def get(signature_id: str = ID, key: str | None = seeds.KEY, **headers: str) -> dict[str, Any]:
    """The event of a GET. `if_match='"a"'` is the header If-Match."""
    lines = {name.replace("_", "-").title(): [value] for name, value in headers.items()}
    if key is not None:
        lines.setdefault("Authorization", [f"Bearer {key}"])
    event = seeds.event("download_archived")
    context = event["requestContext"] | {"requestId": REQUEST_ID}
    return event | {
        "headers": {name: values[-1] for name, values in lines.items()},
        "multiValueHeaders": lines,
        "pathParameters": {"id": signature_id},
        "requestContext": context,
    }


def _name(signature_id: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{signature_id}-certificate.pdf"'}


def digest(content: bytes) -> str:
    return f"sha-256=:{sha256(content)}:"


def whole(content: bytes, etag: str, signature_id: str = ID) -> dict[str, Any]:
    return {
        "statusCode": 200,
        "headers": PDF | _name(signature_id) | {"ETag": etag, "Repr-Digest": digest(content)},
        "body": b64encode(content).decode(),
        "isBase64Encoded": True,
    }


def part(content: bytes, etag: str, first: int, last: int) -> dict[str, Any]:
    """The bytes from `first` to `last` of the whole `content`."""
    content_range = f"bytes {first}-{last}/{len(content)}"
    return {
        "statusCode": 206,
        "headers": PDF | _name(ID) | {"ETag": etag, "Repr-Digest": digest(content), "Content-Range": content_range},
        "body": b64encode(content[first : last + 1]).decode(),
        "isBase64Encoded": True,
    }


def not_modified(etag: str) -> dict[str, Any]:
    return {
        "statusCode": 304,
        "headers": COMMON | {"ETag": etag, "Accept-Ranges": "bytes"},
        "body": "",
        "isBase64Encoded": False,
    }


def refusal(status: int, code: str, message: str, **headers: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": JSON | {name.replace("_", "-"): value for name, value in headers.items()},
        "body": json.dumps({"error": {"code": code, "message": message}}),
        "isBase64Encoded": False,
    }


def outside(size: int) -> dict[str, Any]:
    text = f"The completion certificate has {size} bytes."
    return refusal(416, "range_not_satisfiable", text, Content_Range=f"bytes */{size}")


def too_large(size: int) -> dict[str, Any]:
    text = (
        f"The completion certificate has {size} bytes. Ask for it in ranges of at most 4500000 bytes, "
        "the first with the header Range: bytes=0-4499999."
    )
    return refusal(413, "content_too_large", text, Accept_Ranges="bytes")


UNAUTHORIZED = refusal(401, "unauthorized", "Missing or invalid API key.")
NOT_FOUND = refusal(404, "not_found", "No such signature request in this project.")
PRECONDITION_FAILED = refusal(412, "precondition_failed", "The certificate does not match If-Match.")
INTERNAL = refusal(500, "internal", "Something went wrong on our side.")


def upstream(retry_after: int) -> dict[str, Any]:
    text = "The completion certificate could not be retrieved from the signature service."
    return refusal(502, "upstream_error", text, Retry_After=str(retry_after))


UPSTREAM = upstream(10)
UNAVAILABLE = refusal(503, "service_unavailable", "The service is temporarily unavailable.", Retry_After="5")
