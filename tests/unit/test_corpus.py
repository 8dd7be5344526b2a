"""`make corpus`: the report on a folder of PDFs."""

import sys
from pathlib import Path

import pytest

from tests.support.pdf_kinds import linearize, plain, revise, sign
from tools import corpus


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["corpus", str(folder)])
    corpus.main()


def test_it_reports_refused_files_and_accepted_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = bytes(range(256))
    (tmp_path / "below").mkdir()
    for name, content in {
        "plain.pdf": plain(stream),
        "below/revised.pdf": revise(plain(stream), b"second"),
        "linearized.pdf": linearize(stream),
        "signed.pdf": sign(stream),
        "prefixed.pdf": b"<p>" + plain(stream),
        "broken.pdf": b"%PDF-1.7",
        "note.txt": b"not a PDF",
    }.items():
        (tmp_path / name).write_bytes(content)
    run(tmp_path, monkeypatch)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "refused: broken.pdf",
        "refused, although pypdf can open it: prefixed.pdf",
        "",
        "accepted of",
        "whole files 4 6",
        "cut 0 bytes behind an inner end 2 3",
        "cut 2 bytes behind an inner end 2 3",
        "cut after 10 % 0 4",
        "cut after 50 % 0 4",
        "cut after 90 % 0 4",
        "cut after 99 % 0 4",
        "without the last byte of the end 0 4",
        "decoded as UTF-8 0 4",
        "decoded as Latin-1 0 4",
        "cut 300 bytes behind an inner end 0 2",
    ]


def test_a_folder_without_pdfs_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="No"):
        run(tmp_path, monkeypatch)
