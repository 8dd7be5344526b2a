"""One request, parsed from API Gateway's proxy event.

Event: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from certificates.api_key import HashedKey
from certificates.models import parse_signature_id


@dataclass(frozen=True)
class Request:
    """`key` is None if it is missing or malformed, `signature_id` (in lower case) if the path holds no UUID. Header
    values are unparsed."""

    request_id: str
    method: str | None
    signature_id: str | None
    key: HashedKey | None
    if_match: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None
    range: str | None = None

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> Self:
        headers = _join_headers(event)
        return cls(
            request_id=event["requestContext"]["requestId"],
            method=event.get("httpMethod"),
            signature_id=_parse(parse_signature_id, str((event.get("pathParameters") or {}).get("id"))),
            key=_parse(_parse_bearer, headers.get("authorization", "")),
            if_match=headers.get("if-match"),
            if_none_match=headers.get("if-none-match"),
            if_range=headers.get("if-range"),
            range=headers.get("range"),
        )


def _parse_bearer(authorization: str) -> HashedKey:
    """Parses `Bearer <key>` (RFC 6750 section 2.1). Raises ValueError."""
    scheme, _, key = authorization.strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        raise ValueError("must have the scheme Bearer")
    return HashedKey.parse(key.lstrip(" "))


def _parse[T](parse: Callable[[str], T], text: str) -> T | None:
    try:
        return parse(text)
    except ValueError:
        return None


def _join_headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Returns headers by lower-case name. Lines of the same name form a list (RFC 9110 section 5.3), so that two
    Authorization headers are malformed."""
    lines: dict[str, list[str]] = {}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        lines.setdefault(name.lower(), []).extend(values)
    if not lines:
        for name, value in (event.get("headers") or {}).items():
            lines.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(values) for name, values in lines.items()}
