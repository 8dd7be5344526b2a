"""The API reference. tests/service/artifact/test_reference.py shows it in a browser."""

import json
import re
from copy import deepcopy
from email.message import Message
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from develop.local import seeds
from develop.local.gateway import Reply
from develop.local.reference import RENDERER, document, with_reference, write_site
from develop.template import ROOT

THE_API = Reply(404, [], b"the API")


@cache
def read_published() -> dict[str, Any]:
    return dict(yaml_parse((ROOT / "docs" / "openapi.yaml").read_text()))


def test_a_situation_shows_the_published_document_with_its_request_as_examples() -> None:
    for situation in seeds.SITUATIONS:
        event, published = seeds.event(situation.event), deepcopy(read_published())
        shown = document(situation.event)
        of_the_browser = {"Accept", "Authorization", "Host", "User-Agent"}
        headers = {name: value for name, value in event["headers"].items() if name not in of_the_browser}
        parameters = shown["paths"][event["resource"]]["get"]["parameters"]
        examples = {parameter["name"]: parameter["example"] for parameter in parameters if "example" in parameter}
        assert examples == headers | event["pathParameters"]
        for api in (published, shown):
            del api["servers"]
            for parameter in api["paths"]["/v1/signatures/{id}/certificate"]["get"]["parameters"]:
                parameter["schema"].pop("format", None)  # the page would not send a value that does not match it
                for name in ("example", "examples"):
                    parameter.pop(name, None)
        assert shown == published


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"/v1/signatures/{seeds.signature_id('download_archived')}/certificate"),
        ("GET", "/?situation=unheard-of"),
        ("GET", "/reference/../swagger-ui.css"),
        ("HEAD", "/"),
    ],
)
def test_requests_outside_the_reference_go_to_the_api(method: str, target: str) -> None:
    assert with_reference(lambda *_: THE_API)(method, target, Message(), b"") is THE_API


def test_the_site_holds_the_published_document_and_what_its_page_loads(tmp_path: Path) -> None:
    (tmp_path / "of-an-earlier-version").touch()
    write_site(tmp_path)
    page = (tmp_path / "index.html").read_text()
    loaded = set(re.findall(r'"(reference/[^"]*)"', page))
    assert loaded == {f"reference/{name}" for name in (*RENDERER, "openapi.json")}
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == loaded | {"index.html"}
    assert "//" not in page
    assert json.loads((tmp_path / "reference" / "openapi.json").read_text()) == read_published()
