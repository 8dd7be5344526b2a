from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from certificates.errors import InvalidRecord
from certificates.models import ApiKey, SignatureRequest

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
KEY = {"projectId": "prj_1", "keyHash": "0" * 64, "prefix": "ck_live_aBcDe", "createdAt": "2026-06-01T09:00:00.000Z"}
SIGNATURE = {
    "id": ID,
    "projectId": "prj_1",
    "status": "completed",
    "certificateUrl": f"https://api.craftkit.example/v1/signatures/{ID}/certificate",
    "providerRequestId": "req_1",
}
NOW = datetime(2026, 6, 5, 11, 42, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attributes", "accepted"),
    [
        ({}, True),
        ({"revokedAt": None, "expiresAt": None}, True),
        ({"revokedAt": "2026-06-05T11:42:07.999Z"}, False),
        ({"revokedAt": "2027-01-01T00:00:00.000Z"}, False),  # the writer's clock may be ahead
        ({"expiresAt": "2026-06-05T11:42:08.000Z"}, False),
        ({"expiresAt": "2026-06-05T11:42:08.001Z"}, True),
    ],
)
@pytest.mark.threat("API2")
def test_a_key_is_accepted_until_it_is_revoked_or_expires(attributes: dict[str, Any], *, accepted: bool) -> None:
    assert ApiKey.from_item(KEY | attributes).is_accepted_at(NOW) is accepted


@pytest.mark.parametrize(
    "time",
    [
        "2026-06-05T11:42:08.000Z",
        "2026-06-05T11:42:08Z",
        "2026-06-05T13:42:08.000000+02:00",
        "2026-06-05T06:12:08.000000000-05:30",
        Decimal(1780659728),
        Decimal("1.780659728E+9"),
    ],
)
def test_a_time_has_any_offset_and_precision_or_is_unix_seconds(time: object) -> None:
    key = ApiKey.from_item(KEY | {"expiresAt": time})
    assert not key.is_accepted_at(NOW)
    assert key.is_accepted_at(NOW - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("projectId", [None, ""]),
        ("revokedAt", ["", True, Decimal("NaN")]),
        ("expiresAt", ["2026-06-05T11:42:08", "1780659728", {"S": "x"}]),
        ("expiresAt", [Decimal(1780659728000), Decimal("-1E+125"), Decimal("Infinity")]),
    ],
)
def test_a_key_that_breaks_the_rules_is_never_accepted(name: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(InvalidRecord) as error:
            ApiKey.from_item(KEY | {name: value})
        assert list(error.value.problems) == [name]


@pytest.mark.parametrize(
    "change", [{}, {"certificateUrl": None}, {"providerRequestId": None}, {"name": 7, "unheard-of": {"a": 1}}]
)
def test_a_signature_request_may_lack_optional_attributes(change: dict[str, Any]) -> None:
    signature = SignatureRequest.from_item(SIGNATURE | {"projectId": "a" * 64} | change)
    assert (signature.certificate_url is None) is ("certificateUrl" in change)


@pytest.mark.parametrize(
    ("given", "text"),
    [("req_1", "req_1"), (Decimal("7.0"), "7"), (Decimal("12E+3"), "12000"), (Decimal("9" * 38), "9" * 38)],
)
def test_the_providers_id_is_a_text_or_the_digits_of_a_number(given: object, text: str) -> None:
    assert SignatureRequest.from_item(SIGNATURE | {"providerRequestId": given}).provider_request_id == text


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("id", ["", "sig_1", ID.upper(), f"{ID}\n", ID[:-1], f"{ID}0", ID.replace("-", ""), Decimal(7), None]),
        ("projectId", [None, "", "a/b", "a\n", "a" * 65]),
        ("status", [None, "done"]),
        ("certificateUrl", [7]),
        ("providerRequestId", [["a"], Decimal("7.5"), Decimal("Infinity")]),
    ],
)
def test_a_signature_request_that_breaks_the_rules_names_the_attribute_only(name: str, values: list[object]) -> None:
    own = {"certificateUrl": None} if name == "id" else {}
    for value in values:
        with pytest.raises(InvalidRecord) as error:
            SignatureRequest.from_item(SIGNATURE | own | {name: value})
        assert (error.value.record, list(error.value.problems)) == ("signatures", [name])


@pytest.mark.parametrize("url", ["https://e.com/", f"https://e.com/v1/signatures/{ID[:-1]}0/certificate"])
def test_the_certificate_url_is_this_requests(url: str) -> None:
    with pytest.raises(InvalidRecord, match="value_error"):
        SignatureRequest.from_item(SIGNATURE | {"certificateUrl": url})
