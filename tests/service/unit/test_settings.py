import pytest

from certificates.settings import SettingsError
from functions.download_certificate.settings import DownloadSettings
from functions.refresh_credential.settings import RefreshSettings

VARIABLES = {
    "API_KEYS_TABLE": "keys",
    "SIGNATURES_TABLE": "signatures",
    "CERTIFICATES_BUCKET": "certificates",
    "PROVIDER_CERTIFICATE_URL": "https://api.example.com/{providerRequestId}",
    "PROVIDER_AUTH_HEADER": "Authorization: Bearer {secret}",
    "PROVIDER_SECRET_NAME": "craftkit/provider-secret",
    "PROVIDER_LINK_FIELD": "",
    "PROVIDER_LINK_HOSTS": "",
    "MAX_CERTIFICATE_BYTES": "20971520",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_settings_are_read_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    settings = DownloadSettings.from_environment()
    assert (settings.api_keys_table, settings.max_certificate_bytes) == ("keys", 20 * 1024 * 1024)
    assert settings.provider_link_hosts == ()
    environment.setenv("PROVIDER_LINK_HOSTS", "X.com,  y.com ")
    assert [rule.host for rule in DownloadSettings.from_environment().provider_link_hosts] == ["x.com", "y.com"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("API_KEYS_TABLE", "", "at least 1"),
        ("PROVIDER_CERTIFICATE_URL", "https://canary.example.com/", "must have {providerRequestId}"),
        ("PROVIDER_CERTIFICATE_URL", "http://canary.example.com/{providerRequestId}", "only https"),
        ("PROVIDER_AUTH_HEADER", "canary", "Name: value"),
        ("PROVIDER_AUTH_HEADER", "Authorization: canary", "{secret}"),
        ("PROVIDER_AUTH_HEADER", "X Y: {secret}", "Name: value"),
        ("PROVIDER_AUTH_HEADER", "X: {secret}\r\nY: canary", "Name: value"),
        ("PROVIDER_AUTH_HEADER", "X: \u00e9{secret}", "Name: value"),
        ("PROVIDER_LINK_HOSTS", "a.com,\tcanary.com", "host names"),
        ("PROVIDER_LINK_FIELD", "canary", "PROVIDER_LINK_HOSTS"),
        ("MAX_CERTIFICATE_BYTES", "canary", "integer"),
    ],
)
@pytest.mark.threat("leaks-to-logs")
def test_a_wrong_value_names_its_variable_and_not_itself(
    environment: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        DownloadSettings.from_environment()
    assert name in str(error.value)
    assert message in str(error.value)
    assert "canary" not in str(error.value)
    assert error.value.__cause__ is None


def test_every_wrong_and_missing_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        environment.delenv(name)
    environment.setenv("MAX_CERTIFICATE_BYTES", "0")
    with pytest.raises(SettingsError) as error:
        DownloadSettings.from_environment()
    missing = {f"{name}: Field required" for name in VARIABLES if name != "MAX_CERTIFICATE_BYTES"}
    assert set(str(error.value).split("; ")) == missing | {"MAX_CERTIFICATE_BYTES: Input should be greater than 0"}


@pytest.mark.parametrize(
    ("header", "filled"),
    [
        ("X-API-KEY: {secret}", {"X-API-KEY": "s"}),
        ("Authorization:{secret}", {"Authorization": "s"}),
        ("Authorization: API-Key {secret}", {"Authorization": "API-Key s"}),
    ],
)
def test_any_header_form_is_filled(environment: pytest.MonkeyPatch, header: str, filled: dict[str, str]) -> None:
    environment.setenv("PROVIDER_AUTH_HEADER", header)
    assert DownloadSettings.from_environment().provider_auth_header.fill("s") == filled


def test_the_credentials_and_the_access_token_are_two_secrets() -> None:
    values = {
        "PROVIDER_TOKEN_URL": "https://api.example.com/oauth/token",
        "PROVIDER_OAUTH_SECRET_NAME": "craftkit/oauth",
        "PROVIDER_SECRET_NAME": "craftkit/secret",
        "PROVIDER_SIGNING_KEY_ARN": "",
        "PROVIDER_TOKEN_MINUTES": "20",
    }
    assert RefreshSettings.model_validate(values).provider_token_minutes == 20
    with pytest.raises(ValueError, match="PROVIDER_OAUTH_SECRET_NAME and PROVIDER_SECRET_NAME must be two secrets"):
        RefreshSettings.model_validate(values | {"PROVIDER_OAUTH_SECRET_NAME": "craftkit/secret"})
