"""The content of the built artifact."""

import csv
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
import snapshot_restore_py

from develop.build.trim import CALLED_BY_BOTOCORE, OPERATIONS
from develop.environment import CREDENTIALS
from develop.local.emulator import BUILD, find_built
from develop.local.stack import ARCHIVE, DOWNLOAD, REFRESH, LocalService
from develop.template import ROOT
from tests.service.artifact.conftest import Refreshing
from tests.support.calls import Call
from tests.support.locks import DEPLOYED, installed, locked

MACHINES = {"arm64": 0xB7, "x86_64": 0x3E}
"""`e_machine` in the header of an ELF file (System V ABI)."""


def find_architecture() -> str:
    (built,) = BUILD.parent.glob("*.built")
    return built.stem


@pytest.mark.threat("supply-chain")
def test_the_layer_holds_what_its_lock_says_for_the_architecture_that_was_built_for() -> None:
    """`make build ARCH=arm64` on another machine must not ship its own."""
    assert installed(BUILD / "DependenciesLayer" / "python") == locked(DEPLOYED)
    machines = {library.read_bytes()[18:20] for library in BUILD.rglob("*.so")}
    assert machines == {MACHINES[find_architecture()].to_bytes(2, "little")}


@pytest.mark.threat("supply-chain")
def test_the_bill_of_materials_and_the_artifact_name_the_same_packages() -> None:
    layer, bill = BUILD / "DependenciesLayer" / "python", BUILD.parent / f"certificates-{find_architecture()}.cdx.json"
    components = json.loads(bill.read_text())["components"]
    assert {(component["name"], component["version"]) for component in components} == installed(layer)
    locked_hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", DEPLOYED.read_text())
    hashes = [one["content"] for component in components for one in component["externalReferences"][0]["hashes"]]
    assert sorted(hashes) == sorted(locked_hashes)


def digest(path: Path) -> str:
    return f"sha256={urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip('=')}"


@pytest.mark.threat("supply-chain")
def test_each_file_is_that_of_this_repository_or_of_a_locked_wheel() -> None:
    """A wheel's RECORD has the digest of each of its files but itself. `make build` trims some, and adds bytecode."""
    layer = BUILD / "DependenciesLayer" / "python"
    records = [str(one.read_text("RECORD")) for one in importlib.metadata.distributions(path=[str(layer)])]
    origins = {name: digest_ for record in records for name, digest_, _ in csv.reader(record.splitlines())}
    own = [(ROOT / "layers" / "certificates", BUILD / "CertificatesLayer" / "python")]
    own += [(ROOT, BUILD / name) for name in (DOWNLOAD, ARCHIVE, REFRESH)]
    changed = set()
    for source, folder in [*own, (None, layer)]:
        for path in [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]:
            name = path.relative_to(folder)
            origin = digest(source / name) if source else origins.get(str(name))
            if origin != digest(path) and name.name != "RECORD":
                changed.add(str(name))
    models = {str(path.relative_to(layer)) for path in layer.glob("botocore/data/*/*/service-2.json")}
    assert changed == models | {"botocore/data/endpoints.json", "requirements.txt"}


SAM = f"""#!/bin/sh
# Copies what `sam build` made of this commit, as it was before `make build` trimmed and compiled it.
mkdir -p .aws-sam && cp -R '{BUILD}' .aws-sam && find .aws-sam -name __pycache__ -prune -exec rm -r {{}} +
gzip -n .aws-sam/build/DependenciesLayer/python/botocore/data/*/*/service-2.json
"""


@pytest.mark.threat("supply-chain")
def test_two_builds_of_one_commit_in_two_folders_are_the_same_bytes(tmp_path: Path) -> None:
    """Neither the folder nor times nor hash seeds are in bytecode or in the package. `sam build` only copies."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    for name in listed.stdout.split("\0"):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    sam, name = tmp_path / ".venv" / "bin" / "sam", f".aws-sam/certificates-{find_architecture()}.zip"
    sam.parent.mkdir(parents=True)
    sam.write_text(SAM)
    sam.chmod(0o755)
    make = ["make", name, f"ARCH={find_architecture()}", "--old-file", ".venv/ready", f"PYTHON={sys.executable}"]
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


def test_every_module_has_its_bytecode_and_the_template_is_plain_yaml() -> None:
    """Lambda's file system is read-only: modules without bytecode are compiled at every cold start."""
    sources = list(BUILD.rglob("*.py"))
    assert sources
    compiled = [path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in sources]
    assert [path for path in compiled if not path.exists()] == []
    assert not re.search(r"[&*]id", (BUILD / "template.yaml").read_text())  # CloudFormation supports no YAML aliases


def test_what_is_kept_of_each_service_is_what_is_asked_of_it(running: LocalService, calls: set[Call]) -> None:
    """Trimming must keep what is used and remove the rest."""
    asked = {(call.service, call.operation) for call in calls if call.who in {*running.functions, REFRESH}}
    assert asked - {("sqs", "ReceiveMessage"), ("sqs", "DeleteMessage")} == {  # the event source mapping's
        (service, operation) for service, operations in OPERATIONS.items() for operation in operations
    }
    for service, operations in OPERATIONS.items():
        (model,) = (BUILD / "DependenciesLayer" / "python" / "botocore" / "data" / service).glob("*/service-2.json")
        kept = json.loads(model.read_text())["operations"].keys()
        assert kept == operations | CALLED_BY_BOTOCORE.get(service, set())


COLD_START = {
    *("annotated_types", "aws_lambda_powertools", "boto3", "botocore", "certificates", "dateutil", "functions"),
    *("jmespath", "pydantic", "pydantic_core", "s3transfer", "six", "snapshot_restore_py", "typing_extensions"),
    *("typing_inspection", "urllib3"),
}
"""The packages that a cold start may import in addition to the standard library. The X-Ray SDK alone would take as long
as all of them."""


@pytest.mark.parametrize("function", [DOWNLOAD, ARCHIVE, REFRESH])
@pytest.mark.threat("supply-chain")
def test_a_cold_start_imports_what_is_written_down_and_no_more(
    refreshing: Refreshing, function: str, tmp_path: Path
) -> None:
    package = find_built(function)
    code = f"import {package.handler.rpartition('.')[0]}, sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    (tmp_path / "snapshot_restore_py.py").symlink_to(snapshot_restore_py.__file__)  # comes with Lambda's runtime
    path = os.pathsep.join(str(folder) for folder in [*package.folders, tmp_path])
    environment = refreshing.stack.environment(function) | CREDENTIALS | {"PYTHONPATH": path}
    started = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    imported = {name for name in started.stdout.split() if not name.startswith(("__", "_sysconfigdata"))}
    assert imported - sys.stdlib_module_names - COLD_START == set()
