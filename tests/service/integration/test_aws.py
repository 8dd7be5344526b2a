"""The clients of AWS: timeouts, attempts and pauses, and the time that an attempt needs."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from certificates import records
from certificates.aws import (
    OutOfTime,
    connect_dynamodb,
    connect_kms,
    connect_s3,
    connect_secrets_manager,
    connect_sqs,
    error_code,
    find_seconds_left,
    limit_calls,
)
from certificates.errors import RecordsUnavailable
from certificates.records import Records

Connect = Callable[[], Any]


@pytest.mark.parametrize(
    ("connect", "read_seconds", "attempts"),
    [
        (connect_dynamodb, 2, 3),
        (connect_kms, 2, 2),
        (connect_s3, 3, 2),
        (connect_secrets_manager, 2, 2),
        (connect_sqs, 2, 3),
    ],
)
def test_each_service_has_its_limits_and_an_attempt_begins_only_with_time_to_connect_to_read_and_to_reply(
    connect: Connect, read_seconds: int, attempts: int
) -> None:
    client = connect()
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, read_seconds)
    assert config.retries == {"mode": "standard", "total_max_attempts": attempts}
    assert config.user_agent.startswith("craftkit-certificates ")
    begin_attempt = partial(client.meta.events.emit, "before-send.service.Operation", request=None)
    needed = 1 + read_seconds + 0.5
    with limit_calls(lambda: needed):
        begin_attempt()
    with limit_calls(lambda: needed - 0.01), pytest.raises(OutOfTime):
        begin_attempt()
    begin_attempt()


def test_the_time_left_is_in_seconds() -> None:
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 28_500)
    assert find_seconds_left(context) == 28.5


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ClientError({"Error": {"Code": "SlowDown", "Message": "canary"}}, "Operation"), "SlowDown"),
        (ClientError({"Error": {"Message": "canary"}}, "Operation"), ""),
        (ClientError({}, "Operation"), ""),
        (KeyError("canary"), "KeyError"),
    ],
)
def test_an_error_is_named_without_its_text(error: Exception, code: str) -> None:
    assert error_code(error) == code


@pytest.mark.parametrize(("bound", "first"), [(min, 0.025), (max, 0.05)])
def test_pauses_between_reads_of_unprocessed_keys_double(
    monkeypatch: pytest.MonkeyPatch, bound: Callable[[float, float], float], first: float
) -> None:
    pauses: list[float] = []
    dynamodb: Any = SimpleNamespace(
        batch_get_item=lambda **asked: {"Responses": {}, "UnprocessedKeys": asked["RequestItems"]}
    )
    monkeypatch.setattr(records, "time", SimpleNamespace(sleep=pauses.append))
    monkeypatch.setattr("random.uniform", bound)
    with pytest.raises(RecordsUnavailable, match="UnprocessedKeys"):
        Records(dynamodb, "signatures").signature("id")
    assert pauses == pytest.approx([first, 2 * first, 4 * first, 8 * first])
