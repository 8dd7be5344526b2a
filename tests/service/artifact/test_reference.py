"""The API reference of `make run`, in a browser, before the built artifact."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from develop.local import seeds
from develop.local.gateway import serve
from develop.local.reference import with_reference
from develop.local.stack import LocalService, serving

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPERATION = "#operations-Signatures-downloadCertificate"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def page(running: LocalService) -> Iterator[Page]:
    """The reference page. It must log no error and send no request to another host."""
    complaints, hosts = [], set()
    server = serve(with_reference(running.api), "127.0.0.1", 0)
    # Chromium's own sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with serving(server), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(base_url=f"http://127.0.0.1:{server.server_address[1]}")
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.goto("/")
        yield page
        browser.close()
    of_any_error = "Failed to load resource: the server responded with a status of 4"
    assert [text for text in complaints if not text.startswith(of_any_error)] == []
    assert hosts - {""} == {f"127.0.0.1:{server.server_address[1]}"}  # the browser's own blob URLs have no host


def send(page: Page, situation: str) -> str:
    """Chooses a situation and sends its request. Returns the status that the page shows."""
    page.select_option("select[name=situation]", situation)
    page.wait_for_url(re.compile(rf"\?situation={situation}\b"))
    page.locator(f"{OPERATION} .execute").click()
    return page.locator(f"{OPERATION} .live-responses-table tbody .response-col_status").first.inner_text().split()[0]


def test_a_situation_chosen_and_sent_downloads_the_archived_certificate(running: LocalService, page: Page) -> None:
    assert send(page, "download_archived") == "200"
    with page.expect_download() as download:
        page.get_by_text("Download file").click()
    bucket = running.stack.physical_id("CertificatesBucket")
    key = f"{seeds.PROJECT}/{seeds.signature_id('download_archived')}.pdf"
    archived = running.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert archived.startswith(b"%PDF-")
    assert Path(download.value.path()).read_bytes() == archived


@pytest.mark.parametrize(
    ("situation", "status", "code"),
    [
        ("download_sent", "409", "conflict"),
        ("download_large", "413", "content_too_large"),
        ("download_no_key", "401", "unauthorized"),
        ("download_malformed_id", "404", "not_found"),
    ],
)
def test_an_error_is_shown_as_a_client_gets_it(page: Page, situation: str, status: str, code: str) -> None:
    assert send(page, situation) == status
    shown = page.locator(f"{OPERATION} .live-responses-table .response-col_description code").first.inner_text()
    assert json.loads(shown)["error"]["code"] == code
