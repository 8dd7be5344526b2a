"""The built artifact under the Lambda runtime, behind the local gateway."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3

from tools.local import seeds
from tools.local.emulator import Emulator
from tools.local.stack import DOWNLOAD, LocalStack, local_stack


@dataclass(frozen=True)
class Client:
    """A program that calls the endpoint."""

    running: LocalStack
    http: urllib3.PoolManager

    def get(self, path: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
        return self.http.request(method, self.running.url + path, headers=headers, redirect=False)

    def certificate(self, signature_id: str, **headers: str) -> urllib3.BaseHTTPResponse:
        authorization = {"Authorization": f"Bearer {seeds.KEY}"}
        return self.get(f"/v1/signatures/{signature_id}/certificate", **authorization | headers)


def archive(running: LocalStack, signature_id: str, content: bytes) -> None:
    """A new signature request, whose certificate is archived."""
    item = seeds.signatures()[0] | {
        "id": {"S": signature_id},
        "certificateUrl": {"S": f"https://api.craftkit.example/v1/signatures/{signature_id}/certificate"},
    }
    running.client("dynamodb").put_item(TableName=running.stack.physical_id("SignaturesTable"), Item=item)
    running.client("s3").put_object(
        Bucket=running.stack.physical_id("CertificatesBucket"),
        Key=f"{seeds.PROJECT}/{signature_id}.pdf",
        Body=content,
        ChecksumAlgorithm="SHA256",
    )


@pytest.fixture(scope="package")
def running() -> Iterator[LocalStack]:
    """For these tests only: other tests empty the AWS of this process."""
    with local_stack(Emulator) as stack:
        yield stack


@pytest.fixture
def client(running: LocalStack) -> Iterator[Client]:
    with urllib3.PoolManager(retries=False) as http:
        yield Client(running, http)


@pytest.fixture
def sandbox(running: LocalStack) -> Any:
    """The running emulator."""
    return running.functions[DOWNLOAD]
