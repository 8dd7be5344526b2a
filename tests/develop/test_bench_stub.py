"""The benchmark's cloud, as boto3 sees it."""

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import boto3
import pytest
import urllib3
from botocore.exceptions import ClientError

from develop.bench.stub import STACK, Delays, Stub, certificate_id, in_a_process
from develop.environment import REGION
from develop.local import seeds
from develop.template import Stack

ARCHIVED = certificate_id(200_000)
NOT_ARCHIVED = certificate_id(4_400_000, 7, archived=False)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub(Delays(dynamodb=0, s3=20, provider=0)) as running:
        yield running


@pytest.fixture
def connect(stub: Stub) -> Iterator[Callable[[str], Any]]:
    with ExitStack() as clients:
        session = boto3.Session("id", "secret", region_name=REGION)

        def connect(service: str) -> Any:
            return clients.enter_context(closing(session.client(service, endpoint_url=stub.url)))  # type: ignore[call-overload]

        yield connect


def test_dynamodb_has_one_key_and_every_signature(connect: Callable[[str], Any]) -> None:
    dynamodb = connect("dynamodb")
    key = {"keyHash": seeds.api_keys()[0]["keyHash"]}
    keys, signatures = (Stack(STACK, {}).physical_id(name) for name in ("ApiKeysTable", "SignaturesTable"))
    requests = {keys: {"Keys": [key]}, signatures: {"Keys": [{"id": {"S": ARCHIVED}}]}}
    found = dynamodb.batch_get_item(RequestItems=requests)["Responses"]
    assert found == {
        keys: [seeds.api_keys()[0]],
        signatures: [seeds.signature(ARCHIVED, "completed", f"req_{ARCHIVED}", is_available=True)],
    }
    assert dynamodb.get_item(TableName=keys, Key=key)["Item"] == found[keys][0]


def test_s3_has_certificates_of_every_size_and_its_delay(connect: Callable[[str], Any]) -> None:
    s3 = connect("s3")
    started = time.perf_counter()
    answer = s3.get_object(Bucket="certificates", Key=f"{seeds.PROJECT}/{ARCHIVED}.pdf", ChecksumMode="ENABLED")
    with closing(answer["Body"]) as body:
        content = body.read()
    assert time.perf_counter() - started >= 0.02
    assert len(content) == answer["ContentLength"] == 200_000
    assert (content[:5], content[-6:]) == (b"%PDF-", b"%%EOF\n")
    assert answer["ContentType"] == "application/pdf"
    assert answer["ChecksumSHA256"] == b64encode(hashlib.sha256(content).digest()).decode()


def test_s3_takes_what_it_does_not_have(connect: Callable[[str], Any]) -> None:
    s3 = connect("s3")
    place = {"Bucket": "certificates", "Key": f"{seeds.PROJECT}/{NOT_ARCHIVED}.pdf"}
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(**place)
    assert s3.put_object(**place, Body=b"0" * 4_400_000, ChecksumAlgorithm="SHA256", IfNoneMatch="*")["ETag"]


def test_the_provider_its_secret_and_the_queue_answer(stub: Stub, connect: Callable[[str], Any]) -> None:
    secret = connect("secretsmanager").get_secret_value(SecretId="any")
    assert secret["SecretString"] == seeds.PROVIDER_SECRET
    queue = f"{stub.url}/123456789012/queue"
    connect("sqs").change_message_visibility(QueueUrl=queue, ReceiptHandle="any", VisibilityTimeout=30)
    with urllib3.PoolManager(retries=False) as http:
        url = f"{stub.url}/v1/requests/req_{NOT_ARCHIVED}/certificate"
        answer = http.request("GET", url, headers={"Authorization": f"Bearer {seeds.PROVIDER_SECRET}"})
    assert (answer.status, len(answer.data)) == (200, 4_400_000)


def test_a_stub_in_its_own_process_answers_and_ends() -> None:
    with in_a_process(Delays(0, 0, 0)) as url, urllib3.PoolManager(retries=False) as http:
        assert http.request("GET", f"{url}/v1/requests/req_{ARCHIVED}/certificate").status == 401
    with urllib3.PoolManager(retries=False) as http, pytest.raises(urllib3.exceptions.NewConnectionError):
        http.request("GET", url)
