"""The API reference: docs/openapi.yaml in Swagger UI. `make docs` writes it for any web server.

`make run` serves it at `/`, to try with the seeded signature requests.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from email.message import Message
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from develop.local import seeds
from develop.local.gateway import Reply, Response
from develop.template import ROOT

# The content security policy keeps the browser from sending requests to other hosts.
PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'self' 'unsafe-inline' data:">
<title>Craftkit completion certificates</title>
<link rel="icon" href="reference/favicon-32x32.png">
<link rel="stylesheet" href="reference/swagger-ui.css">
<style>body { margin: 0; }</style>
<div id="swagger-ui"></div>
<script src="reference/swagger-ui-bundle.js"></script>
<script>
  const ui = SwaggerUIBundle({
    dom_id: "#swagger-ui", validatorUrl: null, deepLinking: true, docExpansion: "full", ...$settings,
    onComplete: () => "$key" && ui.preauthorizeApiKey("apiKey", "$key"),
  });
</script>
</html>
""")
RENDERER = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript", "favicon-32x32.png": "image/png"}
"""The files of Swagger UI that the page uses, with their media types."""


def with_reference(api: Response) -> Response:
    """Wraps the API: the reference answers its own paths first."""
    pages = {
        "/": ("text/html", _render_page(seeds.KEY, {"tryItOutEnabled": True})),
        "/reference/openapi.json": ("application/json", json.dumps(make_document()).encode()),
    }
    pages |= {f"/reference/{name}": (media_type, _read_renderer(name)) for name, media_type in RENDERER.items()}

    def answer(method: str, target: str, headers: Message, body: bytes) -> Reply:
        if method != "GET" or target not in pages:
            return api(method, target, headers, body)
        media_type, page = pages[target]
        return Reply(200, [("Content-Type", f"{media_type}; charset=utf-8"), ("Cache-Control", "no-store")], page)

    return answer


def write_site(folder: Path) -> None:
    """Replaces the folder. Its page sends no requests: the API allows no web page to call it."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "reference").mkdir(parents=True)
    (folder / "index.html").write_bytes(_render_page("", {"supportedSubmitMethods": []}))
    (folder / "reference" / "openapi.json").write_text(json.dumps(_read_openapi()))
    for name in RENDERER:
        (folder / "reference" / name).write_bytes(_read_renderer(name))


def make_document() -> dict[str, Any]:
    """Returns docs/openapi.yaml with this server, and with the ids of the situations of a plain GET to choose from."""
    api = _read_openapi() | {"servers": [{"url": "/"}]}
    examples = {
        one.event: {"summary": f"{one.status} {one.words}", "value": seeds.signature_id(one.event)}
        for one in seeds.SITUATIONS
        if seeds.curl_headers(seeds.event(one.event)) == ["-H", f"Authorization: Bearer {seeds.KEY}"]
    }
    # Both methods have the same list of parameters.
    for parameter in api["paths"]["/v1/signatures/{id}/certificate"]["get"]["parameters"]:
        for name in ("example", "examples"):
            parameter.pop(name, None)
        if parameter["name"] == "id":
            parameter["examples"] = examples
            del parameter["schema"]["format"]  # the page would refuse to send a malformed id
    return api


def _read_openapi() -> dict[str, Any]:
    return dict(yaml_parse((ROOT / "docs" / "openapi.yaml").read_text()))


def _render_page(key: str, settings: Mapping[str, Any]) -> bytes:
    return PAGE.substitute(key=key, settings=json.dumps({"url": "reference/openapi.json", **settings})).encode()


def _read_renderer(name: str) -> bytes:
    return (files("flask_swagger_ui") / "dist" / name).read_bytes()


if __name__ == "__main__":
    write_site(Path(sys.argv[1]))
