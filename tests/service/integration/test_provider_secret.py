"""The provider's secret is read once, and again after it was rotated."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from certificates.errors import ProviderFailed
from develop.fakes.server import ScriptedServer, reply
from tests.support.provider import PDF, Vault, fetch, provider_at, refusal

pytestmark = pytest.mark.usefixtures("short_pauses", "no_thread_is_left")


def test_the_secret_is_read_on_first_use_and_kept() -> None:
    vault = Vault("s3cret")
    with ScriptedServer(reply(body=PDF)) as server:
        service = provider_at(server.url, vault)
        assert vault.reads == 0
        service.fetch("req_1", 10)
        service.fetch("req_1", 10)
    assert vault.reads == 1


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.fault("secret-rotated")
def test_a_rotated_secret_is_read_again_and_one_that_stays_wrong_is_not_retried(status: int) -> None:
    vault = Vault("old", "new")
    content, server = fetch(reply(status), reply(body=PDF), vault=vault)
    assert content == PDF
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer old", "Bearer new"]
    assert vault.reads == 2
    vault = Vault("wrong")
    assert refusal(reply(status), vault=vault) == ("status", status, 1)
    assert vault.reads == 2


def test_a_rotation_is_noticed_once_by_all_who_fetch_at_once() -> None:
    vault, accepted = Vault("old", "new"), ["Bearer old"]

    def judge(connection: Any) -> None:
        is_right = server.request.headers["authorization"] in accepted
        (reply(body=PDF) if is_right else reply(401))(connection)

    with ScriptedServer(judge) as server, ThreadPoolExecutor() as pool:
        service = provider_at(server.url, vault)
        assert service.fetch("req_1", 10).content == PDF
        accepted[:] = ["Bearer new"]
        contents = list(pool.map(lambda _: service.fetch("req_1", 10).content, range(10)))
    assert contents == [PDF] * 10
    assert vault.reads == 2


def test_without_a_second_try_only_a_rotated_secret_is_tried_again() -> None:
    with ScriptedServer(reply(503), reply(401), reply(body=PDF)) as server:
        service = provider_at(server.url, Vault("old", "new"))
        with pytest.raises(ProviderFailed):
            service.fetch("req_1", 10, second_try=False)
        assert len(server.requests) == 1
        assert service.fetch("req_1", 10, second_try=False).content == PDF


@pytest.mark.parametrize("secret", ["", " ", "two\r\nlines", "trailing\n", " s", "s ", "tab\t", "\u00e9", "nul\0"])
@pytest.mark.threat("provider-secret")
@pytest.mark.fault("secret-empty")
def test_a_secret_that_cannot_stand_in_a_header_is_refused(secret: str) -> None:
    assert refusal(reply(body=PDF), vault=Vault(secret)) == ("secret_malformed", None, 0)


def test_a_binary_or_unavailable_secret_is_the_providers_failure() -> None:
    def fail(SecretId: str) -> None:  # noqa: N803
        raise EndpointConnectionError(endpoint_url=SecretId)

    binary = SimpleNamespace(get_secret_value=lambda SecretId: {"SecretBinary": SecretId.encode()})  # noqa: N803
    assert refusal(reply(body=PDF), vault=binary) == ("secret_malformed", None, 0)
    assert refusal(reply(body=PDF), vault=SimpleNamespace(get_secret_value=fail)) == ("secret_unavailable", None, 0)
