"""The API reference. tests/service/artifact/test_reference.py shows it in a browser."""

import json
import re
from email.message import Message
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from develop.local import seeds
from develop.local.gateway import Reply
from develop.local.reference import RENDERER, make_document, with_reference, write_site
from develop.template import ROOT

THE_API = Reply(404, [], b"the API")
PUBLISHED = yaml_parse((ROOT / "docs" / "openapi.yaml").read_text())


def test_make_run_shows_the_published_document_with_its_ids_as_examples() -> None:
    shown = make_document()
    (id_,) = (
        one for one in shown["paths"]["/v1/signatures/{id}/certificate"]["get"]["parameters"] if "examples" in one
    )
    assert id_["examples"]["download_first"]["value"] == seeds.signature_id("download_first")
    examples = {one["summary"].partition(" ")[0] for one in id_["examples"].values()}
    assert examples == {"200", "404", "409", "413", "500", "502"}
    assert {"servers", "paths"} == {name for name in PUBLISHED if shown[name] != PUBLISHED[name]}
    assert shown["paths"].keys() == PUBLISHED["paths"].keys()


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"/v1/signatures/{seeds.signature_id('download_archived')}/certificate"),
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
    assert json.loads((tmp_path / "reference" / "openapi.json").read_text()) == PUBLISHED
