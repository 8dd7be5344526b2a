"""The operator's commands, on a stack that moto holds."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import botocore.handlers
import pytest
from botocore.retries.standard import ExponentialBackoff

from develop.template import Stack
from operate import stack as stacks
from operate.commands import reconcile
from tests.support.operator import Operator, ScriptAws, operator, scripted_services

gc.freeze()  # each full collection would visit all that the imports have made


@pytest.fixture
def operate(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    """The operator's commands, in a folder of their own and without pauses between retries. They find a stack once, and
    again only after a test has changed the calls or the environment: that takes half of a command's time."""
    known: dict[tuple[object, ...], tuple[stacks.DeployedStack, object]] = {}
    find_deployed = stacks.find_deployed

    def find_once(name: str, region: str | None) -> stacks.DeployedStack:
        handlers = botocore.handlers.BUILTIN_HANDLERS
        key = name, region, id(handlers), *sorted(os.environ.items())
        if key not in known:
            known[key] = find_deployed(name, region), handlers
        return known[key][0]

    monkeypatch.setattr(stacks, "find_deployed", find_once)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reconcile, "FIRST_PAUSE", 0)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with operator(stack) as found:
        yield found


@pytest.fixture
def script_aws(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptAws]:
    """Replaces an AWS service of the operator's commands with a scripted server."""
    assert operate
    with scripted_services(monkeypatch) as found:
        yield found
