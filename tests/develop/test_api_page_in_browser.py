"""The API reference that `make docs` writes, in a browser."""

import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from develop.build.api_page import write_page
from develop.local.stack import serving
from tests.service.artifact.test_reference import CHROMIUM, OPERATION


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_the_page_renders_without_another_host(tmp_path: Path) -> None:
    write_page(tmp_path / "site")
    complaints, hosts = [], set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path / "site"))
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with serving(server), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        statuses = page.locator(f"{OPERATION} .responses-table tbody .response-col_status")
        statuses.first.wait_for()
        shown = statuses.all_inner_texts()
        errors = page.locator(".errors-wrapper").all_inner_texts()
        browser.close()
    assert {"200", "206", "304", "409", "413"} <= {text.split()[0] for text in shown if text.strip()}
    assert (complaints, errors) == ([], [])
    assert hosts - {""} == {f"127.0.0.1:{server.server_address[1]}"}
