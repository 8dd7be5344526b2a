"""The built artifact under the Lambda runtime, behind the local gateway."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3
from moto.moto_server import threaded_moto_server, werkzeug_app

from tests.kit.calls import Recorder
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


@pytest.fixture(scope="package")
def recorder() -> Iterator[Recorder]:
    """What AWS was asked by all that runs."""
    recorder = Recorder()
    application = werkzeug_app.DomainDispatcherApplication
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            threaded_moto_server, "DomainDispatcherApplication", lambda create: recorder.watch(application(create))
        )
        yield recorder


@pytest.fixture(scope="package")
def running(recorder: Recorder) -> Iterator[LocalStack]:  # noqa: ARG001 - it has to watch from the start
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
