"""The built artifact under the Lambda runtime, behind the local gateway."""

import json
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from moto.moto_server import threaded_moto_server, werkzeug_app
from moto.s3.models import s3_backends

from develop.fakes.cloud import Cloud
from develop.fakes.server import ScriptedServer
from develop.local import seeds
from develop.local.emulator import Emulator
from develop.local.gateway import Invoke
from develop.local.stack import ARCHIVE, DOWNLOAD, REFRESH, LocalService, local_service
from develop.template import ACCOUNT, Stack
from tests.service.artifact import test_faults, test_provider_faults
from tests.support.calls import Call, Recorder
from tests.support.execution_environments import ExecutionEnvironments
from tests.support.faults import Fault, FaultResult, GetResult, run_fault
from tests.support.pdf import pdf
from tests.support.refresh import ASSERTING, ROTATING, issue
from tests.support.stack import OAUTH


def put_signature_request(running: LocalService, id_: str, provider_request_id: str = "req_first") -> None:
    item = seeds.signature(id_, "completed", provider_request_id, is_available=True)
    running.client("dynamodb").put_item(TableName=running.stack.physical_id("SignaturesTable"), Item=item)


def archive(running: LocalService, id_: str, content: bytes) -> None:
    """Creates a signature request whose certificate is archived."""
    put_signature_request(running, id_)
    object_ = {"Bucket": running.stack.physical_id("CertificatesBucket"), "Key": f"{seeds.PROJECT}/{id_}.pdf"}
    running.client("s3").put_object(**object_, Body=content, ChecksumAlgorithm="SHA256")


def read_archived(running: LocalService, situation: str) -> bytes:
    key = f"{seeds.PROJECT}/{seeds.signature_id(situation)}.pdf"
    bucket = running.stack.physical_id("CertificatesBucket")
    return bytes(running.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


@pytest.fixture(scope="package")
def recorder() -> Iterator[Recorder]:
    """Records every call to AWS."""
    recorder = Recorder()
    application = werkzeug_app.DomainDispatcherApplication
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            threaded_moto_server, "DomainDispatcherApplication", lambda create: recorder.watch(application(create))
        )
        yield recorder


@pytest.fixture(scope="package")
def running(recorder: Recorder) -> Iterator[LocalService]:  # noqa: ARG001 - must record from the start
    """The local service, for these tests only: other tests empty the AWS of this process."""
    with local_service(Emulator) as stack:
        yield stack


@pytest.fixture
def instance(running: LocalService) -> Any:
    """The execution environment of the download function."""
    return running.functions[DOWNLOAD]


SECONDS = 120
"""Far more than needed, for busy machines."""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_archived(running: LocalService, signature_id: str) -> bool:
    bucket = running.stack.physical_id("CertificatesBucket")
    listed = running.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{seeds.PROJECT}/{signature_id}.pdf")
    return bool(listed["KeyCount"])


def complete(running: LocalService) -> str:
    """Lets all parties sign a new request and returns its id."""
    url = f"http://127.0.0.1:{running.provider.server_address[1]}/complete"
    with urllib.request.urlopen(urllib.request.Request(url, method="POST")) as response:
        return str(response.read().decode().strip())


def forget_first(running: LocalService) -> None:
    """Makes the situations' first download one again, which no function and no S3 client could."""
    bucket = s3_backends[ACCOUNT]["aws"].buckets[running.stack.physical_id("CertificatesBucket")]
    with suppress(KeyError):
        bucket.keys.pop(f"{seeds.PROJECT}/{seeds.signature_id('download_first')}.pdf")


