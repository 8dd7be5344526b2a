"""Each provider of `docs/providers.md` whose credentials expire: the page's parameters and credentials archive
certificates of a stand-in that enforces what the provider documents."""

import json
import re
import uuid
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from certificates.provider import Provider, Secret
from develop.local import seeds
from develop.local.runtime import Context
from develop.local.stack import DOWNLOAD, REFRESH
from develop.template import ROOT, Stack, translated
from functions.download_certificate import handler as download
from functions.download_certificate.failures import Failures
from functions.download_certificate.settings import DownloadSettings
from functions.refresh_credential import grants
from functions.refresh_credential import handler as refresh
from functions.refresh_credential.settings import RefreshSettings
from tests.service.integration.conftest import Service, connect_secrets_manager_once
from tests.support.refresh import KMS, SECRETS
from tests.support.responses import get
from tests.support.stack import OAUTH, PARAMETERS
from tests.support.token_provider import HOUR, PDF, Documented, StandIn

REFRESHING = {"grant_type": "refresh_token"}
DOCUSIGN = "/restapi/v2.1/accounts/ACCOUNT_ID/envelopes/a%2F1/documents/certificate"
PROVIDERS = {
    "DocuSign, JWT grant": Documented(
        DOCUSIGN,
        "/oauth/token",
        {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"},
        claims={
            "iss": "INTEGRATION_KEY",
            "sub": "USER_ID",
            "aud": "account.docusign.com",
            "scope": "signature impersonation",
        },
    ),
    "DocuSign, code grant": Documented(
        DOCUSIGN,
        "/oauth/token",
        REFRESHING,
        basic="Basic SU5URUdSQVRJT05fS0VZOlNFQ1JFVF9LRVk=",
        lifetime=8 * HOUR,
        rotates=True,
    ),
    "Zoho Sign": Documented(
        "/api/v1/requests/a%2F1/completioncertificate",
        "/oauth/v2/token",
        REFRESHING | {"client_id": "CLIENT_ID", "client_secret": "CLIENT_SECRET"},
        scheme="Zoho-oauthtoken",
    ),
    "Adobe Acrobat Sign": Documented(
        "/api/rest/v6/agreements/a%2F1/auditTrail",
        "/oauth/v2/refresh",
        REFRESHING | {"client_id": "APPLICATION_ID", "client_secret": "APPLICATION_SECRET"},
    ),
    "Box Sign": Documented(
        "/2.0/files/a%2F1/content",
        "/oauth2/token",
        {
            "grant_type": "client_credentials",
            "client_id": "CLIENT_ID",
            "client_secret": "CLIENT_SECRET",
            "box_subject_type": "enterprise",
            "box_subject_id": "ENTERPRISE_ID",
        },
        redirects=True,
    ),
    # Whether the used refresh token ends is not documented: it does here, which is the harder case.
    "signNow": Documented(
        "/document/a%2F1/download?type=collapsed&with_history=1",
        "/oauth2/token",
        REFRESHING,
        basic="Basic Q0xJRU5UX0lEOkNMSUVOVF9TRUNSRVQ=",
        lifetime=30 * 24 * HOUR,
        rotates=True,
    ),
}

PAGE = (ROOT / "docs" / "providers.md").read_text()


def rows() -> dict[str, dict[str, str]]:
    """The parameters in the page's table, by provider."""
    table = PAGE[PAGE.index("| provider |", PAGE.index("## Credentials that expire")) :].split("\n\n")[0]
    (_, *names), _, *lines = ([cell.strip(" `") for cell in line[1:-1].split("|")] for line in table.splitlines())
    return {provider: dict(zip(names, values, strict=True)) for provider, *values in lines}


def credentials(name: str) -> dict[str, Any]:
    """The JSON in the provider's section."""
    section = PAGE[PAGE.index(f"### {name}\n") :]
    return dict(json.loads(section.partition("```json\n")[2].partition("```")[0]))


def test_the_page_and_the_stand_ins_name_the_same_providers() -> None:
    assert list(rows()) == list(PROVIDERS)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.usefixtures("short_pauses", "reused_clients")
def test_certificates_are_archived_while_the_access_token_is_refreshed(
    service: Service, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A deployment accepts the page's parameters and credentials. Only the provider's hosts are replaced."""
    documented, page, rules = PROVIDERS[name], rows()[name], translated()["Parameters"]
    assert [one for one, value in page.items() if not re.fullmatch(rules[one]["AllowedPattern"], value)] == []
    assert int(page["ProviderTokenMinutes"]) <= documented.lifetime // 60 // 3
    token_host = urlsplit(page["ProviderTokenUrl"]).hostname
    assert credentials(name).get("audience", token_host) == token_host
    key = KMS.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    with StandIn(documented, KMS.get_public_key(KeyId=key)["PublicKey"]) as standin:
        parameters = {one: re.sub(r"^https://[^/]+", standin.url, value) for one, value in page.items()}
        if parameters["ProviderLinkHosts"]:
            parameters["ProviderLinkHosts"] = f"localhost:{standin.port}"
        stack = Stack(service.stack.name, PARAMETERS | OAUTH | parameters | {"ProviderSigningKeyArn": key})
        monkeypatch.setattr(grants, "time", SimpleNamespace(time=lambda: standin.now))
        settings = RefreshSettings.model_validate(stack.environment(REFRESH))
        monkeypatch.setattr(refresh, "SETTINGS", settings)
        monkeypatch.setattr(refresh, "SERVICES", refresh.connect(settings))
        downloading = DownloadSettings.model_validate(stack.environment(DOWNLOAD))
        secret = Secret(connect_secrets_manager_once, downloading.provider_secret_name)
        services = replace(service.services, provider=Provider(downloading, secret), failures=Failures())
        monkeypatch.setattr(download, "SERVICES", services)
        SECRETS.delete_secret(SecretId=PARAMETERS["ProviderSecretName"], ForceDeleteWithoutRecovery=True)
        SECRETS.create_secret(Name=PARAMETERS["ProviderSecretName"])
        oauth, text = OAUTH["ProviderOAuthSecretName"], json.dumps(credentials(name))
        SECRETS.create_secret(Name=oauth, SecretString=text)

        def run_refresh() -> str | None:
            """Returns the reason of a failure."""
            return refresh.handler(seeds.event(seeds.REFRESH_EVENT), Context(60)).get("reason")  # type: ignore[arg-type]

        def fetch() -> int:
            """Downloads a certificate that is not archived yet, and returns the status."""
            id_ = str(uuid.uuid4())
            service.seed(signature_id=id_, providerRequestId={"S": "a/1"})
            status = int(service(get(id_))["statusCode"])
            assert service.archived(signature_id=id_) == (PDF if status == 200 else None)
            return status

        assert fetch() == 502
        for _ in range(3):
            assert run_refresh() is None
            standin.now += documented.lifetime // 3
            assert fetch() == 200
        standin.now += documented.lifetime
        assert fetch() == 502
        assert run_refresh() is None
        assert fetch() == 200
        SECRETS.put_secret_value(SecretId=oauth, SecretString=text)
        assert run_refresh() == ("invalid_grant" if documented.rotates else None)
