"""Any key, id and item: only a broken item is a defect, and it breaks nothing else."""

import re
import string
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example
from hypothesis import strategies as st

from certificates.models import STATUSES
from develop.fakes.memory import Item, etag
from develop.local import seeds
from tests.service.integration.conftest import KEY, OTHER, PROJECT, World
from tests.support.examples import given
from tests.support.pdf import pdf
from tests.support.responses import ID, INTERNAL, NOT_FOUND, UNAUTHORIZED, get, refusal, whole

URL = "https://api.craftkit.example/v1/signatures/{}/certificate"
SERVED = whole(pdf(), etag(pdf()))
OTHER_SERVED = whole(pdf(), etag(pdf()), OTHER)

# ── Keys and ids ──────────────────────────────────────────────────────────────────────────────────────────────────────

KEY_CHARACTERS = set(string.ascii_letters + string.digits + "_-")

schemes = st.sampled_from(["Bearer", "bearer", "BEARER", "Basic", "Bearer:", ""]) | st.text(max_size=8)
spaces = st.sampled_from([" ", "", "  ", "\t", "\xa0", "\n"])
keys = (
    st.sampled_from([KEY, seeds.REVOKED_KEY, seeds.EXPIRED_KEY, KEY.upper(), KEY.replace("test", "acct"), KEY + "="])
    | st.builds(
        lambda kind, length, char: kind + char * length,
        st.sampled_from(["ck_live_", "ck_test_", "ck_acct_", "CK_LIVE_"]),
        st.sampled_from([15, 16, 128, 129]),
        st.sampled_from("a-_Z9=é"),
    )
    | st.text(max_size=40)
)
authorizations = st.tuples(spaces, schemes, spaces, keys, spaces).map("".join) | st.text()


def key_in(authorization: str) -> str | None:
    """The key according to the contract: `Bearer <key>`, with the scheme in any case."""
    scheme, _, rest = authorization.strip(" \t").partition(" ")
    key = rest.lstrip(" ")
    kind, own = key[:8], key[8:]
    if scheme.lower() != "bearer" or kind not in {"ck_live_", "ck_test_"}:
        return None
    return key if 16 <= len(own) <= 128 and set(own) <= KEY_CHARACTERS else None


@pytest.mark.fuzz
@given(lines=st.lists(authorizations, min_size=1, max_size=2), name=st.sampled_from(["Authorization", "AUTHORIZATION"]))
@example(lines=[f"Bearer {KEY}"], name="authorization")
@example(lines=[f"Bearer {KEY}", f"Bearer {KEY}"], name="Authorization")
@example(lines=[f"Bearer ck_live_{'a' * 128}"], name="Authorization")
@example(lines=[f"Bearer ck_live_{'a' * 129}"], name="Authorization")
@pytest.mark.threat("API2")
def test_any_authorization_but_a_valid_key_is_refused_in_the_same_words(
    world: World, lines: list[str], name: str
) -> None:
    reads = world.tables.reads
    key = key_in(lines[0]) if len(lines) == 1 else None
    event = get(key=None) | {"headers": {name: lines[-1]}, "multiValueHeaders": {name: lines}}
    assert world(event) == (SERVED if key == KEY else UNAUTHORIZED)
    assert world.tables.reads - reads == (key is not None)


ids = (
    st.sampled_from([ID, f" {ID}", f"{ID}\n", f"{{{ID}}}", f"urn:uuid:{ID}", ID.replace("-", ""), "", ".", "..", "%00"])
    | st.uuids().map(str)
    | st.lists(st.booleans(), min_size=36, max_size=36).map(
        lambda upper: "".join(char.upper() if flag else char for char, flag in zip(ID, upper, strict=True))
    )
    | st.tuples(st.integers(0, 35), st.characters()).map(lambda at: ID[: at[0]] + at[1] + ID[at[0] + 1 :])
    | st.text()
)


@pytest.mark.fuzz
@given(signature_id=ids)
@example(signature_id=ID.upper())
@example(signature_id=ID.replace("0", "\uff10", 1))
@pytest.mark.threat("API1")
def test_any_id_but_the_projects_own_is_not_found_in_the_same_words(world: World, signature_id: str) -> None:
    is_known = len(signature_id) == 36 and signature_id.isascii() and signature_id.casefold() == ID
    assert world(get(signature_id)) == (SERVED if is_known else NOT_FOUND)
    assert world(get(signature_id, key=None)) == UNAUTHORIZED


# ── Items ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

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
