"""Any key and any id: all but the project's own are refused in the same words."""

import string

import pytest
from hypothesis import example
from hypothesis import strategies as st

from develop.fakes.memory import etag
from develop.local import seeds
from tests.service.integration.conftest import KEY, OTHER, World, get
from tests.support.examples import given
from tests.support.pdf import pdf
from tests.support.responses import ID, NOT_FOUND, UNAUTHORIZED, whole

URL = "https://api.craftkit.example/v1/signatures/{}/certificate"
SERVED = whole(pdf(), etag(pdf()))
OTHER_SERVED = whole(pdf(), etag(pdf()), OTHER)

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
