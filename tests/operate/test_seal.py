"""`certificates archive seal`, on resources made from the template, with `openssl ts` as the authority."""

import hashlib
import json
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from cryptography.x509.oid import ExtendedKeyUsageOID

from develop.fakes.server import ScriptedServer, chunked, hang, raw, reply, reset
from develop.local.time_stamps import TimeStampAuthority
from operate.seals import time_stamp
from tests.support.deployed import S3
from tests.support.operator import Operator, before, json_lines, signature_id
from tests.support.pdf import pdf
from tests.support.time_stamp_authority import OpensslAuthority, TimeStampServer


class Sealing:
    """An archive, and an authority that `openssl ts` answers for."""

    def __init__(self, operate: Operator, folder: Path) -> None:
        self.operate = operate
        self.bucket = operate.name("CertificatesBucket")
        self.authority = OpensslAuthority(folder)
        self.server = TimeStampServer(self.authority.answer_by_openssl)
        self.root = str(folder / "root.pem")

    def __call__(self, *options: str, url: str | None = None) -> tuple[int, list[Any]]:
        result = self.run(*options, "--json", url=url)
        return result.exit_code, json_lines(result.stdout)

    def run(self, *options: str, url: str | None = None) -> Result:
        return self.operate("archive", "seal", "--tsa", url or self.server.url, "--tsa-ca", self.root, *options)

    def read(self, name: str) -> bytes:
        return S3.get_object(Bucket=self.bucket, Key=f".seals/{name}")["Body"].read()

    def names(self) -> list[str]:
        listed = S3.list_object_versions(Bucket=self.bucket, Prefix=".seals/")
        return [one["Key"].removeprefix(".seals/") for one in listed.get("Versions", [])]


@pytest.fixture(name="seal")
def make_seal(operate: Operator, tmp_path: Path) -> Iterator[Sealing]:
    sealing = Sealing(operate, tmp_path)
    with sealing.server:
        yield sealing


def test_a_seal(seal):
    for n in (1, 2, 3):
        seal.operate.archive(n)
    result = seal.run()
    print(result.stdout, result.stderr)
    print(seal(), seal.names())
    print(seal("--renew"), seal.names())
    print(seal.read("00000002.jsonl"))
    assert 0
