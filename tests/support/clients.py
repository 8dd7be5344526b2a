"""The examples in docs/clients, as programs, and responses of the API for them."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from develop.fakes.server import Response, raw, reply
from develop.local import seeds
from develop.template import ROOT
from tests.support.responses import digest

SECONDS = 120
FOLDER = ROOT / "docs" / "clients"
NODE = shutil.which("node") or str(files("playwright") / "driver" / "node")
PROGRAMS = {
    "curl": ["bash", str(FOLDER / "certificate.sh")],
    "python": [sys.executable, str(FOLDER / "certificate.py")],
    "javascript": [NODE, str(FOLDER / "certificate.mjs")],
}

# Each records the seconds of each requested wait, and waits only a moment.
SHORT_WAITS = {
    "sleep": '#!/bin/sh\necho "$1" >>"$PAUSES"\nexec /bin/sleep 0.05\n',
    "sitecustomize.py": """
import os, time
wait = time.sleep
def sleep(seconds):
    with open(os.environ["PAUSES"], "a") as pauses:
        print(seconds, file=pauses)
    wait(0.05)
time.sleep = sleep
""",
    "waits.cjs": """
const timers = require("node:timers/promises");
const wait = timers.setTimeout;
timers.setTimeout = (milliseconds) => {
  require("node:fs").appendFileSync(process.env.PAUSES, `${milliseconds / 1000}\\n`);
  return wait(50);
};
require("node:module").syncBuiltinESMExports();
""",
}

# Files of a user's home folder that change what curl and requests send.
HOME = {".netrc": "default login user password secret\n", ".curlrc": "include\nlocation\nuser = user:secret\n"}


class Client:
    """One of the programs, which saves a certificate in `folder` as `file`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.command = PROGRAMS[name]
        self.folder = folder
        self.file = folder / "certificate.pdf"
        self._pauses = folder / "pauses"
        waits, home = folder / "waits", folder / "home"
        for parent, texts in ((waits, SHORT_WAITS), (home, HOME)):
            parent.mkdir()
            for script, text in texts.items():
                (parent / script).write_text(text)
        (waits / "sleep").chmod(0o755)
        (home / ".netrc").chmod(0o600)
        self.environment = {
            "CRAFTKIT_API_KEY": seeds.KEY,
            "HOME": str(home),
            "PATH": f"{waits}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(waits),
            # Under `ulimit -f`, Python would cut the bytecode that it writes into the environment of this test.
            "PYTHONDONTWRITEBYTECODE": "1",
            "NODE_OPTIONS": f"--require={waits / 'waits.cjs'}",
            "PAUSES": str(self._pauses),
            # No proxy gets the key by plain http.
            **dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), "http://127.0.0.1:1"),
        }

    @property
    def pauses(self) -> list[int]:
        """The waits requested so far, in seconds."""
        return [int(line) for line in self._pauses.read_text().split()] if self._pauses.exists() else []

    @property
    def saved(self) -> dict[str, bytes]:
        """The certificate and all files whose names begin with its name."""
        return {path.name: path.read_bytes() for path in self.folder.glob("certificate.pdf*")}

    def run(self, url: str) -> tuple[int, str]:
        command = [*self.command, url, str(self.file)]
        result = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return result.returncode, result.stderr + result.stdout


PDF = b"%PDF-1.7\n%%EOF\n"
LARGE = PDF * 10_000
DAMAGED = re.escape("The certificate arrived damaged: its SHA-256 is not that of Repr-Digest.")


def whole(content: bytes = PDF, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(200, content, {"ETag": '"a"', "Repr-Digest": digest(content)} | named)


def error(status: int, text: str = "No.", headers: dict[str, str] | None = None) -> Response:
    return reply(status, json.dumps({"error": {"code": "some_code", "message": text}}).encode(), headers)


def wait(status: int, retry_after: str) -> Response:
    return error(status, headers={"Retry-After": retry_after})


def cut(status: int = 200) -> Response:
    return raw(f"HTTP/1.1 {status} Text\r\nContent-Length: 500\r\n\r\n".encode() + PDF)
