"""The Makefile's recipes, run in a temporary folder with a local package index."""

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Mapping

import pytest

from develop.local.runtime import ARCHITECTURE
from develop.template import ROOT
from tests.support.checkout import Checkout

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
(OTHER,) = MACHINES.keys() - {ARCHITECTURE}
NO_VENV = "python3 has no venv module. On Debian and Ubuntu: apt install python3-venv"

UV = """#!/bin/sh
# Records its arguments and environment, and creates only what the recipes need.
echo "$*" >>asked
env >>environment
for last; do :; done
if [ "$1" = venv ]; then mkdir -p "$last"; fi
if [ ! -e .uv/bin/uv ]; then mkdir -p .uv/bin; cp "$0" .uv/bin/uv; fi
"""

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Architecture: {Type: String}
Resources:
  DependenciesLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: python3.13, BuildArchitecture: !Ref Architecture}
    Properties: {ContentUri: layers/dependencies}
"""


def publish(checkout: Checkout, name: str, files: Mapping[str, str], tag: str = "py3-none-any") -> str:
    """Adds a wheel to the index. Returns its hash."""
    path = checkout.folder / "index" / f"{name}-1.0-{tag}.whl"
    path.parent.mkdir(exist_ok=True)
    metadata = {
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{name}-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in {**files, **metadata}.items():
            entry = zipfile.ZipInfo(member)
            entry.external_attr = 0o100755 << 16  # a file that can be run
            wheel.writestr(entry, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def add_uv(checkout: Checkout) -> None:
    """The index has a uv."""
    hash_ = publish(checkout, "uv", {"uv-1.0.data/scripts/uv": UV})
    checkout.write("requirements-uv.txt", f"uv==1.0 --hash=sha256:{hash_}\n")
    checkout.write("requirements-checkov.txt")
    checkout.write(".python-version", "3.13\n")


def path_without_uv(checkout: Checkout, make_venv: str = "exit 1") -> str:
    """A path without uv, and with a python3 that makes an environment by this command. Debian's has no venv."""
    python = shutil.which("python3")
    checkout.write("bin/python3", f'#!/bin/sh\ncase "$*" in *venv*) {make_venv};; esac\nexec {python} "$@"\n', 0o755)
    for tool in ("cat", "cp", "env", "find", "mkdir", "rm", "touch", "uname"):
        (checkout.folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return str(checkout.folder / "bin")


COMMANDS = [
    "venv --quiet --clear .checkov",
    "pip sync --quiet --require-hashes --only-binary :all: --python .checkov requirements-checkov.txt",
]


def test_the_users_environment_decides_where_packages_come_from_but_not_how_they_are_installed(
    checkout: Checkout,
) -> None:
    pytest.importorskip("ensurepip")
    checkout.write("hostile/sitecustomize.py", "raise SystemExit('the wrong path')")
    checkout.write("pip.conf", "[install]\nuser = true\n")
    urls = ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_PYTHON_INSTALL_MIRROR")
    sources = dict.fromkeys(urls, "http://127.0.0.1:1/simple") | {
        "PIP_CONFIG_FILE": str(checkout.folder / "pip.conf"),
        "PIP_DEFAULT_TIMEOUT": "1",
    }
    hostile = {
        "PIP_CONSTRAINT": "nowhere.txt",
        "PIP_TARGET": "elsewhere",
        "PYTHONHOME": "/nowhere",
        "PYTHONPATH": str(checkout.folder / "hostile"),
        "UV_NO_VERIFY_HASHES": "1",
        "UV_PYTHON": "3.9",
    }
    result = checkout.run("make", ".checkov/ready", **sources, **hostile)
    assert result.returncode == 0, result.stderr
    assert checkout.read("asked").splitlines() == COMMANDS
    variables = {line.partition("=")[0] for line in checkout.read("environment").splitlines()}
    of_installers = {name for name in variables if name.startswith(("PIP_", "UV_", "PYTHON"))}
    assert of_installers == sources.keys() | {"PIP_FIND_LINKS", "PIP_NO_INDEX"}
    assert not (checkout.folder / "elsewhere").exists()

    # A uv with another hash is not used. The environment is the same, because it takes seconds to make.
    saved = (checkout.folder / ".uv").rename(checkout.folder / "saved")
    (installed,) = saved.glob("lib/python*/site-packages/uv-1.0.dist-info")
    shutil.rmtree(installed)
    (saved / "bin" / "uv").unlink()
    checkout.write("requirements-uv.txt", f"uv==1.0 --hash=sha256:{'0' * 64}\n")
    result = checkout.run("make", ".uv/ready", PATH=path_without_uv(checkout, "exec cp -R saved .uv"))
    assert result.returncode == 2
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in result.stderr
    assert not (checkout.folder / ".uv" / "bin" / "uv").exists()


def test_a_key_among_the_arguments_of_make_is_refused(checkout: Checkout) -> None:
    result = checkout.run("make", "--old-file", ".venv/ready", "smoke", "KEY=ck_live_canary")
    message = "KEY is no argument: others could see it. Set it in the environment.  Stop."
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(rf"Makefile:\d+: \*\*\* {message}\n", result.stderr)


def test_without_venv_a_uv_on_the_path_makes_each_environment_once_in_each_folder(checkout: Checkout) -> None:
    path = path_without_uv(checkout)
    result = checkout.run("make", ".uv/ready", PATH=path)
    message, of_make = result.stderr.splitlines()
    assert (result.returncode, result.stdout, message, of_make[:11]) == (2, "", NO_VENV, "make: *** [")
    checkout.write("bin/uv", UV, 0o755)
    own = "pip install --python .uv --quiet --require-hashes --only-binary :all: -r requirements-uv.txt"
    moved = Checkout(checkout.folder.with_name(f"{checkout.folder.name}-moved"))
    for number, folder in ((1, checkout), (2, moved)):
        for _ in range(2):
            result = folder.run("make", ".checkov/ready", PATH=path.replace(str(checkout.folder), str(folder.folder)))
            assert result.returncode == 0, result.stderr
        assert folder.read("asked").splitlines() == ["venv --quiet .uv", own, *COMMANDS] * number
        if folder is checkout:
            checkout.folder.rename(moved.folder)


@pytest.mark.threat("supply-chain")
def test_wheels_for_another_architecture_are_locked_by_hash(checkout: Checkout) -> None:
    hashes = {
        architecture: publish(
            checkout, "native", {"native.py": f"MACHINE = '{machine}'\n"}, f"cp313-cp313-manylinux2014_{machine}"
        )
        for architecture, machine in MACHINES.items()
    }
    checkout.write("template.yaml", TEMPLATE)
    for name in ("develop/__init__.py", "develop/build/trim.py"):
        checkout.write(name)
    python = ROOT / ".venv" / "bin"
    module = checkout.folder / ".aws-sam" / "build" / "DependenciesLayer" / "python" / "native.py"
    for locked in ([ARCHITECTURE], list(MACHINES)):
        lock = " ".join(["native==1.0", *(f"--hash=sha256:{hashes[architecture]}" for architecture in locked)])
        checkout.write("layers/dependencies/requirements.txt", f"{lock}\n")
        result = checkout.run(
            *("make", "--old-file", ".venv/ready", "build", f"ARCH={OTHER}", f"PYTHON={python / 'python'}"),
            PATH=f"{python}{os.pathsep}{os.environ['PATH']}",
        )
        assert (result.returncode == 0, module.exists()) == (OTHER in locked, OTHER in locked), result.stderr
    assert module.read_text() == f"MACHINE = '{MACHINES[OTHER]}'\n"
