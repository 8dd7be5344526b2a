"""The API reference that `make docs` writes."""

import json
import re
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

from develop.build.api_page import write_page
from develop.local.reference import POLICY, RENDERER
from develop.template import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "of-an-earlier-version").touch()
    write_page(folder)
    return folder


def test_the_folder_holds_the_page_and_the_files_that_it_loads(folder: Path) -> None:
    page = (folder / "index.html").read_text()
    loaded = set(re.findall(r'(?:src="|href="|url: ")([^"]*)"', page))
    assert loaded == {*RENDERER, "openapi.json"}
    assert {path.name for path in folder.iterdir()} == loaded | {"index.html"}
    assert "//" not in page
    assert f'content="{POLICY}"' in page


def test_the_page_shows_the_published_document(folder: Path) -> None:
    published = yaml_parse((ROOT / "docs" / "openapi.yaml").read_text())
    assert json.loads((folder / "openapi.json").read_text()) == published
