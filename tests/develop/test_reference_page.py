from email.message import Message

import pytest
from samtranslator.yaml_helper import yaml_parse

from develop.local import seeds
from develop.local.gateway import Reply
from develop.local.reference import document, with_reference
from develop.template import ROOT

THE_API = Reply(404, [], b"the API")


def ask(target: str, method: str = "GET") -> Reply:
    return with_reference(lambda *_: THE_API)(method, target, Message(), b"")


@pytest.mark.parametrize("situation", seeds.SITUATIONS, ids=lambda situation: situation.event)
def test_the_examples_are_the_situations_request(situation: seeds.Situation) -> None:
    event = seeds.event(situation.event)
    parameters = document(situation.event)["paths"][event["resource"]]["get"]["parameters"]
    examples = {parameter["name"]: parameter["example"] for parameter in parameters if "example" in parameter}
    of_the_browser = {"Accept", "Authorization", "Host", "User-Agent"}
    headers = {name: value for name, value in event["headers"].items() if name not in of_the_browser}
    assert examples == headers | event["pathParameters"]
    # The page would not send a value that does not match its format.
    assert [parameter for parameter in parameters if "format" in parameter["schema"]] == []


def test_everything_else_is_as_published() -> None:
    published, shown = yaml_parse((ROOT / "docs" / "openapi.yaml").read_text()), document("download_archived")
    for api in (published, shown):
        del api["servers"]
        for parameter in api["paths"]["/v1/signatures/{id}/certificate"]["get"]["parameters"]:
            parameter["schema"].pop("format", None)
            for name in ("example", "examples"):
                parameter.pop(name, None)
    assert shown == published


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"/v1/signatures/{seeds.signature_id('download_archived')}/certificate"),
        ("GET", "/?situation=unheard-of"),
        ("GET", "/reference/unheard-of"),
        ("GET", "/reference/../swagger-ui.css"),
        ("HEAD", "/"),
        ("POST", "/"),
    ],
)
def test_requests_outside_the_reference_go_to_the_api(method: str, target: str) -> None:
    assert ask(target, method) is THE_API


def test_the_page_allows_no_request_to_another_host() -> None:
    policy = dict(ask("/").headers)["Content-Security-Policy"]
    assert policy == "default-src 'self' 'unsafe-inline' data:"
