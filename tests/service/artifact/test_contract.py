"""The built artifact against docs/openapi.yaml, with schemathesis: the file's examples and generated requests,
valid and invalid ones."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from develop.local import seeds
from develop.local.stack import LocalService
from develop.template import ROOT
from tests.service.artifact.conftest import archive, read_archived
from tests.support.examples import given

if TYPE_CHECKING:
    import schemathesis

# The file's examples name these: the test creates them.
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
ETAG = '"5d41402abc4b2a76b9719d911017c592"'

CERTIFICATE = {200, 206, 304, 412, 416}
# The statuses that a request with the project's key may get, by that of its situation.
MAY_GET = {200: CERTIFICATE, 413: CERTIFICATE - {200} | {413}} | {status: {status} for status in (404, 409, 500, 502)}
# The same by id. Every other id is 404.
STATUSES = {ID: CERTIFICATE} | {
    seeds.signature_id(one.event): MAY_GET[one.status] for one in seeds.SITUATIONS if one.status in MAY_GET
}

# Every other header is in the file.
OF_HTTP = {"connection", "content-length", "content-type", "date"}

TAGS = {"dictionary": "tags", "probability": 0.5}
CONFIG: dict[str, Any] = {
    "dictionaries": {
        "ids": {"values": [*STATUSES, *map(str.upper, STATUSES)]},
        "ranges": {"values": ["bytes=0-99", "bytes=9-", "bytes=-9", "bytes=0-0,2-3", "bytes=99999999-", "bytes=9-1"]},
        "tags": {"values": [ETAG, "*", f'W/{ETAG}, "other"', f'"other", {ETAG}', '"other"', "W/"]},
    },
    "parameters": {
        "path.id": {"dictionary": "ids", "probability": 0.9},
        "header.Range": {"dictionary": "ranges", "probability": 0.5},
        "header.If-Match": TAGS,
        "header.If-None-Match": TAGS,
        "header.If-Range": TAGS,
    },
    # What a well-formed request may get. Not 400 or 403: the service has no reason for them.
    "checks": {
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "3xx", "401", "404", "409", "412", "413", "416", "500", "502"]
        }
    },
}


def cases() -> "st.SearchStrategy[schemathesis.Case[Any]]":
    import schemathesis  # noqa: PLC0415 - takes seconds, also in processes that only collect these tests

    config = schemathesis.config.SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_path(ROOT / "docs" / "openapi.yaml", config=config)
    operations = schema["/v1/signatures/{id}/certificate"].values()
    generated = [one.as_strategy(mode) for one in operations for mode in schemathesis.generation.GenerationMode]
    return st.one_of(*generated, *(example for one in operations for example in one.get_strategies_from_examples()))


@pytest.fixture(scope="module")
def etag(running: LocalService) -> str:
    """The ETag of the seeded archived certificate, and of a copy that is archived for ID."""
    content = read_archived(running, "download_archived")
    archive(running, ID, content)
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'  # as S3 makes it


@pytest.fixture(autouse=True)
def keeps_running(instance: Any) -> Iterator[None]:
    """Asserts that no request ends the execution environment."""
    process = instance.process.pid
    yield
    assert (instance.process.pid, instance.process.poll()) == (process, None)


@pytest.mark.fuzz
@pytest.mark.threat("API9")
@given(case=st.deferred(cases), key=st.sampled_from([seeds.KEY, seeds.KEY, seeds.REVOKED_KEY, None]))
def test_every_response_is_as_the_file_says(
    case: "schemathesis.Case[Any]", key: str | None, running: LocalService, etag: str
) -> None:
    """Without a key, the request has one that is made up."""
    from schemathesis.checks import not_a_server_error  # noqa: PLC0415

    for name, value in case.headers.items():
        case.headers[name] = value.replace(ETAG, etag)
    statuses = STATUSES.get(str(case.path_parameters["id"]).lower(), {404})
    response = case.call_and_validate(
        base_url=running.url,
        headers={"Authorization": f"Bearer {key}"} if key else None,
        excluded_checks=[not_a_server_error] if statuses <= {500, 502} else [],
    )
    is_authorized = response.request.headers.get("Authorization") == f"Bearer {seeds.KEY}"
    assert response.status_code in (statuses if is_authorized else {401})
    documented = case.operation.responses.find_by_status_code(response.status_code).headers.items()
    assert response.headers.keys() - OF_HTTP <= {name.lower() for name, _ in documented}
