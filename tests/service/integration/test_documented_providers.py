"""Each row of `docs/providers.md`: its parameters work against a stub with the provider's documented responses."""

import gzip
import json
import re
from dataclasses import dataclass, field

import pytest

from certificates.errors import ProviderFailed
from develop.fakes.server import Response, ScriptedServer, chunked, reply
from develop.template import ROOT, translated
from tests.support.pdf import pdf
from tests.support.provider import provider_at

pytestmark = pytest.mark.usefixtures("short_pauses")

PDF = pdf(5000)
LINK = "http://localhost:{port}/files/audit%20log.pdf?X-Signature=a%2Bb"


@dataclass(frozen=True)
class Documented:
    """A provider's documented responses. `target` and `header` are those of the request for `a/1`."""

    target: str
    header: tuple[str, str]
    ready: Response | str = field(default_factory=lambda: reply(body=PDF, headers={"Content-Type": "application/pdf"}))
    """A response, or JSON with a placeholder for the link's port."""
    not_ready: Response = field(default_factory=lambda: reply(404, b'{"error": "not found"}'))
    reason: str = "status"
    throttled: Response = field(default_factory=lambda: reply(429))


PROVIDERS = {
    "Firma": Documented(
        "/functions/v1/signing-request-api/signing-requests/a%2F1",
        ("authorization", "s3cret"),
        json.dumps({"id": "a/1", "status": "finished", "certificate_only_download_url": LINK}),
        reply(200, b'{"status": "in_progress", "certificate_only_download_url": null}'),
        "link_missing",
        reply(429, headers={"Retry-After": "60"}),
    ),
    "BoldSign": Documented(
        "/v1/document/downloadAuditLog?documentId=a%2F1",
        ("x-api-key", "s3cret"),
        chunked([PDF[:2000], PDF[2000:]], {"Content-Type": "application/octet-stream"}),
        reply(400, b'{"errors": {"DocumentId": ["The document is not completed"]}}'),
        throttled=reply(429, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1780659728"}),
    ),
    "Documenso": Documented(
        "/api/v2/envelope/a%2F1/certificate/download",
        ("authorization", "Bearer s3cret"),
        not_ready=reply(500, b'{"code": "DOCUMENT_NOT_COMPLETE"}'),
    ),
    "DocuSeal": Documented(
        "/submissions/a%2F1",
        ("x-auth-token", "s3cret"),
        json.dumps({"id": 1, "status": "completed", "audit_log_url": LINK, "documents": []}),
        reply(200, b'{"id": 1, "status": "pending", "audit_log_url": null}'),
        "link_missing",
    ),
    "Yousign": Documented(
        "/v3/signature_requests/a%2F1/audit_trails/download?merge=true",
        ("authorization", "Bearer s3cret"),
        not_ready=reply(400, b'{"type": "bad_request"}'),
        throttled=reply(429, headers={"Retry-After": "30"}),
    ),
    "Dropbox Sign": Documented(
        "/v3/signature_request/files/a%2F1?file_type=pdf",
        ("authorization", "Basic s3cret"),
        not_ready=reply(409, b'{"error": {"error_name": "conflict"}}'),
    ),
    "SignWell": Documented(
        "/api/v1/documents/a%2F1/completed_pdf?audit_page=true",
        ("x-api-key", "s3cret"),
        reply(body=gzip.compress(PDF), headers={"Content-Encoding": "gzip"}),
        reply(200, b"PK\x03\x04 several files", {"Content-Type": "application/zip"}),
        "not_a_pdf",
    ),
    "PandaDoc": Documented(
        "/public/v1/documents/a%2F1/download-protected",
        ("authorization", "API-Key s3cret"),
        not_ready=reply(202, b"", {"Retry-After": "5"}),
    ),
}


def rows() -> dict[str, list[str]]:
    """The page's table: URL, header, link field and link hosts by provider."""
    page = (ROOT / "docs" / "providers.md").read_text()
    table = page[page.index("| provider | `ProviderCertificateUrl`") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table]
    return {name: rest for name, *rest in cells}


def test_the_page_and_the_stubs_name_the_same_providers() -> None:
    assert list(rows()) == list(PROVIDERS)


def ask(name: str, response: Response | str) -> tuple[bytes | ProviderFailed, ScriptedServer, ScriptedServer]:
    """Fetches `a/1` with only the provider's host replaced by a stub."""
    url, header, link_field, link_hosts = rows()[name]
    with ScriptedServer(reply(body=PDF)) as files:
        if isinstance(response, str):
            response = reply(body=response.replace("{port}", str(files.port)).encode())
        with ScriptedServer(response) as api:
            hosts = "localhost" if link_hosts == "see below" else link_hosts
            target = re.sub(r"^https://[^/]+", "", url)
            provider = provider_at(api.url, target=target, header=header, link_field=link_field, link_hosts=hosts)
            try:
                return provider.fetch("a/1", 10).content, api, files
            except ProviderFailed as failure:
                return failure, api, files


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_ready_certificate_is_fetched_with_parameters_that_a_deployment_accepts(name: str) -> None:
    for parameter, value in zip(("ProviderCertificateUrl", "ProviderAuthHeader"), rows()[name], strict=False):
        assert re.fullmatch(translated()["Parameters"][parameter]["AllowedPattern"], value)
    documented = PROVIDERS[name]
    content, api, files = ask(name, documented.ready)
    assert content == PDF
    (request,) = api.requests
    assert request.target == documented.target
    header, value = documented.header
    assert request.headers[header] == value
    if isinstance(documented.ready, str):
        (followed,) = files.requests
        assert followed.target == "/files/audit%20log.pdf?X-Signature=a%2Bb"
        assert "s3cret" not in str(followed.headers)
    else:
        assert files.connections == 0


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_certificate_that_is_not_ready_and_a_throttled_request_are_failures(name: str) -> None:
    failure, _, files = ask(name, PROVIDERS[name].not_ready)
    assert isinstance(failure, ProviderFailed)
    assert (failure.reason, files.connections) == (PROVIDERS[name].reason, 0)
    failure, api, files = ask(name, PROVIDERS[name].throttled)
    assert isinstance(failure, ProviderFailed)
    assert (failure.upstream_status, failure.transient, files.connections) == (429, True, 0)
    assert len(api.requests) == (1 if failure.retry_after else 2)
