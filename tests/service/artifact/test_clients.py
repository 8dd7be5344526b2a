"""The examples in docs/clients, against the built artifact."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from develop.local import seeds
from develop.local.stack import LocalService
from tests.service.artifact.conftest import SECONDS, wait_until
from tests.support.clients import FOLDER, NODE, PROGRAMS, Client


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


@pytest.fixture(params=PROGRAMS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(request.param, tmp_path)


def url(running: LocalService, situation: str) -> str:
    return running.url + str(seeds.event(situation)["path"])


def archived(running: LocalService, situation: str) -> bytes:
    key = f"{seeds.PROJECT}/{seeds.signature_id(situation)}.pdf"
    bucket = running.stack.physical_id("CertificatesBucket")
    return bytes(running.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def test_a_certificate_is_downloaded_and_known_to_be_current(running: LocalService, client: Client) -> None:
    address = url(running, "download_archived")
    again = f"{client.file} {'is current' if client.name == 'python' else 'downloaded'}\n"
    assert client.run(address) == (0, f"{client.file} downloaded\n")
    assert client.run(address) == (0, again)
    client.file.write_bytes(client.file.read_bytes()[:1000])
    assert client.run(address) == (0, f"{client.file} downloaded\n")
    assert client.file.read_bytes() == archived(running, "download_archived")


def test_a_large_certificate_comes_in_ranges_or_not_at_all(running: LocalService, client: Client) -> None:
    code, output = client.run(url(running, "download_large"))
    if client.name == "python":
        assert (code, output) == (0, f"{client.file} downloaded\n")
        assert client.file.read_bytes() == archived(running, "download_large")
    else:
        assert (code, client.saved) == (1, {})
        assert re.fullmatch(r"HTTP 413 .*Range.*\n", output)


def test_a_certificate_that_is_not_available_yet_is_waited_for(running: LocalService, client: Client) -> None:
    id_ = f"5000000{list(PROGRAMS).index(client.name)}-0000-4000-8000-000000000000"
    table, dynamodb = running.stack.physical_id("SignaturesTable"), running.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=seeds.signature(id_, "sent", "req_first", is_available=False))
    with client.started(f"{running.url}/v1/signatures/{id_}/certificate") as process:
        wait_until(lambda: len(client.pauses) > 1)
        dynamodb.put_item(TableName=table, Item=seeds.signature(id_, "completed", "req_first", is_available=True))
        assert process.communicate(timeout=SECONDS) == (f"{client.file} downloaded\n", "")
    assert client.file.read_bytes().startswith(b"%PDF-")
    assert set(client.pauses) == {30}


def test_the_commands_of_the_page_say_what_it_says(running: LocalService, tmp_path: Path) -> None:
    """Run in order, each finds the copy of the previous one."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    commands = commands_of_the_page("export")
    path = os.pathsep.join([str(Path(sys.executable).parent), str(Path(NODE).parent), os.environ["PATH"]])
    said = run_commands(commands.replace("http://127.0.0.1:3000", running.url), tmp_path, {"PATH": path})
    assert said.splitlines() == re.findall("# (.*)", commands)


def test_the_loop_of_the_page_gets_a_large_certificate(running: LocalService, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "CRAFTKIT_API_KEY": seeds.KEY, "URL": url(running, "download_large")}
    run_commands(commands_of_the_page("key"), tmp_path, environment)
    assert (tmp_path / "certificate.pdf").read_bytes() == archived(running, "download_large")