def settle(running: LocalService) -> None:
    """Waits until the messages about all completed requests are done with. The stream alone announces one more, after
    the others."""
    id_ = str(uuid.uuid4())
    running.provider.documents[f"req_{id_}"] = pdf
    put_signature_request(running, id_, f"req_{id_}")
    wait_until(lambda: is_archived(running, id_))
    sqs, name = running.client("sqs"), running.stack.physical_id("ArchiveQueue")
    numbers = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    queue = {"QueueUrl": sqs.get_queue_url(QueueName=name)["QueueUrl"], "AttributeNames": numbers}
    wait_until(lambda: set(sqs.get_queue_attributes(**queue)["Attributes"].values()) == {"0"})


@dataclass(frozen=True)
class Refreshing:
    """The local service's stack with a provider whose credentials expire."""

    stack: Stack
    endpoint: ScriptedServer
    invoke: Invoke


@pytest.fixture(scope="package")
def refreshing(running: LocalService) -> Iterator[Refreshing]:
    """The token endpoint issues the access token that the provider accepts, and rotates refresh tokens."""
    key = running.client("kms").create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    with ScriptedServer(issue(seeds.PROVIDER_SECRET, "r2")) as endpoint:
        oauth = OAUTH | {"ProviderTokenUrl": endpoint.url, "ProviderSigningKeyArn": key}
        stack = Stack(running.stack.name, running.stack.parameters | oauth)
        running.client("secretsmanager").create_secret(Name=oauth["ProviderOAuthSecretName"])
        environment = stack.environment(REFRESH) | {"AWS_ENDPOINT_URL": running.aws_url, "AWS_ACCESS_KEY_ID": REFRESH}
        with Emulator(stack, REFRESH, environment) as invoke:
            yield Refreshing(stack, endpoint, invoke)


@pytest.fixture(scope="package")
def calls(running: LocalService, refreshing: Refreshing, recorder: Recorder) -> set[Call]:
    """The calls of every situation, of one completed signature request on its way from the table to the archive, and of
    two refreshed access tokens."""
    for credentials in (ROTATING, ASSERTING):
        running.client("secretsmanager").put_secret_value(
            SecretId=OAUTH["ProviderOAuthSecretName"], SecretString=json.dumps(credentials)
        )
        reply = json.loads(refreshing.invoke(json.dumps(seeds.event(seeds.REFRESH_EVENT)).encode()))
        assert reply["rotated"] is (credentials is ROTATING), reply
    downloads = [situation.event for situation in seeds.SITUATIONS]
    for function, events in ((DOWNLOAD, downloads), (ARCHIVE, seeds.ARCHIVE_SITUATIONS)):
        forget_first(running)
        for event in events:
            running.functions[function](json.dumps(seeds.event(event)).encode())
    complete(running)
    settle(running)
    return recorder.calls


@pytest.fixture(scope="package")
def cloud(stack: Stack) -> Iterator[Cloud]:
    with Cloud(stack) as running:
        yield running


@pytest.fixture(scope="package")
def instances(cloud: Cloud) -> Iterator[ExecutionEnvironments]:
    with ExecutionEnvironments(cloud, 3) as running:
        yield running


@pytest.fixture(scope="package")
def get_result(cloud: Cloud, instances: ExecutionEnvironments) -> Iterator[GetResult]:
    """Runs the faults of downloads, all at once: most of their time is spent waiting. Those that need other execution
    environments start these one after the other, meanwhile."""
    faults = test_faults.FAULTS | test_provider_faults.FAULTS
    environments: dict[tuple[tuple[str, Any], ...], ExecutionEnvironments] = {(): instances}
    starting, clean_up = threading.Lock(), ExitStack()

    def run(name: str, fault: Fault) -> FaultResult:
        if fault.environment not in environments:
            with starting:
                if fault.environment not in environments:
                    started = clean_up.enter_context(ExecutionEnvironments(cloud, **fault.settings))
                    environments[fault.environment] = started
        return run_fault(name, fault, cloud, environments[fault.environment])

    with clean_up, ThreadPoolExecutor(len(faults)) as pool:
        futures = {name: pool.submit(run, name, fault) for name, fault in faults.items()}
        yield lambda name: futures[name].result()
