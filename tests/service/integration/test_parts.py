"""Whole responses to ranges and conditions: 206, 304, 412, 413 and 416."""

from base64 import b64decode
from typing import Any

import pytest

from develop.fakes.memory import sha256
from develop.fakes.server import reply
from tests.service.integration.conftest import PROJECT, Service, get
from tests.support.deployed import S3
from tests.support.pdf import pdf
from tests.support.responses import ID, NOT_FOUND, UNAUTHORIZED, UNAVAILABLE, digest, not_modified, part, refusal, whole


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=1990-", 1990, 1999),
        ("bytes=-10", 1990, 1999),
        ("bytes=0-1999", 0, 1999),
        ("bytes=1990-99999", 1990, 1999),
        ("bytes=-99999", 0, 1999),
    ],
)
def test_a_range_is_served(service: Service, asked: str, first: int, last: int) -> None:
    service.seed()
    etag = service.archive(pdf())
    assert service(get(range=asked)) == part(pdf(), etag, first, last)


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=5-4", "pages=1-2", "bytes=x"])
def test_an_invalid_range_gets_the_whole_certificate(service: Service, asked: str) -> None:
    service.seed()
    etag = service.archive(pdf())
    assert service(get(range=asked)) == whole(pdf(), etag)


@pytest.mark.parametrize("asked", ["bytes=2000-", "bytes=2000-2001", "bytes=99999999999999999999-", "bytes=-0"])
def test_a_range_outside_the_file_is_not_satisfiable(service: Service, asked: str) -> None:
    service.seed()
    service.archive(pdf())
    assert service(get(range=asked)) == refusal(
        416, "range_not_satisfiable", "The completion certificate has 2000 bytes.", Content_Range="bytes */2000"
    )


LARGE = pdf(9_100_000)
TOO_LARGE = refusal(
    413,
    "content_too_large",
    "The completion certificate has 9100000 bytes. Ask for it in ranges of at most 4500000 bytes, "
    "the first with the header Range: bytes=0-4499999.",
    Accept_Ranges="bytes",
)


def test_a_large_certificate_comes_in_ranges(service: Service) -> None:
    service.seed()
    etag = service.archive(LARGE)
    assert service(get()) == TOO_LARGE
    asked = [(0, 4_499_999), (4_500_000, 8_999_999), (9_000_000, 13_499_999)]
    parts = [b64decode(service(get(range=f"bytes={first}-{last}", if_match=etag))["body"]) for first, last in asked]
    assert b"".join(parts) == LARGE


@pytest.mark.parametrize(
    ("asked", "first"), [("bytes=0-9099999", 0), ("bytes=100-9999999", 100), ("bytes=-5000000", 4_100_000)]
)
def test_a_range_with_an_end_above_the_limit_gets_its_first_part(service: Service, asked: str, first: int) -> None:
    service.seed()
    etag = service.archive(LARGE)
    assert service(get(range=asked)) == part(LARGE, etag, first, first + 4_499_999)


@pytest.mark.parametrize("first", [0, 1000, 4_599_999])
def test_a_range_without_an_end_above_the_limit_is_too_large(service: Service, first: int) -> None:
    """Tools that resume a download would mistake the first part for the whole rest."""
    service.seed()
    etag = service.archive(LARGE)
    assert service(get(range=f"bytes={first}-")) == TOO_LARGE
    assert service(get(range=f"bytes={first}-", if_range=etag)) == TOO_LARGE
    assert service(get(range=f"bytes={first}-", if_none_match=etag)) == not_modified(etag)


def test_a_range_without_an_end_that_fits_is_served(service: Service) -> None:
    service.seed()
    etag = service.archive(LARGE)
    assert service(get(range="bytes=4600000-")) == part(LARGE, etag, 4_600_000, 9_099_999)
    assert service(get(range="bytes=9100000-"))["statusCode"] == 416


@pytest.mark.parametrize("condition", ["{etag}", "*", "W/{etag}", '"other", {etag}'])
def test_a_current_copy_is_not_sent_again(service: Service, condition: str) -> None:
    service.seed()
    etag = service.archive(pdf())
    assert service(get(if_none_match=condition.format(etag=etag))) == not_modified(etag)
    assert service(get(if_none_match=condition.format(etag=etag), range="bytes=9999-")) == not_modified(etag)


def test_a_condition_on_a_first_download_is_evaluated_after_the_fetch(service: Service) -> None:
    service.seed()
    assert service(get(if_none_match="*"))["statusCode"] == 304
    (line,), _ = service.written()
    assert line["source"] == "provider"


