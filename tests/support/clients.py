"""The examples in docs/clients, as programs."""

import io
import os
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.resources import files
from pathlib import Path
from unittest.mock import patch

from develop.local import seeds
from develop.template import ROOT

SECONDS = 120
FOLDER = ROOT / "docs" / "clients"
NODE = shutil.which("node") or str(files("playwright") / "driver" / "node")
PROGRAMS = {
    "curl": ["bash", str(FOLDER / "certificate.sh")],
    "python": [sys.executable, str(FOLDER / "certificate.py")],
    "javascript": [NODE, str(FOLDER / "certificate.mjs")],
}

# Each records the seconds that it was told to wait, and waits only a moment.
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
        self.name = name
        self.command = PROGRAMS[name]
        self.folder = folder
        self.file = folder / "certificate.pdf"
        self.tag = folder / "certificate.pdf.etag"
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
        }

    @property
    def pauses(self) -> list[int]:
        """The waits requested so far, in seconds."""
        return [int(line) for line in self._pauses.read_text().split()] if self._pauses.exists() else []

    @property
    def saved(self) -> dict[str, bytes]:
        """The certificate and all files whose names begin with its name."""
        return {path.name: path.read_bytes() for path in self.folder.glob("certificate.pdf*")}

    @contextmanager
    def started(self, url: str) -> Iterator[subprocess.Popen[str]]:
        """Starts the program. Kills it at the end, with its child processes."""
        with subprocess.Popen(
            [*self.command, url, str(self.file)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self, url: str) -> tuple[int, str]:
        """Returns the exit code and the output. Python's program runs in this process, because its imports take longer
        than its work."""
        if self.command[0] == sys.executable:
            return self._run_here(url)
        with self.started(url) as process:
            output, errors = process.communicate(timeout=SECONDS)
        return process.returncode, errors + output

    def _run_here(self, url: str) -> tuple[int, str]:
        program, output, wait = self.command[-1], io.StringIO(), time.sleep
        caller = threading.current_thread()

        def sleep(seconds: float) -> None:
            if threading.current_thread() is caller:
                with self._pauses.open("a") as pauses:
                    print(seconds, file=pauses)
                seconds = 0.05
            wait(seconds)

        with (
            patch.dict(os.environ, self.environment, clear=True),
            patch.object(sys, "argv", [program, url, str(self.file)]),
            patch.object(time, "sleep", sleep),
            redirect_stdout(output),
            redirect_stderr(output),
        ):
            try:
                runpy.run_path(program, run_name="__main__")
            except SystemExit as error:
                return 1, f"{output.getvalue()}{error}\n"
        return 0, output.getvalue()
