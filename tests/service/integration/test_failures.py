"""A failure of the provider is remembered, so that one project does not take the provider from the others."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from certificates.models import SignatureRequest
from develop.fakes.server import reply
from functions.download_certificate import failures
from tests.service.integration.conftest import OTHER, PROJECT, Service
from tests.support.pdf import pdf
from tests.support.responses import ID, UPSTREAM, get, upstream, whole

SERVED = whole(pdf(), f'"{hashlib.md5(pdf(), usedforsecurity=False).hexdigest()}"')


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock forward, or back."""
    now = [1_780_659_728.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


@pytest.mark.fault("provider-asked-again")
def test_a_failure_is_remembered_for_ten_seconds(service: Service, pass_time: Callable[[float], None]) -> None:
    service.seed()
    service.provider.responses = [reply(404), reply(body=pdf())]
    assert service(get()) == upstream(10)
    service.output()
    pass_time(0.5)
    assert service(get()) == upstream(10)
    (line,), metrics = service.written()
    assert (line["level"], line["code"], line["detail"]) == ("ERROR", "upstream_error", {"seconds_left": 10})
    assert metrics == {"RequestsRefused": [{"code": "upstream_error", "service": "download_certificate"}]}
    pass_time(9)
    assert service(get(range="bytes=0-9")) == upstream(1)
    assert len(service.provider.requests) == 1
    pass_time(0.5)
    assert service(get()) == SERVED


@pytest.mark.parametrize("change", [{"status": {"S": "viewed"}}, {"providerRequestId": {"S": "req_2"}}])
def test_a_changed_item_is_tried_at_once(service: Service, change: dict[str, Any]) -> None:
    service.seed()
    service.provider.responses = [reply(404), reply(body=pdf())]
    assert service(get()) == UPSTREAM
    service.seed(**change)
    assert service(get()) == SERVED


def test_a_failure_delays_no_other_certificate_and_none_that_is_archived(service: Service) -> None:
    service.seed()
    service.seed(signature_id=OTHER)
    service.provider.responses = [reply(404), reply(body=pdf())]
    assert service(get()) == UPSTREAM
    assert service(get(OTHER))["statusCode"] == 200
    service.archive(pdf())
    assert service(get()) == SERVED


def test_a_failure_is_forgotten_when_the_clock_is_set_back(
    service: Service, pass_time: Callable[[float], None]
) -> None:
    service.seed()
    service.provider.responses = [reply(404), reply(body=pdf())]
    assert service(get()) == UPSTREAM
    pass_time(-1)
    assert service(get()) == SERVED


def test_old_failures_take_no_memory(pass_time: Callable[[float], None]) -> None:
    remembered = failures.Failures()
    for status in ("sent", "viewed", "completed"):
        remembered.remember(SignatureRequest(id=ID, projectId=PROJECT, status=status))
        pass_time(6)
    assert [signature.status for signature in remembered._times] == ["viewed", "completed"]  # noqa: SLF001
