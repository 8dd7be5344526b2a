"""The API reference of `make run`, to read and to try: docs/openapi.yaml in Swagger UI, one seeded situation at a time.

It is not part of the API: it answers `/` and `/reference/…` before the gateway. The content security policy keeps the
browser from sending requests to other hosts.
"""

import copy
import html
import json
from email.message import Message
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs, urlsplit

from samtranslator.yaml_helper import yaml_parse

from develop.local import seeds
from develop.local.gateway import Reply, Response
from develop.template import ROOT

PAGE = Path(__file__).with_suffix(".html")
RENDERER = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
"""The files of Swagger UI that the page uses, with their media types."""
POLICY = "default-src 'self' 'unsafe-inline' data:"
"""The content security policy: nothing from other hosts."""

_SITUATIONS = {situation.event: situation for situation in seeds.SITUATIONS}


def with_reference(api: Response) -> Response:
    """Wraps the API: the reference answers its own paths first."""

    def answer(method: str, target: str, headers: Message, body: bytes) -> Reply:
        reference = _reference(target) if method == "GET" else None
        return reference or api(method, target, headers, body)

    return answer


def document(situation: str) -> dict[str, Any]:
    """Returns docs/openapi.yaml with this server, and with the values of the situation's event as examples."""
    api = copy.deepcopy(read_openapi())
    event = seeds.event(situation)
    values = event["headers"] | event["pathParameters"]
    api["servers"] = [{"url": "/"}]
    for parameter in api["paths"][event["resource"]][event["httpMethod"].lower()]["parameters"]:
        for name in ("example", "examples"):
            parameter.pop(name, None)
        if parameter["name"] in values:
            parameter["example"] = values[parameter["name"]]
        # With a format, the page would refuse to send a malformed id, which is one of the situations.
        parameter["schema"].pop("format", None)
    return api


@cache
def read_openapi() -> dict[str, Any]:
    """Returns docs/openapi.yaml."""
    return dict(yaml_parse((ROOT / "docs" / "openapi.yaml").read_text()))


def _reference(target: str) -> Reply | None:
    """Returns None if there is no such page."""
    url = urlsplit(target)
    situation = parse_qs(url.query).get("situation", [next(iter(_SITUATIONS))])[-1]
    name = url.path.removeprefix("/reference/")
    if situation not in _SITUATIONS:
        return None
    if url.path == "/":
        return _reply("text/html", _page(situation).encode())
    if name == "openapi.json":
        return _reply("application/json", json.dumps(document(situation)).encode())
    if name in RENDERER:
        return _reply(RENDERER[name], (files("flask_swagger_ui") / "dist" / name).read_bytes())
    return None


def _page(chosen: str) -> str:
    options = "".join(
        f'<option value="{event}"{" selected" if event == chosen else ""}>'
        f"{situation.status} {html.escape(situation.words)}</option>\n"
        for event, situation in _SITUATIONS.items()
    )
    key = seeds.event(chosen)["headers"].get("Authorization", "").removeprefix("Bearer ")
    return Template(PAGE.read_text()).substitute(options=options, situation=chosen, key=html.escape(key))


def _reply(media_type: str, body: bytes) -> Reply:
    headers = {
        "Content-Type": f"{media_type}; charset=utf-8",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Reply(200, list(headers.items()), body)
