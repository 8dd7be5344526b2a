from pathlib import Path

import pytest

from develop.checks import sam_local
from develop.local import seeds
from develop.template import ROOT


def test_without_docker_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sam_local.main()
    assert capsys.readouterr().out == "skipped: sam local needs Docker, which does not respond\n"


def test_every_event_has_its_situation() -> None:
    downloads, archives = ([one.event for one in kind] for kind in (seeds.SITUATIONS, seeds.ARCHIVE_SITUATIONS))
    assert sorted([*downloads, *archives, seeds.REFRESH_EVENT]) == sorted(
        path.stem for path in (ROOT / "events").iterdir()
    )
