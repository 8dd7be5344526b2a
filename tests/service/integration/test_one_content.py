"""No two clients ever get different bytes of one certificate, under any combination of S3 faults.

There are three clients: one whose copy may be archived while ours is fetched; ours, which meets the faults; and one
that comes after them. The provider renders every response differently.
"""

import io
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from certificates import budgets
from certificates.archive import Archive
from certificates.aws import OutOfTime
from develop.fakes.memory import Bucket, answer, etag
from develop.fakes.server import reply
from functions.download_certificate import handler as download
from tests.service.integration.conftest import PROJECT, World
from tests.support.pdf import pdf
from tests.support.responses import ID, UNAVAILABLE, get

UNDER_WAY = "409 again and again"
KEY = f"{PROJECT}/{ID}.pdf"
OTHERS, OURS, LATER = (pdf(seed=seed) for seed in (1, 2, 3))


def failure(status: int, code: str) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}}}
    return ClientError(response, "S3")


TIMED_OUT = ReadTimeoutError(endpoint_url="")
Call = Callable[..., dict[str, Any]]


def fail(error: Exception) -> Callable[..., Any]:
    def run(*_: object, **__: object) -> None:
        raise error

    return run


def lose_the_response(put: Call, **parameters: Any) -> dict[str, Any]:
    put(**parameters)
    raise TIMED_OUT


def respond_without_a_tag(put: Call, **parameters: Any) -> dict[str, Any]:
    put(**parameters)
    return answer(200)


def succeed(call: Call, **parameters: Any) -> dict[str, Any]:
    return call(**parameters)


CONFLICT = fail(failure(409, "ConditionalRequestConflict"))
WRITES: dict[str, list[Call]] = {
    "well": [succeed],
    "409 once": [CONFLICT, succeed],
    UNDER_WAY: [CONFLICT] * 3,
    "its response is lost": [lose_the_response],
    "its response is malformed": [respond_without_a_tag],
    "never arrives": [fail(TIMED_OUT)],
    "refused": [fail(failure(403, "AccessDenied"))],
    "throttled": [fail(failure(503, "SlowDown"))],
    "no time": [fail(OutOfTime())],
}
KNOWN = {"well", "409 once"}
"""Writes after which S3 has said whether our bytes were written."""


def cut(get_object: Call, **parameters: Any) -> dict[str, Any]:
    found = get_object(**parameters)
    return found | {"Body": io.BytesIO(found["Body"].read()[:-1])}


def without_length(get_object: Call, **parameters: Any) -> dict[str, Any]:
    return {name: value for name, value in get_object(**parameters).items() if name != "ContentLength"}


def of_another_object(_: Call, **__: Any) -> dict[str, Any]:
    page = b"<html>"
    return answer(200, ETag=etag(page), ContentLength=len(page), Body=io.BytesIO(page))


READ_BACKS: dict[str, Call] = {
    "well": succeed,
    "cut": cut,
    "malformed": without_length,
    "of another object": of_another_object,
    "never arrives": fail(TIMED_OUT),
    "throttled": fail(failure(503, "SlowDown")),
    "no such bucket": fail(failure(404, "NoSuchBucket")),
    "no time": fail(OutOfTime()),
}
OF_THE_OBJECT = {"well", "cut", "malformed"}
"""Faults of the object itself: if there is no object, S3 says so."""
OTHER_COPY = ["none", "before our write", "before our read"]


class FaultyBucket(Bucket):
    """`read` is the fault of the read after our write, `other` the time at which another client archives its copy."""

    def __init__(self, write: str, read: str, other: str) -> None:
        super().__init__()
        self._writes, self._read, self._other = iter(WRITES[write]), READ_BACKS[read], other
        self.is_written = False
        self.is_over = False

    def put_object(self, Key: str, Body: bytes, **parameters: Any) -> dict[str, Any]:  # noqa: N803
        if self.is_over:
            return super().put_object(Key, Body, **parameters)
        self._archive_other("before our write")
        try:
            return next(self._writes)(super().put_object, Key=Key, Body=Body, **parameters)
        finally:
            self.is_written = True

    def get_object(self, Key: str, **parameters: Any) -> dict[str, Any]:  # noqa: N803
        if self.is_over or not self.is_written:
            return super().get_object(Key, **parameters)
        self._archive_other("before our read")
        return self._read(super().get_object, Key=Key, **parameters)

    def _archive_other(self, moment: str) -> None:
        """Creates the copy, but never overwrites one, as every client does."""
        if self._other == moment:
            self.objects.setdefault(KEY, OTHERS)


@pytest.fixture
def bucket(world: World, write: str, read: str, other: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyBucket]:
    faulty = FaultyBucket(write, read, other)
    services = replace(download.SERVICES, archive=Archive(faulty, "bucket"))  # type: ignore[arg-type]
    monkeypatch.setattr(download, "SERVICES", services)
    monkeypatch.setattr(budgets, "CONFLICT_PAUSE", 0)
    world.provider.responses = [reply(body=OURS)]
    yield faulty
    world.provider.responses = [reply(body=pdf())]


@pytest.mark.parametrize("other", OTHER_COPY)
@pytest.mark.parametrize("read", READ_BACKS)
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.fault("s3-write-and-read")
@pytest.mark.threat("wrong-bytes")
def test_all_clients_get_the_bytes_that_are_archived(
    world: World, bucket: FaultyBucket, write: str, read: str, other: str
) -> None:
    response = world(get())
    archived = bucket.objects.get(KEY)
    bucket.is_over = True
    world.provider.responses = [reply(body=LATER)]
    assert b64decode(world(get())["body"]) == (archived or LATER)
    assert (archived == OTHERS) <= (other != "none")
    if archived is None:
        is_served = read in OF_THE_OBJECT and write != UNDER_WAY
    else:
        is_served = read == "well" or (write in KNOWN and archived == OURS)
    if is_served:
        assert b64decode(response["body"]) == (archived or OURS)
    else:
        assert response == UNAVAILABLE
