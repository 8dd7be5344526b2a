"""Each provider of `docs/providers.md` whose credentials expire: the page's parameters and credentials archive
certificates of a stand-in that enforces what the provider documents."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from certificates import budgets
from develop.local import seeds
from develop.local.runtime import Context
from develop.local.stack import DOWNLOAD, REFRESH
from develop.template import ROOT, Stack, translated
from functions.download_certificate import handler as download
from functions.download_certificate.settings import DownloadSettings
from functions.refresh_credential import grants
from functions.refresh_credential import handler as refresh
from functions.refresh_credential.settings import RefreshSettings
from tests.service.integration.conftest import Service, get
from tests.support.refresh import KMS, SECRETS
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
        tokens_in_ten_minutes=10,
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


@dataclass
class Deployment:
    """A deployment with a provider's parameters, and that provider."""

    service: Service
    standin: StandIn

    def refresh(self) -> dict[str, Any]:
        return refresh.handler(seeds.event(seeds.REFRESH_EVENT), Context(60))  # type: ignore[arg-type]

    def put(self, document: dict[str, Any]) -> None:
        SECRETS.put_secret_value(SecretId=OAUTH["ProviderOAuthSecretName"], SecretString=json.dumps(document))

    def download(self) -> int:
        """Downloads a certificate that is not archived yet, and returns the status."""
        id_ = str(uuid.uuid4())
        self.service.seed(signature_id=id_, providerRequestId={"S": "a/1"})
        status = int(self.service(get(id_))["statusCode"])
        assert self.service.archived(signature_id=id_) == (PDF if status == 200 else None)
        return status


Deploy = Callable[[str], Deployment]


@pytest.fixture
def deploy(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploy]:
    """Deploys with the page's parameters and credentials. Only the provider's hosts are replaced."""
    monkeypatch.setattr(budgets, "PROVIDER_PAUSE", 0.001)
    running: list[StandIn] = []

    def run(name: str) -> Deployment:
        key = KMS.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
        standin = StandIn(PROVIDERS[name], KMS.get_public_key(KeyId=key)["PublicKey"])
        running.append(standin)
        standin.__enter__()
        parameters = {key: re.sub(r"^https://[^/]+", standin.url, value) for key, value in rows()[name].items()}
        if parameters["ProviderLinkHosts"]:
            parameters["ProviderLinkHosts"] = f"localhost:{standin.port}"
        stack = Stack(service.stack.name, PARAMETERS | OAUTH | parameters | {"ProviderSigningKeyArn": key})
        monkeypatch.setattr(grants, "time", SimpleNamespace(time=lambda: standin.now))
        settings = RefreshSettings.model_validate(stack.environment(REFRESH))
        monkeypatch.setattr(refresh, "SETTINGS", settings)
        monkeypatch.setattr(refresh, "SERVICES", refresh.connect(settings))
        downloading = DownloadSettings.model_validate(stack.environment(DOWNLOAD))
        monkeypatch.setattr(download, "SERVICES", download.connect(downloading))
        SECRETS.delete_secret(SecretId=PARAMETERS["ProviderSecretName"], ForceDeleteWithoutRecovery=True)
        SECRETS.create_secret(Name=PARAMETERS["ProviderSecretName"])
        SECRETS.create_secret(Name=OAUTH["ProviderOAuthSecretName"], SecretString=json.dumps(credentials(name)))
        return Deployment(service, standin)

    yield run
    for standin in running:
        standin.__exit__()


def test_the_page_and_the_stand_ins_name_the_same_providers() -> None:
    assert list(rows()) == list(PROVIDERS)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_deployment_accepts_the_parameters_of_the_page(name: str) -> None:
    rules = translated()["Parameters"]
    for parameter, value in rows()[name].items():
        assert re.fullmatch(rules[parameter]["AllowedPattern"], value), parameter
    assert int(rows()[name]["ProviderTokenMinutes"]) <= PROVIDERS[name].lifetime // 60 // 3


@pytest.mark.parametrize("name", PROVIDERS)
def test_certificates_are_archived_while_the_access_token_is_refreshed(deploy: Deploy, name: str) -> None:
    deployment = deploy(name)
    assert deployment.download() == 502
    for _ in range(3):
        assert "reason" not in deployment.refresh()
        deployment.standin.now += deployment.standin.documented.lifetime // 3
        assert deployment.download() == 200
    deployment.standin.now += deployment.standin.documented.lifetime
    assert deployment.download() == 502
    deployment.refresh()
    assert deployment.download() == 200
    deployment.put(credentials(name))
    assert deployment.refresh().get("reason") == ("invalid_grant" if PROVIDERS[name].rotates else None)


def test_an_assertion_names_the_token_endpoint_and_is_signed_by_the_uploaded_key(deploy: Deploy) -> None:
    name = "DocuSign, JWT grant"
    assert credentials(name)["audience"] == urlsplit(rows()[name]["ProviderTokenUrl"]).hostname
    deployment = deploy(name)
    other = KMS.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    settings = refresh.SETTINGS.model_copy(update={"provider_signing_key_arn": other})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refresh, "SERVICES", refresh.connect(settings))
        assert deployment.refresh()["reason"] == "invalid_grant"
    assert "reason" not in deployment.refresh()


def test_the_last_access_token_outlives_a_limit_on_new_ones(deploy: Deploy) -> None:
    deployment = deploy("Zoho Sign")
    assert ["reason" in deployment.refresh() for _ in range(11)] == [False] * 10 + [True]
    assert deployment.download() == 200
    deployment.standin.now += 600
    assert "reason" not in deployment.refresh()
