"""docs/clients/certificate.py: current copies, parts, resuming, verifying and polling."""

import importlib.util
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from develop.fakes.server import Response, ScriptedServer, reply
from develop.local import seeds
from tests.support.clients import DAMAGED, FOLDER, PDF, cut, error, wait, whole
from tests.support.responses import digest

UNRELATED = r"The parts do not belong together\."
FLIPPED = PDF.replace(b"7", b"6")
TOO_LARGE = reply(413, b"{}")


def part(first: int, end: int, content: bytes = PDF, **headers: str) -> Response:
    """The bytes from `first` to `end`, exclusive."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sound = {"ETag": '"a"', "Content-Range": f"bytes {first}-{end - 1}/{len(PDF)}", "Repr-Digest": digest(PDF)}
    return reply(206, content[first:end], sound | named)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, which does not wait."""
    spec = importlib.util.spec_from_file_location("certificate", FOLDER / "certificate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "time", SimpleNamespace(time=time.time, sleep=lambda _: None))
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


def test_a_download_can_be_interrupted_twice(client: ModuleType, file: Path) -> None:
    for responses in ([part(5, 9), error(503)], [error(503)]):
        with ScriptedServer(*responses) as server, pytest.raises(client.Unavailable):
            client.update(file, server.url, seeds.KEY)
    with ScriptedServer(part(9, 15)) as server:
        assert client.update(file, server.url, seeds.KEY)
    assert ranges(server) == [("bytes=9-4500008", '"a"')]
    assert saved(file) == COPY


@pytest.mark.parametrize(
    "response", [error(404), part(5, 15, ETag='"b"'), whole(Repr_Digest=""), part(5, 15, b"x" * 15)]
)
def test_parts_that_cannot_be_continued_are_deleted(client: ModuleType, file: Path, response: Response) -> None:
    with ScriptedServer(response) as server, pytest.raises(client.CertificateError):
        client.update(file, server.url, seeds.KEY)
    assert saved(file) == {}


@pytest.mark.parametrize("responses", [[whole()], [TOO_LARGE, part(0, 5), part(5, 15)]])
def test_another_certificate_is_taken_instead_of_the_parts_of_an_earlier_one(
    client: ModuleType, file: Path, responses: list[Response]
) -> None:
    """The API sends no part if If-Range does not match: the whole, or 413 if that is too large."""
    begun = file.with_name(f"{file.name}.begun")
    client.save(begun, client.Certificate(b"%PDF-", '"b"'))
    with ScriptedServer(*responses) as server:
        assert client.update(file, server.url, seeds.KEY)
    assert ranges(server)[0] == ("bytes=5-4500004", '"b"')
    assert saved(file) == COPY


PARTS = {
    "in parts": ([part(0, 5), part(5, 14), part(14, 15)], None),
    "failures between parts": ([cut(206), part(0, 5), error(503), cut(206), part(5, 15)], None),
    "whole instead of the next part": ([part(0, 5), whole()], None),
    "a flipped byte in the second of three": ([part(0, 5), part(5, 10, FLIPPED), part(10, 15)], DAMAGED),
    "whole with another digest": ([part(0, 5), whole(Repr_Digest=digest(b""))], DAMAGED),
    "too large for ever": ([error(413)], r"HTTP 413 some_code: No\."),
    "with a weak tag": ([part(0, 15, ETag='W/"a"')], UNRELATED),
    "another size": ([part(0, 5), part(5, 15, Content_Range="bytes 5-14/16")], UNRELATED),
    "a gap between parts": ([part(0, 5), part(6, 15)], UNRELATED),
    "an empty part": ([part(0, 5), part(5, 5)], UNRELATED),
    **{
        f"Content-Range: {value}": ([part(0, 15, Content_Range=value)], UNRELATED)
        for value in ("", "bytes 0-4/15", "bytes 0-15/15", "bytes 0-14/100000001", "bytes 0-14/15, 1")
    },
    "too many parts": (
        [part(first, first + 1, b"x" * 999, Content_Range=f"bytes {first}-{first}/999") for first in range(101)],
        r"The certificate arrived in too many parts\.",
    ),
}


@pytest.mark.parametrize(("responses", "says"), PARTS.values(), ids=PARTS)
def test_a_large_certificate_is_whole_and_undamaged_or_refused(
    client: ModuleType, tmp_path: Path, responses: list[Response], says: str | None
) -> None:
    file = tmp_path / "certificate.pdf"
    with ScriptedServer(TOO_LARGE, *responses) as server:
        if says:
            with pytest.raises(client.CertificateError, match=rf"^{says}$"):
                client.update(file, server.url, seeds.KEY)
        else:
            assert client.update(file, server.url, seeds.KEY)
    assert saved(file) == ({} if says else COPY)


@pytest.mark.parametrize("etag", ['"b"', 'W/"a"', "a", '"a" "b"'])
def test_a_new_certificate_replaces_the_copy_and_its_tag(client: ModuleType, tmp_path: Path, etag: str) -> None:
    """A tag that can't be compared is not kept. A copy is current when the server says so."""
    file = tmp_path / "certificate.pdf"
    client.save(file, client.Certificate(b"old", '"a"'))
    with ScriptedServer(whole(ETag=etag), reply(304, b"", {"ETag": '"b"'})) as server:
        assert client.update(file, server.url, seeds.KEY)
        tag = {f"{file.name}.etag": f'"b" {digest(PDF)}\n'.encode()} if etag == '"b"' else {}
        assert saved(file) == {file.name: PDF} | tag
        if tag:
            assert not client.update(file, server.url, seeds.KEY)
            assert server.requests[1].headers["if-none-match"] == '"b"'
    assert saved(file) == {file.name: PDF} | tag


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("certificate.pdf", content) for content in (PDF[:5], None)),
        *(("certificate.pdf.etag", content) for content in (b'"a"', None, b'"a"\r\nX: y\n', bytes(range(256)))),
    ],
)
def test_a_copy_that_was_changed_is_downloaded_again(
    client: ModuleType, tmp_path: Path, name: str, content: bytes | None
) -> None:
    file, path = tmp_path / "certificate.pdf", tmp_path / name
    client.save(file, client.Certificate(PDF, '"a"'))
    path.unlink() if content is None else path.write_bytes(content)
    with ScriptedServer(whole()) as server:
        assert client.update(file, server.url, seeds.KEY)
    assert "if-none-match" not in server.requests[0].headers
    assert saved(file) == COPY