def test_another_copy_is_replaced(service: Service) -> None:
    service.seed()
    etag = service.archive(pdf())
    assert service(get(if_none_match='"other"')) == whole(pdf(), etag)


def test_if_match_guards_a_download_in_ranges(service: Service) -> None:
    service.seed()
    etag = service.archive(pdf())
    assert service(get(if_match=etag, range="bytes=0-9")) == part(pdf(), etag, 0, 9)
    assert service(get(if_match='"other"', range="bytes=0-9")) == refusal(
        412, "precondition_failed", "The certificate does not match If-Match."
    )
    assert service(get(if_match=f"W/{etag}"))["statusCode"] == 412


def test_if_range_of_another_copy_gets_the_whole_certificate(service: Service) -> None:
    service.seed()
    etag = service.archive(pdf())
    assert service(get(if_range=etag, range="bytes=0-9")) == part(pdf(), etag, 0, 9)
    assert service(get(if_range='"other"', range="bytes=0-9")) == whole(pdf(), etag)
    assert service(get(if_range='"other"')) == whole(pdf(), etag)


def test_nothing_matches_a_condition_without_a_tag(service: Service) -> None:
    service.seed()
    etag = service.archive(pdf())
    assert service(get(if_match=""))["statusCode"] == 412
    assert service(get(if_none_match="")) == whole(pdf(), etag)
    assert service(get(if_range="", range="bytes=0-9")) == whole(pdf(), etag)


@pytest.mark.parametrize("condition", [{"if_none_match": "*"}, {"if_match": '"a"'}, {"range": "bytes=9999-"}])
def test_conditions_are_evaluated_only_after_the_key(service: Service, condition: dict[str, str]) -> None:
    service.seed()
    service.archive(pdf())
    assert service(get(key=None, **condition)) == UNAUTHORIZED
    assert service(get("11111111-1111-4111-8111-111111111111", **condition)) == NOT_FOUND


# ── The digest of the whole ───────────────────────────────────────────────────────────────────────────────────────────


def place_object(service: Service, content: bytes = LARGE, **parameters: Any) -> str:
    """Archives a certificate as another writer does, and returns its entity tag."""
    answer = S3.put_object(Bucket=service.bucket, Key=f"{PROJECT}/{ID}.pdf", Body=content, **parameters)
    return answer["ETag"]


def test_all_parts_of_a_first_download_have_the_digest_of_the_whole(service: Service) -> None:
    service.seed()
    service.provider.answers = [reply(body=LARGE)]
    for first in (0, 4_500_000, 9_000_000):
        response = service(get(range=f"bytes={first}-{first + 4_499_999}"))
        assert response == part(LARGE, response["headers"]["ETag"], first, min(first + 4_499_999, 9_099_999))
    assert len(service.provider.requests) == 1


@pytest.mark.parametrize(
    "metadata",
    [{}, {"repr-digest": "sha-256=:canary:"}, {"repr-digest": sha256(LARGE)}, {"repr-digest": f"{digest(b'')}, x=:y:"}],
)
@pytest.mark.parametrize("checksum", [{}, {"ChecksumAlgorithm": "CRC64NVME"}, {"ChecksumAlgorithm": "SHA256"}])
def test_a_part_of_an_older_or_adopted_certificate_has_the_digest(
    service: Service, metadata: dict[str, str], checksum: dict[str, Any]
) -> None:
    """Others may have stored another checksum, and other metadata under our name."""
    service.seed()
    etag = place_object(service, Metadata=metadata, **checksum)
    assert service(get(range="bytes=0-9")) == part(LARGE, etag, 0, 9)


@pytest.mark.fault("s3-two-digests")
@pytest.mark.threat("wrong-bytes")
def test_a_certificate_with_two_different_digests_is_not_served(service: Service) -> None:
    """The bytes or the metadata were changed. A client that compares the whole after the last part finds it, too."""
    service.seed()
    etag = place_object(service, pdf(), Metadata={"repr-digest": digest(LARGE)}, ChecksumAlgorithm="SHA256")
    assert service(get()) == UNAVAILABLE
    (line,), _ = service.written()
    assert line["detail"] == {"cause": "WrongDigest"}
    expected = part(pdf(), etag, 0, 9)
    assert service(get(range="bytes=0-9")) == expected | {
        "headers": expected["headers"] | {"Repr-Digest": digest(LARGE)}
    }
