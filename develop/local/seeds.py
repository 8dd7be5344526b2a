"""The data of the local service: one project, its keys, and one signature request for each situation.

`SITUATIONS` lists the downloads among the files of `events/` with the status of each response.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fpdf import FPDF

from certificates.api_key import HashedKey
from certificates.models import STATUSES
from develop.template import ROOT

PROJECT = "prj_local"
KEY = "ck_test_LocalServiceProjectKey"
REVOKED_KEY = "ck_test_LocalServiceRevokedKey"
EXPIRED_KEY = "ck_test_LocalServiceExpiredKey"
PROVIDER_SECRET = "local-provider-secret"  # noqa: S105
LARGE = 9_000_000

_CREATED = "2026-06-01T09:00:00.000Z"
_COMPLETED = "2026-06-05T11:42:08.000Z"


@dataclass(frozen=True)
class Situation:
    """`event` is the name of a file in `events/`."""

    event: str
    status: int
    words: str


SITUATIONS = [
    Situation("download_first", 200, "not archived yet: fetched from the provider, archived, served"),
    Situation("download_archived", 200, "archived: served without the provider"),
    Situation("download_range", 206, "archived, first 1,000 bytes"),
    Situation("download_large", 413, "archived, 9 MB, above the inline limit"),
    Situation("download_large_range", 206, "archived, 9 MB, the first part of it"),
    Situation("download_not_modified", 304, "the client's copy is current"),
    Situation("download_precondition_failed", 412, "the client's copy differs"),
    Situation("download_range_not_satisfiable", 416, "a range after the end"),
    Situation("download_no_key", 401, "no key"),
    Situation("download_unknown_key", 401, "unknown key"),
    Situation("download_revoked_key", 401, "revoked key"),
    Situation("download_expired_key", 401, "expired key"),
    Situation("download_unknown_id", 404, "no such signature request"),
    Situation("download_malformed_id", 404, "an id that is not a UUID"),
    Situation("download_other_project", 404, "another project's signature request"),
    *(Situation(f"download_{status}", 409, f"status {status}, no certificate") for status in STATUSES),
    Situation("download_broken_item", 500, "an item that breaks the table's rules"),
    Situation("download_provider_unknown", 502, "the provider does not know the request"),
    Situation("download_provider_html", 502, "the provider answers 200 with a web page"),
]


ARCHIVE_SITUATIONS = {
    "archive_available": 0,
    "archive_archived": 0,
    "archive_unknown": 0,
    "archive_not_available": 1,
    "archive_broken_item": 1,
    "archive_provider_unknown": 1,
    "archive_provider_html": 1,
    "archive_malformed": 1,
    "archive_duplicates": 0,
    "archive_ten": 1,
}
"""How many messages of each archive event stay in the queue, by the name of its file."""

REFRESH_EVENT = "refresh_scheduled"


def event(name: str) -> dict[str, Any]:
    """Reads a file of `events/`."""
    return dict(json.loads((ROOT / "events" / f"{name}.json").read_text()))


def curl_headers(event: dict[str, Any]) -> list[str]:
    """Makes the curl options that send a proxy event's headers."""
    headers = {name: value for name, value in event["headers"].items() if name not in {"Accept", "Host", "User-Agent"}}
    return [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]


def signature_id(situation: str) -> str:
    """Returns the signature request's id in a situation's event."""
    return str(event(situation)["pathParameters"]["id"])


def api_keys() -> list[dict[str, Any]]:
    """The items of ApiKeysTable, in DynamoDB's JSON."""

    def item(key: str, **attributes: dict[str, Any]) -> dict[str, Any]:
        hashed = HashedKey.parse(key)
        names = {"keyHash": hashed.sha256, "projectId": PROJECT, "prefix": hashed.prefix, "createdAt": _CREATED}
        return {name: {"S": text} for name, text in names.items()} | {"revokedAt": {"NULL": True}} | attributes

    return [
        item(KEY),
        item(REVOKED_KEY, revokedAt={"S": "2026-06-02T00:00:00.000Z"}),
        item(EXPIRED_KEY, expiresAt={"S": "2026-06-03T00:00:00.000Z"}),
    ]


def signatures() -> list[dict[str, Any]]:
    """The items of SignaturesTable, in DynamoDB's JSON."""
    available = ("first", "archived", "large", "provider_unknown", "provider_html")
    return [
        *(_situation(name, "completed", is_available=True) for name in available),
        *(_situation(status, status, is_available=False) for status in STATUSES),
        _situation("other_project", "completed", is_available=True) | {"projectId": {"S": "prj_other"}},
        _situation("broken_item", "unheard-of", is_available=True),
    ]


def _situation(name: str, status: str, *, is_available: bool) -> dict[str, Any]:
    return signature(signature_id(f"download_{name}"), status, f"req_{name}", is_available=is_available)


def signature(id_: str, status: str, provider_request_id: str, *, is_available: bool) -> dict[str, Any]:
    """An item of SignaturesTable, in DynamoDB's JSON."""
    url = f"https://api.craftkit.example/v1/signatures/{id_}/certificate"
    return {
        "id": {"S": id_},
        "projectId": {"S": PROJECT},
        "status": {"S": status},
        "certificateUrl": {"S": url} if is_available else {"NULL": True},
        "providerRequestId": {"S": provider_request_id},
        "name": {"S": "Employment contract"},
        "createdAt": {"S": _CREATED},
        "completedAt": {"S": _COMPLETED} if status == "completed" else {"NULL": True},
    }


def certificate(provider_request_id: str, attachment_bytes: int = 0) -> bytes:
    """Renders a certificate of a request, again for each call. `attachment_bytes` enlarges the file, as a scanned
    identity document would."""
    pdf = FPDF(format="A4")
    pdf.set_title("Completion certificate: Employment contract")
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    for line in (
        "Completion certificate",
        "Document: Employment contract",
        f"Request: {provider_request_id}",
        "Signed by Ada Byron <ada@example.com>, 2026-06-04 16:20:51 UTC, 192.0.2.17",
        "Signed by Charles Weber <charles@example.com>, 2026-06-05 11:42:08 UTC, 198.51.100.23",
    ):
        pdf.cell(text=line, new_x="LMARGIN", new_y="NEXT", h=9)
    if attachment_bytes:
        # Numbered lines show from which offset a part was taken.
        lines = b"".join(b"%15d\n" % number for number in range(attachment_bytes // 16))
        pdf.embed_file(bytes=lines, basename="evidence.txt", compress=False)
    return bytes(pdf.output())


def documents() -> dict[str, Callable[[], bytes]]:
    """The provider's response bodies, by its request id."""
    return {
        "req_first": lambda: certificate("req_first"),
        "req_provider_html": lambda: b"<!doctype html><title>Please sign in</title>",
    }


def archived() -> dict[str, bytes]:
    """The bucket's initial objects, by key."""
    return {
        f"{PROJECT}/{signature_id('download_archived')}.pdf": certificate("req_archived"),
        f"{PROJECT}/{signature_id('download_large')}.pdf": certificate("req_large", LARGE),
    }
