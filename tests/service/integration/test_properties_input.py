"""Any item: only a broken one is a defect, and it breaks nothing else."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st

from certificates.models import STATUSES
from develop.fakes.memory import Item, etag
from tests.service.integration.conftest import OTHER, PROJECT, World, get
from tests.support.examples import given
from tests.support.pdf import pdf
from tests.support.responses import ID, INTERNAL, NOT_FOUND, UNAUTHORIZED, refusal, whole

URL = "https://api.craftkit.example/v1/signatures/{}/certificate"
SERVED = whole(pdf(), etag(pdf()))
OTHER_SERVED = whole(pdf(), etag(pdf()), OTHER)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.builds(lambda text: {"S": text}, texts)
    | st.builds(lambda number: {"N": str(number)}, st.integers(-(10**37), 10**37) | st.decimals(-1, 1, places=9))
    | st.builds(lambda flag: {"BOOL": flag}, st.booleans())
    | st.builds(lambda content: {"B": content}, st.binary(max_size=20))
    | st.just({"NULL": True})
    | st.builds(lambda names: {"SS": sorted(names)}, st.sets(texts, min_size=1, max_size=2))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.builds(lambda items: {"L": items}, st.lists(inner, max_size=2))
        | st.builds(lambda items: {"M": items}, st.dictionaries(texts, inner, max_size=2))
    ),
    max_leaves=4,
)
absent = st.none()
PAST = [{"S": "2026-06-05T11:42:08.123456Z"}, {"S": "2026-06-05T11:42:08-00:30"}, {"N": "1780659728"}]
FUTURE = [{"S": "2999-06-05T11:42:08.000Z"}, {"S": "2999-06-05T11:42:08+05:30"}, {"N": "32503680000"}]
times = st.sampled_from([*PAST, *FUTURE]) | values.filter(lambda value: "N" not in value) | absent
request_ids = st.decimals(-(10**9), 10**9, places=1).map(lambda number: {"N": str(number)})
projects = st.sampled_from(
    [{"S": PROJECT}, {"S": "prj_other"}, {"S": "p/../q"}, {"S": "p" * 65}, {"S": f"{PROJECT}\n"}]
)

signatures = st.fixed_dictionaries(
    {},
    optional={
        "projectId": projects | values | absent,
        "status": st.sampled_from([{"S": "sent"}, {"S": "declined"}, {"S": "Completed"}]) | values | absent,
        "certificateUrl": st.sampled_from([{"NULL": True}, {"S": URL.format(OTHER)}, {"S": ""}]) | values | absent,
        "providerRequestId": request_ids | values | absent,
        "completedAt": values | absent,
        "unknown": values,
    },
)
key_items = st.fixed_dictionaries(
    {},
    optional={
        "projectId": projects | values | absent,
        "revokedAt": times,
        "expiresAt": times,
        "name": values | absent,
        "unknown": values,
    },
)


def kind(value: dict[str, Any] | None, *, is_text: bool = False) -> str | None:
    """The value's type. NULL counts as absent, and so does an empty text that is nothing else."""
    return None if value is None or "NULL" in value or (is_text and value == {"S": ""}) else next(iter(value))


def expected_of_signature(item: Item) -> dict[str, Any]:
    """The response according to the contract's rules for SignaturesTable."""
    project, status, url = item.get("projectId", {}), item.get("status", {}), item.get("certificateUrl")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", project.get("S", "")):
        return INTERNAL
    if project["S"] != PROJECT:
        return NOT_FOUND
    is_broken = (
        status.get("S") not in STATUSES
        or (kind(url, is_text=True) and not (url or {}).get("S", "").endswith(f"/v1/signatures/{ID}/certificate"))
        or (kind(item.get("providerRequestId"), is_text=True) and not is_request_id(item["providerRequestId"]))
    )
    if is_broken:
        return INTERNAL
    if kind(url, is_text=True):
        return SERVED
    text = f"Completion certificate is not available yet (status: {status['S']})."
    return refusal(409, "conflict", text, **({"Retry_After": "30"} if STATUSES[status["S"]] else {}))


@pytest.mark.fuzz
@given(attributes=signatures)
@pytest.mark.threat("API3")
def test_any_signature_item_is_served_refused_or_a_defect_and_breaks_nothing_else(
    world: World, attributes: dict[str, Any]
) -> None:
    item = world.tables.put_signature(ID, **attributes)
    assert world(get()) == expected_of_signature(item)
    assert world(get(OTHER)) == OTHER_SERVED


def is_request_id(value: dict[str, Any]) -> bool:
    return bool(value.get("S")) or ("N" in value and Decimal(value["N"]) % 1 == 0)


@pytest.mark.fuzz
@given(attributes=key_items)
def test_any_key_item_opens_its_project_or_nothing(world: World, attributes: dict[str, Any]) -> None:
    item = world.tables.put_key(**attributes)
    is_valid = not kind(item.get("revokedAt")) and (not kind(item.get("expiresAt")) or item["expiresAt"] in FUTURE)
    if is_valid and item.get("projectId") == {"S": PROJECT}:
        assert world(get()) == SERVED
    else:
        assert world(get()) in (INTERNAL, UNAUTHORIZED, NOT_FOUND)
