"""The built artifact as clients reach it: with the real runtime client, over HTTP."""

import hashlib
import io
import itertools
import json
import threading
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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


@pytest.mark.parametrize("accept", [None, "application/pdf", "text/html, */*;q=0.8", "image/png"])
def test_the_body_is_binary_whatever_accept_says(client: Client, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
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


def test_a_warm_download_is_served_from_the_memory_of_the_one_before(client: Client, instance: Any) -> None:
    """A reply of this size would cost 800 page faults if its memory were returned to the system each time."""
    id_ = "0400000a-0000-4000-8000-000000000000"
    archive(client.running, id_, pdf(400_000))
    for _ in range(5):
        client.certificate(id_)
    before = instance.page_faults()
    for _ in range(10):
        assert client.certificate(id_).status == 200
    assert (instance.page_faults() - before) / 10 < 50


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/v1/signatures/a/b/certificate"), ("POST", None)],
)
@pytest.mark.threat("API5")
def test_an_unknown_route_or_method_is_404_in_the_envelope(client: Client, method: str, path: str | None) -> None:
    known = f"/v1/signatures/{seeds.signature_id('download_archived')}/certificate"
    response = client.get(path or known, method)
    assert response.status == 404
    assert json.loads(response.data) == {"error": {"code": "not_found", "message": "There is nothing at this address."}}
    assert response.headers["Content-Type"] == "application/json"
    assert {name.lower(): value for name, value in response.headers.items()}.items() >= COMMON.items()


@pytest.mark.threat("wrong-bytes")
def test_two_execution_environments_that_fetch_at_once_serve_the_same_bytes(running: LocalService) -> None:
    """The provider renders a different PDF each time: the first one archived is the certificate."""
    id_ = "2000000a-0000-4000-8000-000000000000"
    item = seeds.signatures()[0] | {
        "id": {"S": id_},
        "providerRequestId": {"S": "req_race"},
        "certificateUrl": {"S": f"https://api.craftkit.example/v1/signatures/{id_}/certificate"},
    }
    running.client("dynamodb").put_item(TableName=running.stack.physical_id("SignaturesTable"), Item=item)
    event = seeds.event("download_first") | {"pathParameters": {"id": id_}}
    environment = running.stack.environment(DOWNLOAD) | {"AWS_ENDPOINT_URL": running.aws_url}
    both_are_fetching = threading.Barrier(2)

    def render() -> bytes:
        # The archive function may fetch too, before or after: the stream triggers it.
        with suppress(threading.BrokenBarrierError):
            both_are_fetching.wait(5)
        return pdf(seed=next(renderings))

    renderings = itertools.count()
    running.provider.documents["req_race"] = render
    with Emulator(running.stack, DOWNLOAD, environment) as other:
        instances = [running.functions[DOWNLOAD], other]
        with ThreadPoolExecutor() as pool:
            replies = [json.loads(r) for r in pool.map(lambda s: s(json.dumps(event).encode()), instances)]
    assert [reply["statusCode"] for reply in replies] == [200, 200]
    assert replies[0]["body"] == replies[1]["body"]


def test_a_wrong_setting_stops_the_start_and_names_itself(running: LocalService) -> None:
    environment = running.stack.environment(DOWNLOAD) | {"PROVIDER_AUTH_HEADER": "canary"}
    with Emulator(running.stack, DOWNLOAD, environment) as broken:
        reply = json.loads(broken(b"{}"))
    assert reply["errorType"] == "SettingsError"
    assert reply["errorMessage"].startswith("PROVIDER_AUTH_HEADER: ")
    assert "canary" not in json.dumps(reply)


@pytest.mark.threat("leaks-to-logs")
def test_the_log_is_json_and_holds_no_key(client: Client, instance: Any) -> None:
    client.certificate(seeds.signature_id("download_archived"))
    lines = [json.loads(line) for line in instance.log().splitlines() if line.startswith("{")]
    served = [line for line in lines if line.get("message") == "certificate_served"]
    assert served[-1]["signature_id"] == seeds.signature_id("download_archived")
    for secret in (seeds.KEY, seeds.PROVIDER_SECRET, hashlib.sha256(seeds.KEY.encode()).hexdigest()):
        assert secret not in instance.log()
