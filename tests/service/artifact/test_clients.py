"""The examples in docs/clients, against the built artifact."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from develop.local import seeds
from develop.local.stack import LocalService
from tests.service.artifact.conftest import read_archived
from tests.support.clients import FOLDER, NODE


def commands_of_the_page(first: str) -> str:
    """Returns the block that begins with this word."""
    block = re.search(rf"```\n({first}\b.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    assert block
    return block[1]


def run_commands(commands: str, folder: Path, environment: dict[str, str]) -> str:
    return subprocess.run(
        ["bash", "-ec", commands],  # noqa: S607
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_the_commands_of_the_page_say_what_it_says(running: LocalService, tmp_path: Path) -> None:
    """Run in order, each finds the copy of the previous one."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    commands = commands_of_the_page("export")
    path = os.pathsep.join([str(Path(sys.executable).parent), str(Path(NODE).parent), os.environ["PATH"]])
    said = run_commands(commands.replace("http://127.0.0.1:3000", running.url), tmp_path, {"PATH": path})
    assert said.splitlines() == re.findall("# (.*)", commands)


def test_the_loop_of_the_page_gets_a_large_certificate(running: LocalService, tmp_path: Path) -> None:
    url = running.url + str(seeds.event("download_large")["path"])
    environment = {"PATH": os.environ["PATH"], "CRAFTKIT_API_KEY": seeds.KEY, "URL": url}
    run_commands(commands_of_the_page("key"), tmp_path, environment)
    assert (tmp_path / "certificate.pdf").read_bytes() == read_archived(running, "download_large")
