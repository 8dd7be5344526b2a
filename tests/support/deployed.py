"""The template's resources in moto. They are created once in each process, and every test gets a copy of its own:
that takes a tenth of the time. moto has no public way to save and restore its state; once it has, use that instead."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from typing import Any

import boto3
import moto
from moto.backends import get_backend

from develop.environment import REGION
from develop.local import seeds
from develop.local.resources import create_resources
from develop.template import ACCOUNT, Stack

# Made before a test replaces a service or its answers, which only later clients see.
AWS = boto3.Session(region_name=REGION)
CLOUDFORMATION = AWS.client("cloudformation")
DYNAMODB = AWS.client("dynamodb")
S3 = AWS.client("s3")
SQS = AWS.client("sqs")

_COPIED = {"dynamodb": REGION, "s3": "aws", "secretsmanager": REGION}
"""Services, and where moto keeps what they hold."""


@contextmanager
def deployed(stack: Stack, *, with_api_keys: bool = False) -> Iterator[None]:
    """AWS after a deployment: the template's tables, buckets and secret, empty but for the API keys of `seeds`, if
    wanted. No queues: moto can't copy them."""
    states = _deploy(stack, with_api_keys=with_api_keys)
    with moto.mock_aws(config={"core": {"reset_boto3_session": False}}):
        for service, state in states.items():
            _state(service).update(deepcopy(state))
        yield


@cache
def _deploy(stack: Stack, *, with_api_keys: bool) -> dict[str, Any]:
    with moto.mock_aws():
        create_resources(stack, seeds.PROVIDER_SECRET, AWS.client)
        for item in seeds.api_keys() if with_api_keys else []:
            DYNAMODB.put_item(TableName=stack.physical_id("ApiKeysTable"), Item=item)
        return {service: deepcopy(_state(service)) for service in _COPIED}


def _state(service: str) -> dict[str, Any]:
    backends: Any = get_backend(service)  # type: ignore[call-overload]
    found: dict[str, Any] = vars(backends[ACCOUNT][_COPIED[service]])
    return found
