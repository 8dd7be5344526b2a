"""One request, as API Gateway's proxy event tells it.

Event: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from certificates.models import UUID

_BEARER = re.compile(r"(?i:bearer) +(?P<key>ck_(?:live|test)_[A-Za-z0-9_-]{16,128})", re.ASCII)
_UUID = re.compile(UUID)
_PREFIX_LENGTH = len("ck_live_aBcDe")


@dataclass(frozen=True)
class PresentedKey:
    """A key of the right form, which may or may not exist. Only what may be stored or shown is kept of it."""

    sha256: str
    prefix: str

    @classmethod
    def parse(cls, authorization: str | None) -> Self | None:
        """Parses `Bearer <key>` (RFC 6750 section 2.1). Returns None for anything else."""
        match = _BEARER.fullmatch((authorization or "").strip(" \t"))
        if match is None:
            return None
        key = match["key"]
        return cls(hashlib.sha256(key.encode()).hexdigest(), key[:_PREFIX_LENGTH])


@dataclass(frozen=True)
class Request:
    """`signature_id` is a UUID in lower case, or None if the path holds none. Header values are as sent."""

    request_id: str
    method: str | None
    signature_id: str | None
    key: PresentedKey | None
    if_match: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None
    range: str | None = None

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Self:
        headers = _headers(event)
        signature_id = str((event.get("pathParameters") or {}).get("id", "")).lower()
        return cls(
            request_id=event["requestContext"]["requestId"],
            method=event.get("httpMethod"),
            signature_id=signature_id if _UUID.fullmatch(signature_id) else None,
            key=PresentedKey.parse(headers.get("authorization")),
            if_match=headers.get("if-match"),
            if_none_match=headers.get("if-none-match"),
            if_range=headers.get("if-range"),
            range=headers.get("range"),
        )


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    """By lower-case name. Lines of the same name form one list (RFC 9110 section 5.3): two Authorization headers make a
    malformed one."""
    lines: dict[str, list[str]] = {}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        lines.setdefault(name.lower(), []).extend(values)
    if not lines:
        for name, value in (event.get("headers") or {}).items():
            lines.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(values) for name, values in lines.items()}
