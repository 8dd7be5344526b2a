"""The environment and the order of all tests. What a kind of test needs, its folder's conftest.py imports."""

import os
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from develop.environment import drop_user_settings

if TYPE_CHECKING:
    from develop.template import Stack

# Some tests press Ctrl-C, which a shell's background jobs ignore.
signal.signal(signal.SIGINT, signal.default_int_handler)

drop_user_settings()
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "1"  # as in the template: pydantic would read the metadata of all packages
# A hook of git names its repository, and a shell may hold keys or settings of Python: they would reach child processes.
for name in [name for name in os.environ if re.match("(GIT_|PYTHON|CRAFTKIT_)|(KEY|URL|ID)$", name)]:
    del os.environ[name]


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores, since some tests wait."""
    return (os.process_cpu_count() or 1) + 1


SLOW_FIXTURES = {"running": "local-service", "cloud": "faults"}
"""The group of the tests that share a slow fixture: one process creates it."""
LONGEST = ["local-service", "faults", "develop-test_ministack.py"]
"""The groups that begin first, so that none of them ends alone."""


def find_group(item: pytest.Item) -> str:
    *_, folder, file = item.path.parts
    fixtures = getattr(item, "fixturenames", ()) if folder == "artifact" else ()
    return next((group for name, group in SLOW_FIXTURES.items() if name in fixtures), f"{folder}-{file}")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each worker process runs whole files, and all tests that share a slow fixture. Coverage is measured without
    generated examples."""
    items.sort(key=lambda item: [*LONGEST, find_group(item)].index(find_group(item)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(find_group(item)))
        if item.get_closest_marker("fuzz"):
            item.add_marker("no_cover")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Otherwise the plugin imports all of hypothesis for its summary, even if no test has used it."""
    if "hypothesis" not in sys.modules:
        session.config.pluginmanager.unregister(name="hypothesispytest")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long text would become part of the test's name."""
    return argname if isinstance(val, str | bytes) and len(val) > 100 else None


@pytest.fixture(scope="session")
def stack() -> "Stack":
    from tests.support.stack import STACK  # noqa: PLC0415 - takes seconds, and most unit tests do without

    return STACK
