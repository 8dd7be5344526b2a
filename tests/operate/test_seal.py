"""`certificates archive seal`, on resources made from the template, with `openssl ts` as the authority."""

import hashlib
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from develop.local.provider import TIME_STAMP_PATH, ProviderStub
from develop.local.stack import serving
from develop.local.time_stamps import NAME, TimeStampAuthority
from develop.template import ROOT
from tests.support.deployed import S3
from tests.support.operator import Operator, before, deploy, json_lines, run, signature_id, summary
from tests.support.pdf import pdf
from tests.support.time_stamp_authority import TimeStampServer, respond_by_openssl

SCRIPT = (ROOT / "docs/seals.md").read_bytes().partition(b"```python\n")[2].partition(b"```")[0]
"""Finds the root of a list, without this project's code."""


def key(number: int) -> str:
    return f"prj_1/{signature_id(number)}.pdf"


class Sealing:
    def __init__(self, operate: Operator) -> None:
        self.operate = operate
        self.bucket = operate.name("CertificatesBucket")
        self.authority = TimeStampAuthority()
        Path("root.pem").write_bytes(self.authority.root)
        self.server = TimeStampServer(self.authority.respond)

    def __call__(self, *options: str, url: str | None = None) -> Result:
        return self.operate("archive", "seal", "--tsa", url or self.server.url, "--tsa-ca", "root.pem", *options)

    def read(self, name: str) -> Any:
        return S3.get_object(Bucket=self.bucket, Key=f".seals/{name}")

    def names(self) -> list[str]:
        listed = S3.list_object_versions(Bucket=self.bucket, Prefix=".seals/")
        return [one["Key"].removeprefix(".seals/") for one in listed.get("Versions", [])]


@pytest.fixture(name="seal")
def make_seal(operate: Operator) -> Iterator[Sealing]:
    sealing = Sealing(operate)
    with sealing.server:
        yield sealing


