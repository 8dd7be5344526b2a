"""The download function in this process. AWS is moto, set up from the template; the provider is a scripted server."""

import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import moto
import pytest
from botocore.retries.standard import ExponentialBackoff
from cryptography.hazmat.primitives.asymmetric import rsa

from certificates import budgets
from certificates.archive import Archive
from certificates.aws import connect_kms, connect_secrets_manager
from certificates.provider import Provider, Secret
from certificates.records import Records
from certificates.telemetry import logger
from develop.fakes.memory import Bucket, Tables, Vault
from develop.fakes.server import Response, ScriptedServer, reply
from develop.local import seeds
from develop.local.runtime import Context
from develop.template import Stack
from functions.download_certificate import handler as download
from functions.download_certificate.download import Services
from functions.download_certificate.failures import Failures
from functions.download_certificate.settings import DownloadSettings
from functions.refresh_credential import credentials
from functions.refresh_credential import handler as refresh
from functions.refresh_credential.settings import RefreshSettings
from tests.support.deployed import DYNAMODB, S3, deployed
from tests.support.log import Line, Metrics, parse_log
from tests.support.pdf import pdf
from tests.support.refresh import KMS, SECRETS, STATIC, Refresh, issue
from tests.support.responses import ID
from tests.support.stack import OAUTH, PARAMETERS

PROJECT = seeds.PROJECT
KEY = seeds.KEY
OTHER = "22222222-2222-4222-8222-222222222222"


class StandardOutput(io.TextIOBase):
    """The current standard output. The logger's handler holds the one from import time, which pytest has closed."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)


@dataclass
class Service:
    """Calls the handler and gives access to its resources."""

    stack: Stack
    provider: ScriptedServer
    services: Services
    capture: pytest.CaptureFixture[str] = field(repr=False)

    def __call__(self, event: Any) -> dict[str, Any]:
        return download.handler(event, Context(28))  # type: ignore[arg-type]

    def seed(self, *, project: str = PROJECT, signature_id: str = ID, **attributes: Any) -> None:
        """A signature request whose certificate is available. None removes an attribute."""
        item = seeds.signature(signature_id, "completed", "req_1", is_available=True)
        item |= {"projectId": {"S": project}} | attributes
        present = {name: value for name, value in item.items() if value is not None}
        DYNAMODB.put_item(TableName=self.stack.physical_id("SignaturesTable"), Item=present)

    @property
    def bucket(self) -> str:
        return self.stack.physical_id("CertificatesBucket")

    def archive(self, content: bytes, *, project: str = PROJECT, signature_id: str = ID) -> str:
        """Puts the certificate into the bucket and returns its ETag."""
        response = S3.put_object(
            Bucket=self.bucket, Key=f"{project}/{signature_id}.pdf", Body=content, ChecksumAlgorithm="SHA256"
        )
        return response["ETag"]

    def archived(self, *, project: str = PROJECT, signature_id: str = ID) -> bytes | None:
        key = f"{project}/{signature_id}.pdf"
        is_archived = S3.list_objects_v2(Bucket=self.bucket, Prefix=key)["KeyCount"]
        return S3.get_object(Bucket=self.bucket, Key=key)["Body"].read() if is_archived else None

    def output(self) -> str:
        """Standard output and error since the last call."""
        captured = self.capture.readouterr()
        return captured.out + captured.err

    def written(self) -> tuple[list[Line], Metrics]:
        """The log lines, and the metrics by name, since the last call."""
        return parse_log(self.output().splitlines())


@pytest.fixture(scope="session", name="provider")
def scripted_provider() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="session")
def settings(provider: ScriptedServer) -> DownloadSettings:
    url = f"{provider.url}/v1/requests/{{providerRequestId}}/certificate"
    return DownloadSettings.model_validate(os.environ | {"PROVIDER_CERTIFICATE_URL": url})


@pytest.fixture(scope="session")
def services(settings: DownloadSettings) -> Services:
    """The services of a cold start, whose clients are created once for all tests because boto3 is slow."""
    return download.connect(settings)


@pytest.fixture
def service(
    stack: Stack,
    provider: ScriptedServer,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Service]:
    """The function after a deployment: AWS holds the template's resources and the API keys only."""
    provider.responses = [reply(body=pdf())]
    provider.requests.clear()
    monkeypatch.setattr(download, "SERVICES", replace(services, failures=Failures()))
    monkeypatch.setattr(logger.registered_handler, "stream", StandardOutput())
    with deployed(stack, with_api_keys=True):
        yield Service(stack, provider, services, capfd)


ScriptAws = Callable[..., ScriptedServer]


