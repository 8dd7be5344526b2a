"""The API reference: docs/openapi.yaml in Swagger UI. `make docs` writes it for any web server.

`make run` serves it with its seeded situations, to try: at `/` and `/reference/…`, before the gateway.
"""

import copy
import html
import json
import shutil
import sys
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
<style>
  body { margin: 0; }
  form { position: sticky; top: 0; z-index: 1; padding: 12px 20px; background: #1b1b1b; }
  select { width: 100%; padding: 6px; }
</style>
$form<div id="swagger-ui"></div>
<script src="reference/swagger-ui-bundle.js"></script>
<script>
  const ui = SwaggerUIBundle({
    dom_id: "#swagger-ui", validatorUrl: null, deepLinking: true, docExpansion: "full", ...$settings,
    onComplete: () => "$key" && ui.preauthorizeApiKey("apiKey", "$key"),
  });
</script>
</html>
""")
# A choice reloads the page and shows the operation, filled in.
FORM = Template("""\
<form action="/#/Signatures/downloadCertificate">
<select name="situation" aria-label="Situation" autocomplete="off" onchange="form.submit()">
$options</select>
</form>
""")
RENDERER = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript", "favicon-32x32.png": "image/png"}
"""The files of Swagger UI that the page uses, with their media types."""

_SITUATIONS = {situation.event: situation for situation in seeds.SITUATIONS}


def with_reference(api: Response) -> Response:
    """Wraps the API: the reference answers its own paths first."""
    return lambda method, target, *rest: (method == "GET" and _reference(target)) or api(method, target, *rest)


def write_site(folder: Path) -> None:
    """Replaces the folder. Its page sends no requests: the API allows no web page to call it."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "reference").mkdir(parents=True)
    settings = {"url": "reference/openapi.json", "supportedSubmitMethods": []}
    (folder / "index.html").write_text(PAGE.substitute(form="", key="", settings=json.dumps(settings)))
    (folder / "reference" / "openapi.json").write_text(json.dumps(_read_openapi()))
    for name in RENDERER:
        (folder / "reference" / name).write_bytes(_read_renderer(name))


def document(situation: str) -> dict[str, Any]:
    """Returns docs/openapi.yaml with this server, and with the values of the situation's event as examples."""
    api = copy.deepcopy(_read_openapi())
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
def _read_openapi() -> dict[str, Any]:
    return dict(yaml_parse((ROOT / "docs" / "openapi.yaml").read_text()))


def _read_renderer(name: str) -> bytes:
    return (files("flask_swagger_ui") / "dist" / name).read_bytes()


def _reference(target: str) -> Reply | None:
    """Returns None if there is no such page."""
    url = urlsplit(target)
    situation = parse_qs(url.query).get("situation", [next(iter(_SITUATIONS))])[-1]
    name = url.path.removeprefix("/reference/")
    if situation not in _SITUATIONS:
        return None
    if url.path == "/":
        return _reply("text/html", _render_page(situation).encode())
    if name == "openapi.json":
        return _reply("application/json", json.dumps(document(situation)).encode())
    return _reply(RENDERER[name], _read_renderer(name)) if name in RENDERER else None


def _render_page(chosen: str) -> str:
    options = "".join(
        f'<option value="{event}"{" selected" if event == chosen else ""}>'
        f"{situation.status} {html.escape(situation.words)}</option>\n"
        for event, situation in _SITUATIONS.items()
    )
    settings = {"url": f"reference/openapi.json?situation={chosen}", "tryItOutEnabled": True}
    key = seeds.event(chosen)["headers"].get("Authorization", "").removeprefix("Bearer ")
    return PAGE.substitute(form=FORM.substitute(options=options), key=key, settings=json.dumps(settings))


def _reply(media_type: str, body: bytes) -> Reply:
    return Reply(200, [("Content-Type", f"{media_type}; charset=utf-8"), ("Cache-Control", "no-store")], body)


if __name__ == "__main__":
    write_site(Path(sys.argv[1]))