def test_a_seal_lists_the_certificates_and_openssl_verifies_its_time_stamp(
    seal: Sealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal.operate.archive(1)
    seal.operate.archive(2, b"no SHA-256", ChecksumAlgorithm="CRC32")
    reads: list[int] = []
    before(monkeypatch, "s3.GetObject", reads.append)
    seal.server.make_body = partial(respond_by_openssl, seal.authority)
    result = seal("--json")
    assert reads == [1]
    (facts,) = json_lines(result.stdout)
    content, token = (seal.read(f"00000001.{end}")["Body"].read() for end in ("jsonl", "tst"))
    versions = [S3.head_object(Bucket=seal.bucket, Key=key(number))["VersionId"] for number in (1, 2)]
    bodies = (pdf(), b"no SHA-256")
    assert [json.loads(line) for line in content.splitlines()] == [
        {"seal": 1, "previous": None},
        *(
            {"key": key(number), "version": version, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
            for number, version, body in zip((1, 2), versions, bodies, strict=True)
        ),
        {"token": b64encode(token).decode()},
    ]
    assert abs(datetime.fromisoformat(facts.pop("time")) - datetime.now(UTC)) < timedelta(minutes=5)
    assert facts == {
        "certificates": 2,
        "problems": 0,
        "seal": ".seals/00000001.jsonl",
        "authority": NAME,
        "token": hashlib.sha256(token).hexdigest(),
        "ends": seal.authority.certificate.not_valid_after_utc.isoformat(),
    }
    assert (result.exit_code, result.stderr) == (0, "")
    assert {seal.read(name).get("ObjectLockMode") for name in seal.names()} == {"GOVERNANCE"}

    Path("list").write_bytes(content)
    Path("token").write_bytes(token)
    root = subprocess.run([sys.executable, "-I", "-", "list"], input=SCRIPT, capture_output=True, check=True).stdout
    verify = "openssl ts -verify -token_in -in token -CAfile root.pem -digest"
    assert subprocess.run([*verify.split(), root.decode().strip()], capture_output=True, check=False).returncode == 0

    again = seal()
    assert (again.exit_code, again.stderr, seal.names()) == (0, "", ["00000001.jsonl", "00000001.tst"])
    assert again.stdout.startswith("certificates=0  problems=0  seal=.seals/00000001.jsonl  time=")
    assert len(seal.server.requests) == 1


def test_without_a_valid_time_stamp_nothing_is_stored_and_the_next_run_seals(seal: Sealing) -> None:
    seal.operate.archive(1)
    seal.server.make_body = lambda query: seal.authority.respond(query, datetime.now(UTC) + timedelta(minutes=16))
    result = seal()
    message = "Error: There is no valid time stamp: its time and this machine's are more than 15 minutes apart."
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{message} Nothing was sealed.\n")
    assert seal.names() == []
    seal.server.make_body = seal.authority.respond
    assert (seal().exit_code, seal.names()) == (0, ["00000001.jsonl", "00000001.tst"])


def test_a_run_before_which_others_seal_each_time_says_so(seal: Sealing, monkeypatch: pytest.MonkeyPatch) -> None:
    seal.operate.archive(1)

    def intrude(number: int) -> None:
        name = f".seals/{number:08}.jsonl"
        if number < 6:
            S3.put_object(Bucket=seal.bucket, Key=name, Body=b"")

    before(monkeypatch, "s3.PutObject", intrude)
    result = seal()
    assert result.exit_code == 2
    assert result.stderr == "Error: Other runs are sealing at the same time. Run it again.\n"


def test_an_authority_must_be_named(seal: Sealing) -> None:
    Path("root.pem").write_text("nothing")
    for result, words in (
        (seal.operate("archive", "seal"), "Give the URL of a time-stamping authority: --tsa URL."),
        (seal(url="ftp://a.b"), "Invalid value for '--tsa': must be an http or https URL with the name of a host"),
        (seal(), "Invalid value for --tsa-ca: It has no certificates in PEM."),
    ):
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"Error: {words}")


def test_the_local_service_has_an_authority(seal: Sealing) -> None:
    provider, authority = ProviderStub("127.0.0.1", 0, "", {}), TimeStampAuthority()
    provider.stamp = authority.respond
    outputs = {
        "TimeStampUrl": f"http://localhost:{provider.server_address[1]}{TIME_STAMP_PATH}",
        "TimeStampRoot": authority.root.decode(),
    }
    deploy("local", seal.operate.stack.outputs | outputs)
    seal.operate.archive(1)
    with serving(provider):
        result = run("archive", "seal", "--stack", "local")
    assert (result.exit_code, result.stderr, seal.names()) == (0, "", ["00000001.jsonl", "00000001.tst"])


def test_status_says_when_certificates_wait_too_long_for_their_seal(
    seal: Sealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status(hours: int) -> tuple[int, str, str]:
        result = seal.operate("archive", "status", "--max-seal-age", str(hours), "--tsa-ca", "root.pem")
        numbers = summary(result.stdout)
        return result.exit_code, numbers["unsealed"], numbers["oldest unsealed hours"]

    assert status(0) == (0, "0", "0")
    yesterday = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=25, minutes=30)
    with monkeypatch.context() as patch:
        patch.setattr("moto.s3.models.utcnow", lambda: yesterday)
        seal.operate.archive(1)
    seal.operate.archive(2)
    assert [status(25), status(26)] == [(1, "2", "26"), (0, "2", "26")]
    seal()
    assert status(0) == (0, "0", "0")
    trusted = Path("root.pem").read_bytes()
    Path("root.pem").write_bytes(TimeStampAuthority().root)
    assert status(25)[:2] == (1, "2")
    authority = TimeStampAuthority()
    seal.server.make_body = authority.respond
    Path("root.pem").write_bytes(authority.root)
    assert seal().stdout.splitlines()[-1].startswith("certificates=0  problems=1  ")
    assert seal("--renew").stdout.splitlines()[-1].startswith("certificates=2  problems=1  ")
    assert status(0)[1] == "0"
    Path("root.pem").write_bytes(authority.root + trusted)
    assert seal().exit_code == 0


def test_a_time_stamp_that_ends_soon_is_a_problem_until_it_is_renewed(seal: Sealing) -> None:
    roots = b""
    for number, (options, authority) in enumerate(
        (
            ((), TimeStampAuthority(root_days=29)),
            ((), TimeStampAuthority()),
            (("--renew",), TimeStampAuthority(days=31)),
        )
    ):
        seal.operate.archive(number)
        roots += authority.root
        Path("root.pem").write_bytes(roots)
        seal.server.make_body = authority.respond
        result = seal("--json", *options)
        *problems, facts = json_lines(result.stdout)
        assert problems == ([] if options else [{"problem": "ends_soon", "key": ".seals/"}])
        assert result.exit_code == len(problems)
    for last in (facts, json_lines(seal("--json").stdout)[-1]):
        assert (datetime.fromisoformat(last["ends"]) - datetime.now(UTC)).days == 30
