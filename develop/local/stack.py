"""Starts the whole service on one machine: provider, AWS, functions and gateway, in this order."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from socketserver import BaseServer
from typing import Any

import boto3

from develop.environment import CREDENTIALS, REGION
from develop.local import seeds
from develop.local.archiving import Archiving, repeating
from develop.local.aws import serve_aws
from develop.local.gateway import Gateway, Invoke, Response, serve
from develop.local.provider import CLIENT_ID, PATH, TIME_STAMP_PATH, TOKEN_PATH, ProviderStub
from develop.local.resources import create_queues, create_resources
from develop.local.time_stamps import TimeStampAuthority
from develop.template import Stack

DOWNLOAD = "DownloadCertificateFunction"
ARCHIVE = "ArchiveCertificateFunction"
REFRESH = "RefreshCredentialFunction"

StartFunction = Callable[[Stack, str, Mapping[str, str]], AbstractContextManager[Invoke]]
"""Starts a function by its logical id, with these environment variables."""


@dataclass(frozen=True)
class LocalService:
    stack: Stack
    url: str
    aws_url: str
    provider: ProviderStub
    functions: Mapping[str, Invoke]
    api: Response

    def client(self, service: str) -> Any:
        """Makes a boto3 client of this service's AWS."""
        return _client(self.aws_url, service)


@contextmanager
def local_service(
    start_function: StartFunction,
    host: str = "127.0.0.1",
    port: int = 0,
    before: Callable[[Response], Response] = lambda api: api,
    token_seconds: float = 0,
) -> Iterator[LocalService]:
    """Runs the service. The gateway listens on `port`, AWS and the provider on the next two; 0 takes free ones.
    `before` may wrap the API. With `token_seconds`, the provider accepts only access tokens, which live that long."""
    aws_port, provider_port = (port + 1, port + 2) if port else (0, 0)
    with ExitStack() as running:
        provider = ProviderStub(host, provider_port, seeds.PROVIDER_SECRET, seeds.documents(), token_seconds)
        running.enter_context(serving(provider))
        stack = make_stack(provider.server_address[1], has_tokens=token_seconds > 0)
        authority = TimeStampAuthority()
        provider.stamp = authority.respond
        time_stamps = f"http://localhost:{provider.server_address[1]}{TIME_STAMP_PATH}"
        stack.outputs.update(TimeStampUrl=time_stamps, TimeStampRoot=authority.root.decode())
        functions: dict[str, Invoke] = {}
        aws_url = running.enter_context(_aws(stack, host, aws_port, functions))
        for name in stack.of_type("AWS::Lambda::Function"):
            # Each function signs with its own name, which tells a recorder of AWS calls who made them.
            environment = stack.environment(name) | {"AWS_ENDPOINT_URL": aws_url, "AWS_ACCESS_KEY_ID": name}
            functions[name] = running.enter_context(start_function(stack, name, environment))
        if token_seconds:
            event = json.dumps(seeds.event(seeds.REFRESH_EVENT)).encode()
            functions[REFRESH](event)
            running.enter_context(repeating(lambda: functions[REFRESH](event), token_seconds / 3))
        archiving = Archiving(stack, partial(_client, aws_url), functions[ARCHIVE])

        def complete() -> str:
            id_ = str(uuid.uuid4())
            provider.documents[f"req_{id_}"] = lambda: seeds.certificate(f"req_{id_}")
            archiving.complete(id_)
            return id_

        provider.complete = complete
        running.enter_context(archiving.running())
        api = Gateway(stack, functions).respond
        server = serve(before(api), host, port)
        running.enter_context(serving(server))
        yield LocalService(stack, f"http://127.0.0.1:{server.server_address[1]}", aws_url, provider, functions, api)


def make_stack(provider_port: int, *, has_tokens: bool = False) -> Stack:
    url = f"http://localhost:{provider_port}"
    oauth = {"ProviderTokenUrl": url + TOKEN_PATH, "ProviderOAuthSecretName": "craftkit/provider-oauth"}
    parameters = {
        "ProviderCertificateUrl": url + PATH,
        "ProviderAuthHeader": "Authorization: Bearer {secret}",
        "ProviderSecretName": "craftkit/provider-secret",
        "ArchiveFetchesPerMinute": "1200",
    }
    return Stack("craftkit-local", parameters | oauth if has_tokens else parameters)


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _aws(stack: Stack, host: str, port: int, functions: Mapping[str, Invoke]) -> Iterator[str]:
    server = serve_aws(stack, host, port, functions)
    with serving(server):
        url = f"http://127.0.0.1:{server.server_port}"
        client = partial(_client, url)
        create_resources(stack, seeds.PROVIDER_SECRET, client)
        create_queues(stack, client)
        if name := stack.parameters["ProviderOAuthSecretName"]:
            credentials = {
                "grant": "client_credentials",
                "client_id": CLIENT_ID,
                "client_secret": seeds.PROVIDER_SECRET,
            }
            client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(credentials))
        _seed(stack, client)
        yield url


def _client(url: str, service: str, name: str = CREDENTIALS["AWS_ACCESS_KEY_ID"]) -> Any:
    session = boto3.Session(name, CREDENTIALS["AWS_SECRET_ACCESS_KEY"], region_name=REGION)
    return session.client(service, endpoint_url=url)  # type: ignore[call-overload]


def _seed(stack: Stack, client: Callable[..., Any]) -> None:
    dynamodb, s3 = client("dynamodb"), client("s3")
    for table, items in (("ApiKeysTable", seeds.api_keys()), ("SignaturesTable", seeds.signatures())):
        for item in items:
            dynamodb.put_item(TableName=stack.physical_id(table), Item=item)
    bucket = stack.physical_id("CertificatesBucket")
    for key, content in seeds.archived().items():
        s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/pdf", ChecksumAlgorithm="SHA256")
