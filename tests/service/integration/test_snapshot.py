"""A SnapStart snapshot holds the role's short-lived credentials, and no other secret, random value or connection."""

import gc
import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from snapshot_restore_py import get_after_restore

from develop.environment import CREDENTIALS, REGION
from develop.fakes.server import Response, ScriptedServer, reply
from develop.template import ROOT
from functions.download_certificate import handler

IMPORT = """
import socket, sys

connect, allowed = socket.socket.connect, ("127.0.0.1", int(sys.argv[1]))

def watch(self, address):
    if address != allowed:
        sys.exit("connected before the snapshot")  # botocore catches every other exception
    return connect(self, address)

socket.socket.connect = socket.socket.connect_ex = watch
from awslambdaric.lambda_runtime_hooks_runner import run_before_snapshot
from functions.download_certificate.handler import SERVICES

run_before_snapshot()
credentials = SERVICES.archive._s3._request_signer._credentials
print(credentials.access_key, credentials.get_frozen_credentials().access_key)
"""


def credentials(name: str, lifetime: timedelta) -> Response:
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html (environment variables)."""
    document = {"AccessKeyId": name, "SecretAccessKey": "s", "Token": "t"}
    expiration = (datetime.now(UTC) + lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
    return reply(200, json.dumps(document | {"Expiration": expiration}).encode())


def test_only_the_roles_credentials_are_fetched_before_the_snapshot_and_again_after_they_expire() -> None:
    """A client resolves credentials when it is created. The snapshot holds them, encrypted with our key."""
    path = os.pathsep.join(str(folder) for folder in (ROOT, ROOT / "layers" / "certificates"))
    environment = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    first, second = credentials("first", timedelta(minutes=1)), credentials("second", timedelta(hours=6))
    with ScriptedServer(first, second) as server:
        container = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/2021-04-23/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }
        run = [sys.executable, "-c", IMPORT, str(server.port)]
        output = subprocess.run(
            run, env=environment | container | {"PYTHONPATH": path}, check=True, capture_output=True
        )
    assert output.stdout.split() == [b"second", b"second"]
    assert [request.target for request in server.requests] == ["/2021-04-23/credentials"] * 2


def test_calls_are_prepared_up_to_their_connection() -> None:
    clients = vars(handler.SERVICES.records)["_dynamodb"], vars(handler.SERVICES.archive)["_s3"]
    prepared: list[str] = []

    def record(event_name: str, **_: object) -> None:
        prepared.append(event_name)

    for client in clients:
        client.meta.events.register_first("before-send", record)
    try:
        handler.prepare_calls()
    finally:
        for client in clients:
            client.meta.events.unregister("before-send", record)
    assert prepared == ["before-send.dynamodb.BatchGetItem", "before-send.s3.GetObject"]


def test_what_was_imported_is_no_garbage_to_look_for() -> None:
    assert gc.isenabled()
    assert gc.get_freeze_count() > 100_000


@pytest.mark.threat("provider-secret")
def test_the_secret_is_none_of_it() -> None:
    assert vars(vars(handler.SERVICES.provider)["_secret"])["_value"] == ""


def test_each_execution_environment_draws_its_own_random_numbers() -> None:
    ((restore, arguments, named),) = get_after_restore()
    state = random.getstate()
    restore(*arguments, **named)
    assert random.getstate() != state
