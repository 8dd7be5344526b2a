"""The ports of the local service serve programs and their own pages, but no other web page in a browser."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import moto
import pytest
import urllib3

from develop.local import seeds
from develop.local.gateway import Invoke
from develop.local.reference import with_reference
from develop.local.stack import DOWNLOAD, LocalService, local_service
from develop.template import Stack

BUCKET = "craftkit-local-certificatesbucket"


def signed(service: str) -> dict[str, str]:
    """The header by which moto chooses a service. moto verifies no signature, so a page could send it."""
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=a/20260601/eu-central-1/{service}/aws4_request, b, c"}


KEY, SECRET = ({"Authorization": f"Bearer {value}"} for value in (seeds.KEY, seeds.PROVIDER_SECRET))
INVOCATION = f"/2015-03-31/functions/craftkit-local-{DOWNLOAD}/invocations"
REQUESTS: dict[str, tuple[str, str, dict[str, str]]] = {
    f"gateway /v1/signatures/{seeds.signature_id('download_archived')}/certificate": ("GET", "", KEY),
    "gateway /": ("GET", "", {}),
    "provider /v1/requests/req_first/certificate": ("GET", "", SECRET),
    "provider /complete": ("POST", "", {}),
    "provider /stop": ("POST", "", {}),
    "aws /": ("POST", "", signed("cloudformation")),
    f"aws {INVOCATION}": ("POST", "{}", signed("lambda")),
    f"aws /{BUCKET}/another": ("PUT", "some", signed("s3") | {"Content-MD5": "A9WeZjwa+awzqZSdEZNQWg=="}),
}
"""Port and path, with method, body and headers. Each gets 200."""


@dataclass(frozen=True)
class Ports:
    """The local service, and the calls of its function for downloads."""

    running: LocalService
    calls: list[str]
    s3: Any

    def address(self, port: str) -> str:
        urls = {"gateway": self.running.url, "aws": self.running.aws_url}
        return urls.get(port, f"http://127.0.0.1:{self.running.provider.server_port}").removeprefix("http://")

    def send(self, name: str, **headers: str) -> Any:
        port, path = name.split()
        method, body, given = REQUESTS[name]
        return self.ask(method, port, path, given | headers, body)

    def ask(self, method: str, port: str, path: str, headers: dict[str, str], body: str = "") -> Any:
        url = f"http://{self.address(port)}{path}"
        response = urllib3.request(method, url, headers=headers, body=body, retries=False)
        assert [name for name in response.headers if name.lower().startswith("access-control-")] == []
        return response

    def state(self) -> Any:
        provider, listed = self.running.provider, self.s3.list_objects_v2(Bucket=BUCKET)
        objects = [(entry["Key"], entry["LastModified"]) for entry in listed["Contents"]]
        return [*self.calls], [*provider.asked], provider.is_stopped, [*provider.documents], objects


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    calls: list[str] = []

    @contextmanager
    def start(_stack: Stack, function: str, _environment: Mapping[str, str]) -> Iterator[Invoke]:
        def invoke(_: bytes) -> bytes:
            if function == DOWNLOAD:
                calls.append(function)
            return json.dumps({"statusCode": 200, "batchItemFailures": []}).encode()

        yield invoke

    # moto has one AWS per process: mock_aws empties it before and after.
    with moto.mock_aws(), local_service(start, before=with_reference) as running:
        yield Ports(running, calls, running.client("s3"))


def test_programs_and_the_ports_own_page_are_served(ports: Ports) -> None:
    for name in REQUESTS:
        for headers in ({}, {"Origin": f"http://{ports.address(name.split(maxsplit=1)[0])}"}):
            assert (name, ports.send(name, **headers).status) == (name, 200)
            ports.running.provider.is_stopped = False
    for host in ("LocalHost", "bucket.localhost:1", "[::1]:1", "172.17.0.1", "host.docker.internal:1"):
        assert (host, ports.send("gateway /", Host=host, Origin=f"http://{host}").status) == (host, 200)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:3399"},
        {"Origin": "null"},
        {"Host": "rebound.example"},
        {"Host": "127.0.0.1.rebound.example:3000", "Origin": "http://127.0.0.1.rebound.example:3000"},
        {"Host": "notlocalhost"},
        {"Host": ""},
    ],
    ids=str,
)
def test_a_foreign_page_is_refused_on_every_port_and_changes_nothing(ports: Ports, headers: dict[str, str]) -> None:
    before = ports.state()
    assert {ports.send(name, **headers).status for name in REQUESTS} == {403}
    assert {ports.ask("OPTIONS", port, "/", headers).status for port in ("gateway", "aws", "provider")} == {403}
    assert ports.state() == before


def test_the_stand_in_for_aws_starts_no_container_calls_no_url_and_cannot_be_reset(ports: Ports) -> None:
    before = ports.state()
    for service in ("batch", "lambda", "sns"):
        for response in (
            ports.ask("POST", "aws", "/2015-03-31/functions", signed(service)),
            ports.ask("POST", "aws", f"/{service}_eu-central-1/", {}),
        ):
            assert (response.status, response.data) == (403, b"The local service has no such AWS service.\n")
    for path in ("/moto-api/reset", "/moto-api/config", "/latest/meta-data/iam/security-credentials/"):
        assert ports.ask("POST", "aws", path, {}, "{}").status == 403
    body = urlencode({"Action": "CreateStack", "StackName": "another", "TemplateBody": '{"Resources": {}}'})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    response = ports.ask("POST", "aws", "/", signed("cloudformation") | form, body)
    assert response.data.startswith(b"<DescribeStacksResponse>")
    assert ports.state() == before
