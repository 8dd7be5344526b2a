"""Each archived certificate says in its metadata when and from which of the provider's requests it was fetched, and its
digest."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from functions.archive_certificate.archiving import Services, archive_certificate
from functions.archive_certificate.delays import Pace
from tests.service.integration.conftest import PROJECT, Service, get
from tests.support.deployed import S3
from tests.support.pdf import pdf
from tests.support.responses import ID, digest, whole

Archive = Callable[[Service], None]


def download(service: Service) -> None:
    """The first download archives the certificate. No response shows its origin."""
    first, second = service(get()), service(get())
    assert first == second == whole(pdf(), first["headers"]["ETag"])


def archive_ahead(service: Service) -> None:
    same = service.services
    services = Services(same.records, same.archive, same.provider, Pace(1_000_000, 1))
    assert archive_certificate(ID, services, lambda: 300) == len(pdf())


def metadata(service: Service) -> dict[str, str]:
    head = S3.head_object(Bucket=service.bucket, Key=f"{PROJECT}/{ID}.pdf")
    assert head["StorageClass"] == "INTELLIGENT_TIERING"
    return dict(head["Metadata"])


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("archive", [download, archive_ahead])
def test_both_functions_store_the_origin_with_the_certificate(service: Service, archive: Archive) -> None:
    service.seed()
    before = now()
    archive(service)
    found = metadata(service)
    assert before <= found.pop("fetched-at") <= now()
    assert found == {"provider-request-id": "req_1", "repr-digest": digest(pdf())}


@pytest.mark.parametrize(
    ("attribute", "stored"),
    [
        ({"N": "1234567"}, "1234567"),
        ({"S": "a/1 b"}, "a%2F1%20b"),
        ({"S": "a\r\nx-amz-meta-b: c"}, "a%0D%0Ax-amz-meta-b%3A%20c"),
        ({"S": "\u00fc\u202e\x00\U0001f58a"}, "%C3%BC%E2%80%AE%00%F0%9F%96%8A"),
        ({"S": "x" * 1024}, "x" * 1024),
    ],
)
def test_any_id_of_the_provider_is_stored_percent_encoded(
    service: Service, attribute: dict[str, str], stored: str
) -> None:
    service.seed(providerRequestId=attribute)
    archive_ahead(service)
    assert metadata(service).keys() == {"repr-digest", "fetched-at", "provider-request-id"}
    assert metadata(service)["provider-request-id"] == stored
    assert [unquote(stored)] == list(attribute.values())


@pytest.mark.parametrize("long", ["x" * 1025, "\u00fc" * 171])
def test_an_id_for_which_the_metadata_has_no_room_is_left_out(service: Service, long: str) -> None:
    service.seed(providerRequestId={"S": long})
    archive_ahead(service)
    assert metadata(service).keys() == {"repr-digest", "fetched-at"}
