"""Whole responses to ranges and conditions: 206, 304, 412, 413 and 416."""

import hashlib
import uuid
from typing import Any

import pytest

from develop.fakes.memory import sha256
from develop.fakes.server import reply
from functions.download_certificate import download
from tests.service.integration.conftest import PROJECT, Service
from tests.support.deployed import S3
from tests.support.pdf import pdf
from tests.support.responses import (
    ID,
    NOT_FOUND,
    PRECONDITION_FAILED,
    UNAUTHORIZED,
    UNAVAILABLE,
    digest,
    get,
    not_modified,
    outside,
    part,
    too_large,
    whole,
)

PDF = pdf()
ETAG = f'"{hashlib.md5(PDF, usedforsecurity=False).hexdigest()}"'
WHOLE, CURRENT = whole(PDF, ETAG), not_modified(ETAG)
OUTSIDE = outside(2000)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"range": "bytes=0-0"}, part(PDF, ETAG, 0, 0)),
        ({"range": "bytes=10-19"}, part(PDF, ETAG, 10, 19)),
        ({"range": "bytes=1990-"}, part(PDF, ETAG, 1990, 1999)),
        ({"range": "bytes=-10"}, part(PDF, ETAG, 1990, 1999)),
        ({"range": "bytes=-99999"}, part(PDF, ETAG, 0, 1999)),
        ({"range": "bytes=1990-99999"}, part(PDF, ETAG, 1990, 1999)),
        ({"range": "bytes=0-1,3-4"}, WHOLE),
        ({"range": "bytes=2000-"}, OUTSIDE),
        ({"range": "bytes=-0"}, OUTSIDE),
        ({"if_none_match": ETAG}, CURRENT),
        ({"if_none_match": f'"other", {ETAG}', "range": "bytes=9999-"}, CURRENT),
        ({"if_none_match": f"W/{ETAG}"}, CURRENT),
        ({"if_none_match": '"other"'}, WHOLE),
        ({"if_none_match": ""}, WHOLE),
        ({"if_match": ETAG, "range": "bytes=0-9"}, part(PDF, ETAG, 0, 9)),
        ({"if_match": '"other"', "range": "bytes=0-9"}, PRECONDITION_FAILED),
        ({"if_match": f"W/{ETAG}"}, PRECONDITION_FAILED),
        ({"if_match": '"other"', "if_none_match": ETAG}, PRECONDITION_FAILED),
        ({"if_match": ETAG, "if_none_match": "*", "range": "bytes=0-9"}, CURRENT),
        ({"if_none_match": '"other"', "if_range": '"other"', "range": "bytes=2000-"}, WHOLE),
        ({"if_match": ""}, PRECONDITION_FAILED),
        ({"if_range": ETAG, "range": "bytes=0-9"}, part(PDF, ETAG, 0, 9)),
        ({"if_range": '"other"', "range": "bytes=0-9"}, WHOLE),
        ({"if_range": '"other"'}, WHOLE),
        ({"if_range": "", "range": "bytes=0-9"}, WHOLE),
    ],
)
def test_ranges_and_conditions(service: Service, headers: dict[str, str], expected: dict[str, Any]) -> None:
    service.seed()
    service.archive(PDF)
    assert service(get(**headers)) == expected


LARGE = pdf(9_100)


@pytest.fixture
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "INLINE_LIMIT", 4_500)


@pytest.mark.usefixtures("low_limit")
def test_only_a_range_with_an_end_above_the_limit_gets_its_first_part(service: Service) -> None:
    """Tools that resume a download would mistake the first part for the whole rest."""
    service.seed()
    etag = service.archive(LARGE)
    for asked, first in (("bytes=0-9099", 0), ("bytes=100-9999", 100), ("bytes=-5000", 4_100)):
        assert service(get(range=asked)) == part(LARGE, etag, first, first + 4_499)
    for asked in ("bytes=0-", "bytes=4599-"):
        assert service(get(range=asked)) == too_large(9_100)
        assert service(get(range=asked, if_range=etag)) == too_large(9_100)
        assert service(get(range=asked, if_none_match=etag)) == not_modified(etag)
    assert service(get(range="bytes=4600-")) == part(LARGE, etag, 4_600, 9_099)


def test_a_condition_on_a_first_download_is_evaluated_after_the_fetch(service: Service) -> None:
    asked = [({"if_none_match": "*"}, 304), ({"range": "bytes=2000-"}, 416), ({"range": "bytes=-0"}, 416)]
    for number, (headers, status) in enumerate(asked):
        signature_id = str(uuid.UUID(int=number))
        service.seed(signature_id=signature_id)
        assert service(get(signature_id, **headers))["statusCode"] == status
    assert len(service.provider.requests) == 3


@pytest.mark.parametrize("condition", [{"if_none_match": "*"}, {"if_match": '"a"'}, {"range": "bytes=9999-"}])
def test_conditions_are_evaluated_only_after_the_key(service: Service, condition: dict[str, str]) -> None:
    service.seed()
    service.archive(pdf())
    assert service(get(key=None, **condition)) == UNAUTHORIZED
    assert service(get("11111111-1111-4111-8111-111111111111", **condition)) == NOT_FOUND


# ── The digest of the whole ───────────────────────────────────────────────────────────────────────────────────────────


def place_object(service: Service, **parameters: Any) -> str:
    """Archives a certificate as another writer does, and returns its entity tag."""
    service.seed()
    return S3.put_object(Bucket=service.bucket, Key=f"{PROJECT}/{ID}.pdf", Body=PDF, **parameters)["ETag"]


@pytest.mark.usefixtures("low_limit")
def test_all_parts_of_a_first_download_have_the_digest_of_the_whole(service: Service) -> None:
    service.seed()
    service.provider.responses = [reply(body=LARGE)]
    for first in (0, 4_500, 9_000):
        response = service(get(range=f"bytes={first}-{first + 4_499}"))
        assert response == part(LARGE, response["headers"]["ETag"], first, min(first + 4_499, 9_099))
    assert len(service.provider.requests) == 1


@pytest.mark.parametrize(
    "metadata",
    [{}, {"repr-digest": "sha-256=:canary:"}, {"repr-digest": sha256(PDF)}, {"repr-digest": f"{digest(b'')}, x=:y:"}],
)
def test_a_part_of_an_older_or_adopted_certificate_has_the_digest(service: Service, metadata: dict[str, str]) -> None:
    """Others may have stored another checksum, and other metadata under our name."""
    for checksum in ({}, {"ChecksumAlgorithm": "SHA256"}):
        etag = place_object(service, Metadata=metadata, **checksum)
        assert service(get(range="bytes=0-9")) == part(PDF, etag, 0, 9)


@pytest.mark.fault("s3-two-digests")
@pytest.mark.threat("wrong-bytes")
def test_a_certificate_with_two_different_digests_is_not_served(service: Service) -> None:
    """The bytes or the metadata were changed. A client that compares the whole after the last part finds it, too."""
    etag = place_object(service, Metadata={"repr-digest": digest(LARGE)}, ChecksumAlgorithm="SHA256")
    assert service(get()) == UNAVAILABLE
    (line,), _ = service.written()
    assert line["detail"] == {"cause": "WrongDigest"}
    expected = part(PDF, etag, 0, 9)
    changed = expected["headers"] | {"Repr-Digest": digest(LARGE)}
    assert service(get(range="bytes=0-9")) == expected | {"headers": changed}
