from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from certificates import records
from certificates.errors import RecordsUnavailable
from certificates.records import Records


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
