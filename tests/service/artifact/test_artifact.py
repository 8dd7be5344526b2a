"""The built artifact as clients reach it: with the real runtime client, over HTTP."""

import io
import json
from base64 import b64decode
from typing import Any

import pytest
import urllib3
from pypdf import PdfReader

from develop.local import seeds
from develop.local.emulator import Emulator
from develop.local.stack import DOWNLOAD, LocalService
from tests.service.artifact.conftest import archive
from tests.support.pdf import pdf
from tests.support.responses import digest

COMMON = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}


def download(running: LocalService, id_: str, **headers: str) -> urllib3.BaseHTTPResponse:
    url = f"{running.url}/v1/signatures/{id_}/certificate"
    with urllib3.PoolManager(retries=False) as http:
        return http.request("GET", url, headers={"Authorization": f"Bearer {seeds.KEY}"} | headers)


@pytest.mark.parametrize("situation", seeds.SITUATIONS, ids=lambda situation: situation.event)
def test_every_event_gets_the_status_of_its_situation(running: LocalService, situation: seeds.Situation) -> None:
    reply = json.loads(running.functions[DOWNLOAD](json.dumps(seeds.event(situation.event)).encode()))
    assert reply["statusCode"] == situation.status
    headers = {name.lower(): value for name, value in reply["headers"].items()}
    assert headers.items() >= COMMON.items()
    assert headers["x-request-id"] == seeds.event(situation.event)["requestContext"]["requestId"]
    if situation.status in {200, 206}:
        assert b64decode(reply["body"]).startswith(b"%PDF-")
    elif situation.status != 304:
        assert list(json.loads(reply["body"])["error"]) == ["code", "message"]


def test_a_certificate_is_fetched_once_and_then_served_without_the_provider(running: LocalService) -> None:
    situation = seeds.signature_id("download_first")
    first = download(running, situation)
    assert first.status == 200
    assert "Employment contract" in PdfReader(io.BytesIO(first.data)).pages[0].extract_text()
    running.provider.is_stopped = True
    try:
        second = download(running, situation)
    finally:
        running.provider.is_stopped = False
    assert second.data == first.data
    assert {name.lower(): value for name, value in second.headers.items() if name != "Date"} == COMMON | {
        "x-amzn-requestid": second.headers["x-amzn-RequestId"],
        "x-request-id": second.headers["x-amzn-RequestId"],
        "etag": first.headers["ETag"],
        "accept-ranges": "bytes",
        "content-type": "application/pdf",
        "content-disposition": f'attachment; filename="{situation}-certificate.pdf"',
        "repr-digest": digest(first.data),
        "content-length": str(len(first.data)),
    }


def test_large_certificates_come_whole_or_in_ranges_without_a_restart(running: LocalService, instance: Any) -> None:
    process = instance.process.pid
    almost, large = "4499000a-0000-4000-8000-000000000000", "9000000a-0000-4000-8000-000000000000"
    archive(running, almost, pdf(4_499_000))
    archive(running, large, pdf(9_000_001))
    assert download(running, almost).data == pdf(4_499_000)
    assert download(running, large).status == 413
    content, size = b"", 9_000_001
    while len(content) < size:
        part = download(running, large, Range=f"bytes={len(content)}-{len(content) + 4_499_999}")
        assert part.status == 206
        content += part.data
        assert part.headers["Repr-Digest"] == digest(pdf(9_000_001))
    assert content == pdf(9_000_001)
    assert download(running, seeds.signature_id("download_archived")).status == 200
    assert instance.process.pid == process
    assert instance.log().count("INIT START") == 1


def test_a_wrong_setting_stops_the_start_and_names_itself(running: LocalService) -> None:
    environment = running.stack.environment(DOWNLOAD) | {"PROVIDER_AUTH_HEADER": "canary"}
    with Emulator(running.stack, DOWNLOAD, environment) as broken:
        reply = json.loads(broken(b"{}"))
    assert reply["errorType"] == "SettingsError"
    assert reply["errorMessage"].startswith("PROVIDER_AUTH_HEADER: ")
    assert "canary" not in json.dumps(reply)
