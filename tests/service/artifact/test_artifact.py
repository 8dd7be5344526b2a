"""The built artifact as clients reach it: with the real runtime client, over HTTP."""

import hashlib
import io
import json
from base64 import b64decode, b64encode
from typing import Any

import pytest
from pypdf import PdfReader

from develop.local import seeds
from develop.local.emulator import Emulator
from develop.local.stack import DOWNLOAD, LocalService
from tests.service.artifact.conftest import Client, archive
from tests.support.pdf import pdf
from tests.support.responses import digest

COMMON = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}


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


def test_a_certificate_is_fetched_once_and_then_served_without_the_provider(client: Client) -> None:
    situation = seeds.signature_id("download_first")
    first = client.certificate(situation)
    assert first.status == 200
    assert "Employment contract" in PdfReader(io.BytesIO(first.data)).pages[0].extract_text()
    client.running.provider.is_stopped = True
    try:
        second = client.certificate(situation)
    finally:
        client.running.provider.is_stopped = False
    assert second.data == first.data
    digest = b64encode(hashlib.sha256(first.data).digest()).decode()
    assert {name.lower(): value for name, value in second.headers.items() if name != "Date"} == COMMON | {
        "x-amzn-requestid": second.headers["x-amzn-RequestId"],
        "x-request-id": second.headers["x-amzn-RequestId"],
        "etag": first.headers["ETag"],
        "accept-ranges": "bytes",
        "content-type": "application/pdf",
        "content-disposition": f'attachment; filename="{situation}-certificate.pdf"',
        "repr-digest": f"sha-256=:{digest}:",
        "content-length": str(len(first.data)),
    }


def test_the_body_is_binary_whatever_accept_says(client: Client) -> None:
    for headers in ({}, {"Accept": "application/pdf"}, {"Accept": "text/html, */*;q=0.8"}, {"Accept": "image/png"}):
        assert client.certificate(seeds.signature_id("download_archived"), **headers).data.startswith(b"%PDF-")


def test_large_certificates_come_whole_or_in_ranges_without_a_restart(client: Client, instance: Any) -> None:
    process = instance.process.pid
    almost, large = "4499000a-0000-4000-8000-000000000000", "9000000a-0000-4000-8000-000000000000"
    archive(client.running, almost, pdf(4_499_000))
    archive(client.running, large, pdf(9_000_001))
    assert client.certificate(almost).data == pdf(4_499_000)
    assert client.certificate(large).status == 413
    content, size = b"", 9_000_001
    while len(content) < size:
        part = client.certificate(large, Range=f"bytes={len(content)}-{len(content) + 4_499_999}")
        assert part.status == 206
        content += part.data
        assert part.headers["Repr-Digest"] == digest(pdf(9_000_001))
    assert content == pdf(9_000_001)
    assert client.certificate(seeds.signature_id("download_archived")).status == 200
    assert instance.process.pid == process
    assert instance.log().count("INIT START") == 1


@pytest.mark.threat("API5")
def test_an_unknown_route_or_method_is_404_in_the_envelope(client: Client) -> None:
    known = f"/v1/signatures/{seeds.signature_id('download_archived')}/certificate"
    error = {"error": {"code": "not_found", "message": "There is nothing at this address."}}
    for method, path in (("GET", "/"), ("GET", "/v1/signatures/a/b/certificate"), ("POST", known)):
        response = client.get(path, method)
        assert (response.status, json.loads(response.data)) == (404, error)
        headers = {name.lower(): value for name, value in response.headers.items()}
        assert headers.items() >= (COMMON | {"content-type": "application/json"}).items()


def test_a_wrong_setting_stops_the_start_and_names_itself(running: LocalService) -> None:
    environment = running.stack.environment(DOWNLOAD) | {"PROVIDER_AUTH_HEADER": "canary"}
    with Emulator(running.stack, DOWNLOAD, environment) as broken:
        reply = json.loads(broken(b"{}"))
    assert reply["errorType"] == "SettingsError"
    assert reply["errorMessage"].startswith("PROVIDER_AUTH_HEADER: ")
    assert "canary" not in json.dumps(reply)