@cache
def connect_scripted(name: str) -> tuple[ScriptedServer, Services]:
    """A server in place of an AWS service, and the services that are connected to it, once for all tests."""
    server = ScriptedServer()
    server.__enter__()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(f"AWS_ENDPOINT_URL_{name}", server.url)
        return server, download.connect(DownloadSettings.from_environment())


@pytest.fixture(name="script")
def script_aws(service: Service, settings: DownloadSettings, monkeypatch: pytest.MonkeyPatch) -> ScriptAws:
    """Replaces an AWS service with a scripted server."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    for pause in ("CONFLICT_PAUSE", "PROVIDER_PAUSE", "UNPROCESSED_PAUSE"):
        monkeypatch.setattr(budgets, pause, 0)

    def run(name: str, *responses: Response) -> ScriptedServer:
        server, scripted = connect_scripted(name)
        server.responses = list(responses)
        server.requests.clear()
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", server.url)
        match name:
            case "S3":
                changes: dict[str, Any] = {"archive": scripted.archive}
            case "DYNAMODB":
                changes = {"records": scripted.records}
            case _:
                secret = Secret(connect_secrets_manager, settings.provider_secret_name)
                changes = {"provider": Provider(settings, secret)}
        monkeypatch.setattr(download, "SERVICES", replace(service.services, failures=Failures(), **changes))
        return server

    return run


@dataclass
class World:
    """The function on in-memory fakes, fast enough for thousands of calls."""

    tables: Tables
    bucket: Bucket
    provider: ScriptedServer

    def __call__(self, event: Any) -> dict[str, Any]:
        return download.handler(event, Context(28))  # type: ignore[arg-type]


@pytest.fixture
def world(stack: Stack, provider: ScriptedServer, settings: DownloadSettings, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two signature requests of the key's project, ID and OTHER, whose certificates are archived."""
    found = World(Tables(stack), Bucket(), provider)
    tables = (stack.physical_id("SignaturesTable"), stack.physical_id("ApiKeysTable"))
    services = Services(
        Records(found.tables, *tables),  # type: ignore[arg-type]
        Archive(found.bucket, "bucket"),  # type: ignore[arg-type]
        Provider(settings, Secret(Vault, "secret")),  # type: ignore[arg-type]
        Failures(),
    )
    monkeypatch.setattr(download, "SERVICES", services)
    monkeypatch.setattr(logger.registered_handler, "stream", StandardOutput())
    for signature_id in (ID, OTHER):
        found.tables.put_signature(signature_id)
        found.bucket.objects[f"{PROJECT}/{signature_id}.pdf"] = pdf()
    return found


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "PROVIDER_PAUSE", 0)


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 60
    while left := [t for t in threading.enumerate() if t not in before and "ThreadPoolExecutor" in t.name]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


connect_kms_once, connect_secrets_manager_once = cache(connect_kms), cache(connect_secrets_manager)
generate_once = cache(rsa.generate_private_key)


@pytest.fixture
def reused_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """New clients, and a key that moto's KMS generates for each test, would take most of the refresh tests' time."""
    monkeypatch.setattr(rsa, "generate_private_key", generate_once)
    monkeypatch.setattr(refresh, "connect_kms", connect_kms_once)
    monkeypatch.setattr(refresh, "connect_secrets_manager", connect_secrets_manager_once)


@pytest.fixture(name="run")
def refreshing(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    reused_clients: None,  # noqa: ARG001
) -> Iterator[Refresh]:
    """The function after a deployment, with the credentials of STATIC and the access token `access-0`."""
    monkeypatch.setattr(logger.registered_handler, "stream", StandardOutput())
    monkeypatch.setattr(logger, "service", "refresh_credential")
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with moto.mock_aws(config={"core": {"reset_boto3_session": False}}), ScriptedServer(issue()) as endpoint:
        key = KMS.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
        values = {"PROVIDER_TOKEN_URL": f"{endpoint.url}/oauth/token", "PROVIDER_SIGNING_KEY_ARN": key}
        settings = RefreshSettings.model_validate(os.environ | values)
        monkeypatch.setattr(refresh, "SETTINGS", settings)
        monkeypatch.setattr(refresh, "SERVICES", refresh.connect(settings))
        SECRETS.create_secret(Name=OAUTH["ProviderOAuthSecretName"], SecretString=json.dumps(STATIC))
        SECRETS.create_secret(Name=PARAMETERS["ProviderSecretName"], SecretString="access-0")
        run = Refresh(endpoint, capfd)
        monkeypatch.setattr(credentials, "time", SimpleNamespace(sleep=run.pass_time))
        yield run
