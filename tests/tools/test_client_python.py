"""docs/clients/certificate.py, imported: resuming, verifying and polling."""

import importlib.util
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.clients import FOLDER, SECONDS, Client
from tests.tools.test_client_copies import stall
from tests.tools.test_clients import PDF, TOO_LARGE, digest, error, part, whole
from tools.fake_cloud.server import Answer, ScriptedServer, reply
from tools.local import seeds


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, which does not wait."""
    spec = importlib.util.spec_from_file_location("certificate", FOLDER / "certificate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


@pytest.fixture
def file(client: ModuleType, tmp_path: Path) -> Path:
    """The name of a certificate whose first five bytes have arrived."""
    file = tmp_path / "certificate.pdf"
    with ScriptedServer(TOO_LARGE, part(0, 5), error(503)) as server, pytest.raises(client.Unavailable):
        client.update(file, server.url, seeds.KEY)
    assert saved(file) == {
        f"{file.name}.begun": PDF[:5],
        f"{file.name}.begun.etag": f'"a" {digest(PDF[:5])}\n'.encode(),
    }
    return file


def saved(file: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in file.parent.iterdir()}


def ranges(server: ScriptedServer) -> list[tuple[str | None, str | None]]:
    return [(request.headers.get("range"), request.headers.get("if-range")) for request in server.requests]


COPY = {"certificate.pdf": PDF, "certificate.pdf.etag": f'"a" {digest(PDF)}\n'.encode()}


def test_an_interrupted_download_is_continued(client: ModuleType, file: Path) -> None:
    with ScriptedServer(part(5, 15)) as server:
        assert client.update(file, server.url, seeds.KEY)
    assert ranges(server) == [("bytes=5-4500004", '"a"')]
    assert saved(file) == COPY


def test_a_download_can_be_interrupted_twice(client: ModuleType, file: Path) -> None:
    for answers in ([part(5, 9), error(503)], [error(503)]):
        with ScriptedServer(*answers) as server, pytest.raises(client.Unavailable):
            client.update(file, server.url, seeds.KEY)
    with ScriptedServer(part(9, 15)) as server:
        assert client.update(file, server.url, seeds.KEY)
    assert ranges(server) == [("bytes=9-4500008", '"a"')]
    assert saved(file) == COPY


@pytest.mark.parametrize("content", [PDF[:4], b""])
def test_parts_that_were_changed_are_not_continued(client: ModuleType, file: Path, content: bytes) -> None:
    file.with_name(f"{file.name}.begun").write_bytes(content)
    with ScriptedServer(whole()) as server:
        assert client.update(file, server.url, seeds.KEY)
    assert ranges(server) == [(None, None)]
    assert saved(file) == COPY


@pytest.mark.parametrize("answer", [whole(), TOO_LARGE, error(404), part(5, 15, etag='"b"')])
def test_parts_that_cannot_be_continued_are_deleted(client: ModuleType, file: Path, answer: Answer) -> None:
    with ScriptedServer(answer) as server, pytest.raises(client.CertificateError):
        client.update(file, server.url, seeds.KEY)
    assert saved(file) == {}


@pytest.mark.parametrize("flipped", range(len(PDF)))
def test_a_flipped_byte_of_any_part_is_found(client: ModuleType, tmp_path: Path, flipped: int) -> None:
    damaged = PDF[:flipped] + bytes([PDF[flipped] ^ 1]) + PDF[flipped + 1 :]
    parts = [part(first, first + 5, content=damaged) for first in (0, 5, 10)]
    with (
        ScriptedServer(TOO_LARGE, *parts) as server,
        pytest.raises(client.CertificateError, match="arrived damaged") as raised,
    ):
        client.update(tmp_path / "certificate.pdf", server.url, seeds.KEY)
    assert type(raised.value) is client.CertificateError  # final: the command ends with 1
    assert list(tmp_path.iterdir()) == []


def test_a_program_resumes_what_it_has_kept(client: ModuleType) -> None:
    kept: list[Any] = []
    answers = TOO_LARGE, part(0, 5), part(5, 9), error(503)
    with ScriptedServer(*answers) as server, pytest.raises(client.Unavailable):
        client.download(server.url, seeds.KEY, keep=kept.append)
    assert kept == [(PDF[:5], '"a"'), (PDF[:9], '"a"')]
    with ScriptedServer(part(9, 15)) as server:
        assert client.resume(server.url, seeds.KEY, kept[-1], kept.append) == (PDF, '"a"')
    assert len(kept) == 2


def test_a_program_that_is_killed_is_continued_by_the_next(tmp_path: Path) -> None:
    begun, killed = threading.Event(), Client("python", tmp_path)
    with ScriptedServer(TOO_LARGE, part(0, 5), stall(begun)) as server, killed.started(server.url):
        assert begun.wait(SECONDS)
    with ScriptedServer(part(5, 15)) as server:
        assert killed.run(server.url) == (0, f"{killed.file} downloaded\n")
    assert killed.saved == COPY


@pytest.mark.parametrize(("content", "is_original"), [(PDF, True), (PDF[:-1], False), (b"", False)])
def test_a_copy_is_verified_by_its_content(
    client: ModuleType, tmp_path: Path, content: bytes, *, is_original: bool
) -> None:
    file = tmp_path / "received.pdf"
    file.write_bytes(content)
    for answers in ([whole()], [TOO_LARGE, part(0, 5), part(5, 15)]):
        with ScriptedServer(*answers) as server:
            assert client.verify(file, server.url, seeds.KEY) == is_original
    assert saved(file) == {file.name: content}


def test_errors_tell_whether_to_ask_again(client: ModuleType) -> None:
    later = reply(409, b"", {"Retry-After": "300"})
    answers = {client.NotAvailableYet: later, client.CertificateError: error(409), client.Unavailable: error(503)}
    for expected, answer in answers.items():
        with ScriptedServer(answer) as server, pytest.raises(client.CertificateError) as raised:
            client.download(server.url, seeds.KEY)
        assert type(raised.value) is expected


@pytest.mark.parametrize("name", ["update", "download", "resume", "verify"])
def test_no_function_sends_an_invalid_key(client: ModuleType, file: Path, name: str) -> None:
    arguments = {"update": [file], "verify": [file]}.get(name, [])
    begun = [client.Certificate(PDF[:5], '"a"')] if name == "resume" else []
    with ScriptedServer(whole()) as server, pytest.raises(client.CertificateError, match="is not an API key"):
        getattr(client, name)(*arguments, server.url, "secret\r\nX: y", *begun)
    assert server.requests == []
