"""`make docs`: docs/openapi.yaml as a page in a folder that any web server can serve."""

import json
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from develop.local.reference import POLICY, RENDERER, read_openapi

PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="$policy">
<title>$title</title>
<link rel="icon" href="favicon-32x32.png">
<link rel="stylesheet" href="swagger-ui.css">
<div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script>
<script>
  SwaggerUIBundle({
    dom_id: "#swagger-ui",
    url: "openapi.json",
    deepLinking: true,
    docExpansion: "full",
    supportedSubmitMethods: [], /* the API allows no web page to call it */
  });
</script>
</html>
""")


def write_page(folder: Path) -> None:
    """Replaces the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(PAGE.substitute(policy=POLICY, title=read_openapi()["info"]["title"]))
    (folder / "openapi.json").write_text(json.dumps(read_openapi()))
    for name in RENDERER:
        (folder / name).write_bytes((files("flask_swagger_ui") / "dist" / name).read_bytes())


if __name__ == "__main__":
    write_page(Path(sys.argv[1]))
