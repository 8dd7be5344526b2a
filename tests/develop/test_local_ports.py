"""The ports of the local service refuse web pages in a browser on the same machine."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import moto
import pytest
import urllib3
from moto.backends import get_backend

from develop.environment import REGION
from develop.local import seeds
from develop.local.gateway import Invoke
from develop.local.reference import with_reference
from develop.local.stack import DOWNLOAD, LocalService, local_service
from develop.template import ACCOUNT, Stack

BUCKET = "craftkit-local-certificatesbucket"
REFUSED = {"error": {"code": "forbidden", "message": "Foreign Origin or Host: use localhost or 127.0.0.1."}}


@dataclass(frozen=True)
class Request:
    """`status` is the one that a program gets."""

    port: str
    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def signed(service: str) -> dict[str, str]:
    """The header by which moto chooses a service. moto verifies no signature, so a page could send it."""
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential=a/20260601/eu-central-1/{service}/aws4_request, b, c"}


REQUESTS = {
    "a download": Request(
        "gateway",
        "GET",
        f"/v1/signatures/{seeds.signature_id('download_archived')}/certificate",
        200,
        {"Authorization": f"Bearer {seeds.KEY}"},
    ),
    "the reference": Request("gateway", "GET", "/", 200),
    "an unknown route": Request("gateway", "POST", "/elsewhere", 404),
    "a certificate of the provider": Request(
        "provider",
        "GET",
        "/v1/requests/req_first/certificate",
        200,
        {"Authorization": f"Bearer {seeds.PROVIDER_SECRET}"},
    ),
    "a completed request": Request("provider", "POST", "/complete", 200),
    "the end of the provider": Request("provider", "POST", "/stop", 200),
    "the secret": Request(
        "aws",
        "POST",
        "/",
        200,
        signed("secretsmanager")
        | {"X-Amz-Target": "secretsmanager.GetSecretValue", "Content-Type": "application/x-amz-json-1.1"},
        b'{"SecretId": "craftkit/provider-secret"}',
    ),
    "the description of the stack": Request("aws", "POST", "/", 200, signed("cloudformation")),
    "an invocation": Request(
        "aws", "POST", f"/2015-03-31/functions/craftkit-local-{DOWNLOAD}/invocations", 200, signed("lambda"), b"{}"
    ),
    "the list of buckets": Request("aws", "GET", "/", 200),
    "another object": Request(
        "aws", "PUT", f"/{BUCKET}/another", 200, signed("s3") | {"Content-MD5": "A9WeZjwa+awzqZSdEZNQWg=="}, b"some"
    ),
}


@dataclass
class Ports:
    """The local service, and the events that its download function received."""

    running: LocalService
    events: list[dict[str, Any]]
    s3: Any
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def address(self, port: str) -> str:
        urls = {"gateway": self.running.url, "aws": self.running.aws_url}
        provider = f"http://127.0.0.1:{self.running.provider.server_port}"
        return urls.get(port, provider).removeprefix("http://")

    def send(self, request: Request, **headers: str) -> urllib3.BaseHTTPResponse:
        url = f"http://{self.address(request.port)}{request.path}"
        return self.http.request(request.method, url, headers={**request.headers, **headers}, body=request.body)

    def state(self) -> Any:
        provider = self.running.provider
        objects = self.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
        return (
            list(self.events),
            list(provider.asked),
            provider.is_stopped,
            list(provider.documents),
            [(entry["Key"], entry["LastModified"]) for entry in objects],
        )


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    events: list[dict[str, Any]] = []

    @contextmanager
    def start(_stack: Stack, function: str, _environment: Mapping[str, str]) -> Iterator[Invoke]:
        def invoke(event: bytes) -> bytes:
            if function == DOWNLOAD:
                events.append(json.loads(event))
            return json.dumps({"statusCode": 200, "batchItemFailures": []}).encode()

        yield invoke

    # moto has one AWS per process: mock_aws empties it before and after.
    with moto.mock_aws(), local_service(start, before=with_reference) as running:
        yield Ports(running, events, running.client("s3"))


def cors(answer: urllib3.BaseHTTPResponse) -> list[str]:
    return [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_program_is_answered_without_cors_headers(ports: Ports, name: str) -> None:
    answer = ports.send(REQUESTS[name])
    ports.send(Request("provider", "POST", "/start", 200))
    assert (answer.status, cors(answer)) == (REQUESTS[name].status, [])


@pytest.mark.parametrize("name", REQUESTS)
def test_the_ports_own_page_is_answered(ports: Ports, name: str) -> None:
    request = REQUESTS[name]
    answer = ports.send(request, Origin=f"http://{ports.address(request.port)}")
    ports.send(Request("provider", "POST", "/start", 200))
    assert (answer.status, cors(answer)) == (request.status, [])


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://127.0.0.1:3399"},
        {"Origin": "null"},
        {"Host": "rebound.example"},
        {"Host": "127.0.0.1.rebound.example:3000", "Origin": "http://127.0.0.1.rebound.example:3000"},
        {"Host": "192.0.2.7"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_foreign_page_is_refused_on_every_port_and_changes_nothing(
    ports: Ports, name: str, headers: dict[str, str]
) -> None:
    before = ports.state()
    answer = ports.send(REQUESTS[name], **headers)
    assert (answer.status, answer.headers["Content-Type"], cors(answer)) == (403, "application/json", [])
    assert json.loads(answer.data) == REFUSED
    assert ports.state() == before


@pytest.mark.parametrize("port", ["gateway", "aws", "provider"])
def test_a_preflight_request_is_refused_on_every_port(ports: Ports, port: str) -> None:
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "PUT"}
    answer = ports.send(Request(port, "OPTIONS", "/", 403), **headers)
    assert (answer.status, cors(answer)) == (403, [])
    assert ports.send(Request(port, "HEAD", "/", 403), **headers).data == b""


NO_SERVICE = (403, b"The local service has no such AWS service.\n")


@pytest.mark.parametrize("service", ["batch", "ecs", "events", "iam", "lambda", "sns", "states", "sts"])
def test_the_stand_in_for_aws_has_no_service_that_starts_containers_or_calls_urls(ports: Ports, service: str) -> None:
    for request in (
        Request("aws", "POST", "/2015-03-31/functions", 403, signed(service)),
        Request("aws", "POST", f"/{service}_eu-central-1/", 403),
    ):
        answer = ports.send(request)
        assert (answer.status, answer.data) == NO_SERVICE


def test_cloudformation_of_the_stand_in_only_describes_the_local_stack(ports: Ports) -> None:
    body = urlencode({"Action": "CreateStack", "StackName": "another", "TemplateBody": '{"Resources": {}}'}).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = ports.send(Request("aws", "POST", "/", 200, signed("cloudformation") | form, body))
    assert answer.data.startswith(b"<DescribeStacksResponse>")
    assert get_backend("cloudformation")[ACCOUNT][REGION].stacks == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/moto-api/reset"),
        ("GET", "/moto-api/data.json"),
        ("POST", "/moto-api/config"),
        ("POST", "/moto-api/static/athena/query-results"),
        ("GET", "/moto-api/"),
        ("GET", "/latest/meta-data/iam/security-credentials/"),
    ],
)
def test_the_stand_in_for_aws_cannot_be_reset_or_told_what_to_answer(ports: Ports, method: str, path: str) -> None:
    before = ports.state()
    answer = ports.send(Request("aws", method, path, 403, body=b"{}"))
    assert (answer.status, answer.data) == NO_SERVICE
    assert ports.state() == before
