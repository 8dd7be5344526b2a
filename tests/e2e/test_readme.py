"""Runs the README's curl lines."""

import re
import subprocess
from pathlib import Path

from tests.e2e.conftest import Client
from tools.local import seeds
from tools.template import ROOT


def test_a_large_certificate_comes_whole_in_the_readmes_two_ranges(client: Client, tmp_path: Path) -> None:
    lines = re.findall(
        r'^curl .*"Authorization: Bearer \$KEY".*$', (ROOT / "docs" / "clients" / "README.md").read_text(), re.MULTILINE
    )
    id_ = seeds.signature_id("download_large")
    url = f"{client.running.url}/v1/signatures/{id_}/certificate"
    variables = {"KEY": seeds.KEY, "URL": url}
    subprocess.run(["/bin/sh", "-euc", "\n".join(lines)], cwd=tmp_path, env=variables, check=True)
    first = client.certificate(id_, Range="bytes=0-4499999")
    second = client.certificate(id_, Range="bytes=4500000-8999999")
    assert (tmp_path / "certificate.pdf").read_bytes() == first.data + second.data
    assert len(lines) == 2
