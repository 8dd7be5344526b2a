"""The tests of the Makefile."""

from pathlib import Path

import pytest

from tests.support.checkout import Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """The Makefile, and the folders where it looks for sources."""
    made = Checkout(tmp_path)
    made.copy("Makefile")
    for name in ("functions", "layers"):
        (tmp_path / name).mkdir()
    return made
