"""docs/openapi.yaml describes every response of the function and the gateway, and no others."""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from itertools import chain
from typing import Any, NamedTuple

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from samtranslator.yaml_helper import yaml_parse

from certificates import errors
from certificates.archive import Part, Stored
from develop.template import ROOT
from functions.download_certificate.download import INLINE_LIMIT, Download, NotFound, PreconditionFailed, Unauthorized
from functions.download_certificate.failures import RecentlyFailed
from functions.download_certificate.request import Request
from functions.download_certificate.responses import REFUSALS, error_response, success_response
from tests.support.responses import ID, REQUEST_ID
from tests.support.stack import STACK

FILE: dict[str, Any] = yaml_parse((ROOT / "docs" / "openapi.yaml").read_text())
OPERATIONS: dict[str, Any] = FILE["paths"]["/v1/signatures/{id}/certificate"]
OPERATION: dict[str, Any] = OPERATIONS["get"]
API: dict[str, Any] = STACK.resources["CertificatesApi"]["Properties"]["Body"]

# The values in the file's examples.
ETAG = '"5d41402abc4b2a76b9719d911017c592"'
CONTENT = b"%PDF-1.7\n%%EOF\n"
SHA256 = "HnMTrOePD7SBpIaTm0iFkCZjECgYCQgFUVVT2E4Lv9M="
WHOLE = Part(Stored(ETAG, len(CONTENT)), CONTENT, SHA256)
FIRST = Part(Stored(ETAG, 9_000_000), bytes(INLINE_LIMIT), SHA256)
REFUSED = [
    Unauthorized(),
    NotFound(),
    errors.NotAvailableYet("sent"),
    errors.NotAvailableYet("completed"),
    errors.NotAvailable("declined"),
]
REFUSED += [PreconditionFailed(), errors.CertificateTooLarge(9_000_000), errors.RangeNotSatisfiable(61_440)]
FAILED = [errors.InvalidRecord("signatures", {}), errors.ProviderFailed("timed_out"), RecentlyFailed(10)]
FAILED += [errors.RecordsUnavailable("Throttled"), errors.ArchiveUnavailable("SlowDown")]
ERRORS: list[Exception] = [*REFUSED, *FAILED]

# The statuses of API Gateway's own responses that the template does not set.
# Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
GATEWAY_STATUSES = {
    "BAD_REQUEST_BODY": 400,
    "BAD_REQUEST_PARAMETERS": 400,
    "DEFAULT_4XX": 400,
    "QUOTA_EXCEEDED": 429,
    "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429,
    "WAF_FILTERED": 403,
}
# API Gateway's responses to every other address and method.
ELSEWHERE = {"ACCESS_DENIED", "INVALID_SIGNATURE", "MISSING_AUTHENTICATION_TOKEN", "RESOURCE_NOT_FOUND"}


class Response(NamedTuple):
    """A response as the client receives it."""

    status: str
    headers: Mapping[str, str]
    body: str


def respond(status: int, headers: Mapping[str, str], body: str) -> Response:
    return Response(str(status), {"x-amzn-RequestId": REQUEST_ID, **headers}, body)


def function_responses() -> Iterator[Response]:
    downloads = [
        Download(WHOLE.stored, WHOLE),
        Download(FIRST.stored, FIRST, is_range=True),
        Download(WHOLE.stored, None),
    ]
    for response in chain(
        (success_response(download, ID, REQUEST_ID) for download in downloads),
        (error_response(REFUSALS[type(error)], error, REQUEST_ID) for error in ERRORS),
    ):
        yield respond(response["statusCode"], response["headers"], response["body"])


def gateway_responses(*, elsewhere: bool) -> Iterator[Response]:
    for kind, response in API["x-amazon-apigateway-gateway-responses"].items():
        if (kind in ELSEWHERE) is elsewhere:
            headers = {
                name.removeprefix("gatewayresponse.header."): value.strip("'")
                for name, value in response["responseParameters"].items()
            }
            status = int(response.get("statusCode") or GATEWAY_STATUSES[kind])
            yield respond(status, headers, response["responseTemplates"]["application/json"])


RESPONSES = [*function_responses(), *gateway_responses(elsewhere=False)]