RETRY_AFTER = {
    "08": (8, 8),
    "0": (1, 1),
    "99999": (60, 300),
    "Sun, 06 Nov 1994 08:49:37 GMT": (1, 1),
    "Fri, 06 Nov 2093 08:49:37 GMT": (60, 300),
    "Sun, 99 Nov 2093 08:49:37 GMT": (1, 30),
    "99999999999999999999": (1, 30),
}
"""Seconds to wait after 503 and after 409."""


def test_each_retry_after_is_read(client: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(client.time, "sleep", pauses.append)
    responses = [wait(status, value) for value in RETRY_AFTER for status in (503, 409)]
    with ScriptedServer(*responses, whole()) as server:
        assert client.download(server.url, seeds.KEY) == (PDF, '"a"')
    assert pauses == [pause for pair in RETRY_AFTER.values() for pause in pair]


def test_a_copy_is_verified_by_its_content(client: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "received.pdf"
    for content in (PDF, PDF[:-1], b""):
        file.write_bytes(content)
        for responses in ([whole()], [TOO_LARGE, part(0, 5), part(5, 15)]):
            with ScriptedServer(*responses) as server:
                assert client.verify(file, server.url, seeds.KEY) == (content == PDF)
        assert saved(file) == {file.name: content}


def test_errors_tell_whether_to_ask_again(client: ModuleType) -> None:
    later = reply(409, b"", {"Retry-After": "300"})
    responses = {client.NotAvailableYet: later, client.CertificateError: error(409), client.Unavailable: error(503)}
    for expected, response in responses.items():
        with ScriptedServer(response) as server, pytest.raises(client.CertificateError) as raised:
            client.download(server.url, seeds.KEY)
        assert type(raised.value) is expected
