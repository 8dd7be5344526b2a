"""Fetches certificates from a scripted provider as the functions do."""

import json
from typing import Any

from certificates.errors import ProviderFailed
from certificates.provider import Provider, Secret
from certificates.settings import ProviderSettings
from develop.fakes.server import Response, ScriptedServer, reply
from tests.support.pdf import pdf

PDF = pdf(3000)
HEAD = b"HTTP/1.1 200 OK\r\n"


class Vault:
    """Secrets Manager, with one secret that is rotated each time it is read."""

    def __init__(self, *values: str) -> None:
        self.values = list(values)
        self.reads = 0

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803
        assert SecretId == "craftkit/provider-secret"
        self.reads += 1
        return {"SecretString": self.values[min(self.reads, len(self.values)) - 1]}


def provider_at(  # noqa: PLR0913
    url: str,
    vault: Any = None,
    *,
    target: str = "/v1/requests/{providerRequestId}/certificate",
    header: str = "Authorization: Bearer {secret}",
    link_field: str = "",
    link_hosts: str = "",
    most: int = 1_000_000,
) -> Provider:
    settings = ProviderSettings.model_validate(
        {
            "PROVIDER_CERTIFICATE_URL": url + target,
            "PROVIDER_AUTH_HEADER": header,
            "PROVIDER_SECRET_NAME": "craftkit/provider-secret",
            "PROVIDER_LINK_FIELD": link_field,
            "PROVIDER_LINK_HOSTS": link_hosts,
            "MAX_CERTIFICATE_BYTES": str(most),
        }
    )
    vault = vault or Vault("s3cret")
    return Provider(settings, Secret(lambda: vault, "craftkit/provider-secret"))


def fetch(*responses: Response, seconds: float = 60, **options: Any) -> tuple[bytes | ProviderFailed, ScriptedServer]:
    with ScriptedServer(*responses) as server:
        try:
            return provider_at(server.url, **options).fetch("req_1", seconds).content, server
        except ProviderFailed as failure:
            return failure, server


def refusal(*responses: Response, **options: Any) -> tuple[str, int | None, int]:
    """The reason, the provider's status, and how many requests it took."""
    failure, server = fetch(*responses, **options)
    assert isinstance(failure, ProviderFailed)
    return failure.reason, failure.upstream_status, len(server.requests)


def linked(
    link: str = "{files}/c?sig=a%2Fb",
    *files: Response,
    document: str = '{{"data": {{"url": "{link}"}}}}',
    field: str = "data.url",
    hosts: str = "localhost",
) -> tuple[bytes | ProviderFailed, ScriptedServer, ScriptedServer]:
    """Asks a provider that responds with JSON, which links to a second server."""
    with ScriptedServer(*(files or [reply(body=PDF)])) as store:
        link = link.format(files=f"http://localhost:{store.port}", port=store.port)
        body = document.format(link=json.dumps(link)[1:-1]).encode(errors="surrogateescape")
        content, api = fetch(reply(body=body), seconds=5, link_field=field, link_hosts=hosts)
        return content, api, store


def redirected(
    location: str = "{files}/c?sig=a%2Fb",
    *files: Response,
    status: int = 302,
    link_field: str = "",
    link_hosts: str = "localhost",
) -> tuple[bytes | ProviderFailed, ScriptedServer, ScriptedServer]:
    """Asks a provider that redirects to a second server."""
    with ScriptedServer(*(files or [reply(body=PDF)])) as store:
        location = location.format(files=f"http://localhost:{store.port}", port=store.port)
        response = reply(status, headers={"Location": location})
        content, api = fetch(response, seconds=5, link_field=link_field, link_hosts=link_hosts)
        return content, api, store