def resolve(value: Any) -> Any:
    """The value with all references resolved."""
    if isinstance(value, list):
        return [resolve(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return resolve(reduce(lambda part, name: part[name], value["$ref"].removeprefix("#/").split("/"), FILE))
    return {name: resolve(item) for name, item in value.items()}


def documented(response: Mapping[str, Any]) -> dict[str, Any]:
    json_content = response.get("content", {}).get("application/json", {"examples": {}})
    return {
        "media types": set(response.get("content", {})),
        "headers": {name: header.get("required", False) for name, header in response["headers"].items()},
        "bodies": {json.dumps(example["value"]) for example in json_content["examples"].values()},
    }


def given(responses: Iterable[Response]) -> dict[str, Any]:
    """The responses in the form of `documented`. A header is required if all of them have it."""
    headers = [one.headers.keys() - {"Content-Type"} for one in responses]
    return {
        "media types": {one.headers["Content-Type"] for one in responses if "Content-Type" in one.headers},
        "headers": {name: all(name in names for names in headers) for name in set().union(*headers)},
        "bodies": {one.body for one in responses if one.headers.get("Content-Type") == "application/json"},
    }


def test_the_file_is_valid_openapi_3_1() -> None:
    assert FILE["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(FILE).iter_errors()) == []


@pytest.mark.threat("API9")
def test_the_file_has_the_routes_and_methods_of_the_template() -> None:
    routes = {path: set(operations) for path, operations in API["paths"].items()}
    assert {path: set(operations) for path, operations in FILE["paths"].items()} == routes


def test_the_parameters_are_what_the_function_reads() -> None:
    fields = {field.name for field in dataclasses.fields(Request)} - {"request_id", "method", "signature_id", "key"}
    headers = {("header", name.replace("_", "-").title()) for name in fields}
    assert {(p["in"], p["name"]) for p in OPERATION["parameters"]} == headers | {("path", "id")}
    assert [p["name"] for p in OPERATION["parameters"] if p.get("required")] == ["id"]
    assert FILE["security"] == [{"apiKey": []}]
    assert FILE["components"]["securitySchemes"]["apiKey"].items() >= {"type": "http", "scheme": "bearer"}.items()


def test_head_is_documented_like_get() -> None:
    names = ("parameters", "responses")
    assert {name: OPERATIONS["head"][name] for name in names} == {name: OPERATION[name] for name in names}
    assert "no body" in OPERATIONS["head"]["description"]


def test_the_file_has_the_actual_statuses() -> None:
    assert {type(error) for error in ERRORS} == set(REFUSALS)
    assert set(OPERATION["responses"]) == {response.status for response in RESPONSES}


@pytest.mark.parametrize("status", OPERATION["responses"])
def test_media_types_headers_and_texts_are_the_actual_ones(status: str) -> None:
    responses = [response for response in RESPONSES if response.status == status]
    assert documented(resolve(OPERATION["responses"][status])) == given(responses)


@pytest.mark.parametrize("status", OPERATION["responses"])
def test_header_values_are_as_described(status: str) -> None:
    headers = resolve(OPERATION["responses"][status])["headers"]
    given_headers = [response.headers.items() for response in RESPONSES if response.status == status]
    for name, text in chain.from_iterable(given_headers):
        if name in headers:
            value = int(text) if headers[name]["schema"].get("type") == "integer" else text
            assert list(OAS31Validator(headers[name]["schema"]).iter_errors(value)) == []
            assert headers[name].get("example", value) == value


@pytest.mark.parametrize("status", [status for status in OPERATION["responses"] if status >= "400"])
def test_the_schema_of_an_error_accepts_only_its_code(status: str) -> None:
    schema = OAS31Validator(resolve(OPERATION["responses"][status])["content"]["application/json"]["schema"])
    errors = [response for response in RESPONSES if response.status >= "400"]
    assert [schema.is_valid(json.loads(error.body)) for error in errors] == [error.status == status for error in errors]


def test_responses_of_unknown_addresses_are_documented() -> None:
    responses = list(gateway_responses(elsewhere=True))
    assert {response.status for response in responses} == {"404"}
    assert documented(resolve(FILE["components"]["responses"]["UnknownAddress"])) == given(responses)


def test_the_file_states_the_actual_limit() -> None:
    sizes = set(re.findall(r"\b\d,\d{3},\d{3}\b", json.dumps(FILE)))
    assert sizes == {f"{INLINE_LIMIT:,}"}
