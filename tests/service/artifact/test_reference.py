"""The API reference of `make run` in a browser, before the built artifact."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from develop.local import seeds
from develop.local.gateway import serve
from develop.local.reference import with_reference
from develop.local.stack import LocalService, serving
from tests.service.artifact.conftest import read_archived

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPERATION = "#operations-Signatures-downloadCertificate"
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")


@pytest.fixture
def page(running: LocalService) -> "Iterator[Page]":
    """The page must log no error and send no request to another host."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - slow, also where tests are only collected

    # Chromium's own sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    server = serve(with_reference(running.api), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    with (
        serving(server),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=arguments) as browser,
    ):
        complaints, hosts = [], set()
        page = browser.new_page(base_url=url)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.goto("/")
        yield page
        of_any_error = "Failed to load resource: the server responded with a status of 4"
        assert [text for text in complaints if not text.startswith(of_any_error)] == []
        assert hosts - {""} == {urlsplit(url).netloc}  # the browser's own blob URLs have no host


def send(page: "Page", words: str) -> None:
    """Chooses a signature request and sends its request. The page must show the status."""
    page.select_option(f"{OPERATION} .examples-select select", label=words)
    page.locator(f"{OPERATION} .execute").click()
    page.locator(f"{OPERATION} .live-responses-table tbody .response-col_status", has_text=words[:3]).first.wait_for()


def test_a_signature_request_chosen_and_sent_shows_what_a_client_gets(running: LocalService, page: "Page") -> None:
    situations = {one.event: f"{one.status} {one.words}" for one in seeds.SITUATIONS}
    send(page, situations["download_archived"])
    with page.expect_download() as download:
        page.get_by_text("Download file").click()
    assert Path(download.value.path()).read_bytes() == read_archived(running, "download_archived")
    for event, code in (("download_large", "content_too_large"), ("download_malformed_id", "not_found")):
        send(page, situations[event])
        shown = page.locator(f"{OPERATION} .live-responses-table .response-col_description code").first.inner_text()
        assert json.loads(shown)["error"]["code"] == code
