"""What a SnapStart snapshot holds: nothing secret, random or connected."""

import os
import random
import subprocess
import sys

from snapshot_restore_py import get_after_restore

from functions.download_certificate import handler
from tools.template import ROOT

IMPORT = """
import socket

def refuse(*_):
    raise AssertionError("connected before the snapshot")

socket.socket.connect = socket.socket.connect_ex = refuse
from functions.download_certificate.handler import SERVICES
"""


def test_nothing_is_connected_to_before_the_snapshot() -> None:
    path = os.pathsep.join(str(folder) for folder in (ROOT, ROOT / "layers" / "signing"))
    subprocess.run([sys.executable, "-c", IMPORT], env=os.environ | {"PYTHONPATH": path}, check=True)


def test_the_secret_is_none_of_it() -> None:
    assert vars(vars(handler.SERVICES.provider)["_secret"])["_value"] == ""


def test_each_sandbox_draws_its_own_random_numbers() -> None:
    ((restore, arguments, named),) = get_after_restore()
    state = random.getstate()
    restore(*arguments, **named)
    assert random.getstate() != state
