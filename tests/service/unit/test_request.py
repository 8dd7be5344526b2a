import hashlib
from typing import Any

import pytest

from certificates.api_key import HashedKey
from functions.download_certificate.request import Request

KEY = "ck_live_aBcDeFgHiJkLmNoPqRsTuVwXyZ012345"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def parse(**changes: Any) -> Request:
    return Request.parse({"requestContext": {"requestId": "1"}} | changes)


def find_key(authorization: str) -> HashedKey | None:
    return parse(multiValueHeaders={"Authorization": [authorization]}).key


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER {KEY}", f"BeArEr   {KEY}", f" Bearer {KEY} ", f"\tBearer {KEY}\t"],
)
def test_a_key_is_found_whatever_the_case_of_the_scheme(authorization: str) -> None:
    assert find_key(authorization) == HashedKey(hashlib.sha256(KEY.encode()).hexdigest(), "ck_live_aBcDe")


@pytest.mark.parametrize("key", ["ck_live_" + "aZ9_" * 4, "ck_test_" + "0z-A" * 32])
def test_keys_have_16_to_128_characters(key: str) -> None:
    assert find_key(f"Bearer {key}") is not None


def test_anything_else_is_not_a_key() -> None:
    for authorization in ("", "Bearer", KEY, f"Bearer{KEY}", f"Bearer\t{KEY}", f"Bearer \t{KEY}", f"XBearer {KEY}"):
        assert find_key(authorization) is None, authorization
    for key in (f"X{KEY}", f"{KEY} x", f"{KEY}\n", f'"{KEY}"', "ck_acct_" + "a" * 32, "CK_LIVE_" + "a" * 32):
        assert find_key(f"Bearer {key}") is None, key
    for key in ("a" * 15, "a" * 129, "a" * 31 + "\u00e9", "\u0661" * 32):
        assert find_key(f"Bearer ck_live_{key}") is None, key


@pytest.mark.parametrize("asked", [ID, ID.upper()])
def test_an_id_is_a_uuid_in_lower_case(asked: str) -> None:
    assert parse(pathParameters={"id": asked}).signature_id == ID


@pytest.mark.parametrize(
    "asked", ["", ID[:-1], ID + "0", ID.replace("-", ""), "{" + ID + "}", f"{ID}\n", f" {ID}", "g" + ID[1:]]
)
def test_anything_else_is_not_an_id(asked: str) -> None:
    assert parse(pathParameters={"id": asked}).signature_id is None


def test_header_names_are_case_insensitive() -> None:
    headers = {"AUTHORIZATION": [f"Bearer {KEY}"], "if-none-match": ['"a"'], "If-MATCH": ['"b"'], "rAnGe": ["c"]}
    request = parse(multiValueHeaders=headers)
    assert request.key is not None
    assert (request.if_none_match, request.if_match, request.range, request.if_range) == ('"a"', '"b"', "c", None)


def test_headers_are_read_if_there_are_no_multi_value_headers() -> None:
    assert parse(multiValueHeaders=None, headers={"authorization": f"Bearer {KEY}"}).key is not None
    assert parse(multiValueHeaders=None, headers=None).key is None


def test_two_authorization_headers_are_no_key() -> None:
    assert parse(multiValueHeaders={"Authorization": [f"Bearer {KEY}", f"Bearer {KEY}"]}).key is None
    assert parse(multiValueHeaders={"Authorization": [f"Bearer {KEY}"], "authorization": ["x"]}).key is None


def test_lines_of_a_list_header_are_one_list() -> None:
    assert parse(multiValueHeaders={"If-None-Match": ['"a"', '"b"']}).if_none_match == '"a", "b"'
