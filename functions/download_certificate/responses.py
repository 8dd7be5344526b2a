"""Every reply of the download function: the table of refusals, and the headers of a served certificate."""

import json
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from certificates import errors
from certificates.budgets import REMEMBERED_SECONDS
from functions.download_certificate.download import INLINE_LIMIT, Download, NotFound, PreconditionFailed, Unauthorized
from functions.download_certificate.failures import RecentlyFailed

Response = dict[str, Any]
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"""


@dataclass(frozen=True)
class Refusal:
    """`message` and `headers` may contain attributes of the error: `{status}`, `{size}`."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


_NOT_AVAILABLE = "Completion certificate is not available yet (status: {status})."
_UPSTREAM = "The completion certificate could not be retrieved from the signature service."
_UNAVAILABLE = Refusal(503, "service_unavailable", "The service is temporarily unavailable.", {"Retry-After": "5"})

REFUSALS: dict[type[Exception], Refusal] = {
    Unauthorized: Refusal(401, "unauthorized", "Missing or invalid API key."),
    NotFound: Refusal(404, "not_found", "No such signature request in this project."),
    errors.NotAvailable: Refusal(409, "conflict", _NOT_AVAILABLE),
    errors.NotAvailableYet: Refusal(409, "conflict", _NOT_AVAILABLE, {"Retry-After": "30"}),
    PreconditionFailed: Refusal(412, "precondition_failed", "The certificate does not match If-Match."),
    errors.CertificateTooLarge: Refusal(
        413,
        "content_too_large",
        "The completion certificate has {size} bytes. Ask for it in ranges of at most "
        f"{INLINE_LIMIT} bytes, the first with the header Range: bytes=0-{INLINE_LIMIT - 1}.",
        {"Accept-Ranges": "bytes"},
    ),
    errors.RangeNotSatisfiable: Refusal(
        416,
        "range_not_satisfiable",
        "The completion certificate has {size} bytes.",
        {"Content-Range": "bytes */{size}"},
    ),
    errors.InvalidRecord: Refusal(500, "internal", "Something went wrong on our side."),
    errors.ProviderFailed: Refusal(502, "upstream_error", _UPSTREAM, {"Retry-After": str(REMEMBERED_SECONDS)}),
    RecentlyFailed: Refusal(502, "upstream_error", _UPSTREAM, {"Retry-After": "{seconds_left}"}),
    errors.RecordsUnavailable: _UNAVAILABLE,
    errors.ArchiveUnavailable: _UNAVAILABLE,
}
INTERNAL = REFUSALS[errors.InvalidRecord]
"""The refusal for every error that is not in the table."""


def success_response(download: Download, signature_id: str, request_id: str) -> Response:
    """200, 206 or 304."""
    headers = {"ETag": download.stored.etag, "Accept-Ranges": "bytes"}
    if download.part is None:
        return _response(304, headers, request_id)
    part = download.part
    headers["Content-Type"] = "application/pdf"
    headers["Content-Disposition"] = f'attachment; filename="{signature_id}-certificate.pdf"'
    # The checksum stored at archiving lets the client detect later corruption.
    headers["Repr-Digest"] = f"sha-256=:{part.sha256}:"
    if download.is_range:
        last = part.first + len(part.content) - 1
        headers["Content-Range"] = f"bytes {part.first}-{last}/{part.stored.size}"
    body = b2a_base64(part.content, newline=False).decode("ascii")
    return _response(206 if download.is_range else 200, headers, request_id, body, is_base64=True)


def error_response(refusal: Refusal, error: Exception, request_id: str) -> Response:
    values = vars(error)
    body = {"error": {"code": refusal.code, "message": refusal.message.format_map(values)}}
    headers = {"Content-Type": "application/json"}
    headers |= {name: value.format_map(values) for name, value in refusal.headers.items()}
    return _response(refusal.status, headers, request_id, json.dumps(body))


def _response(
    status: int, headers: dict[str, str], request_id: str, body: str = "", *, is_base64: bool = False
) -> Response:
    headers |= {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", "X-Request-Id": request_id}
    return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": is_base64}
