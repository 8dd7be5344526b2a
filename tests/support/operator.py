"""Runs the operator's commands, and creates the stack that they work on."""

import io
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.handlers
import moto
import pytest
from click.testing import CliRunner, Result
from moto.s3.models import S3Backend

from develop.fakes.server import Response, ScriptedServer
from develop.local.aws import serve_aws
from develop.local.resources import create_queues, create_resources
from develop.local.stack import make_stack, serving
from develop.template import Stack
from operate.cli import main
from tests.support.deployed import AWS, CLOUDFORMATION, DYNAMODB, S3, SQS, deployed
from tests.support.pdf import pdf
from tests.support.stack import REPLICA

NO_URL = {"certificateUrl": {"NULL": True}}
WRONG_STATUS = {"status": {"S": "unheard-of"}}

ScriptAws = Callable[..., ScriptedServer]
"""`script("S3", *answers)` replaces an AWS service with a scripted server."""


def signature_id(number: int) -> str:
    return f"0f8fad5b-d9cb-469f-a165-{number:012}"


@dataclass(frozen=True)
class Operator:
    """Runs commands on a stack, and seeds it."""

    stack: Stack

    def __call__(self, *arguments: str, answer: str | bytes | None = None) -> Result:
        """Runs a command on the stack, without a terminal."""
        return run(*arguments, "--stack", self.stack.name, answer=answer)

    def name(self, logical_id: str) -> str:
        return self.stack.physical_id(logical_id)

    def queue_url(self, logical_id: str = "ArchiveQueue") -> str:
        return SQS.get_queue_url(QueueName=self.name(logical_id))["QueueUrl"]

    def seed(self, number: int, **attributes: Any) -> str:
        """A signature request whose certificate is available."""
        id_ = signature_id(number)
        item = {
            "id": {"S": id_},
            "projectId": {"S": "prj_1"},
            "status": {"S": "completed"},
            "certificateUrl": {"S": f"https://api.craftkit.example/v1/signatures/{id_}/certificate"},
        } | attributes
        DYNAMODB.put_item(TableName=self.name("SignaturesTable"), Item=item)
        return id_

    def archive(self, number: int, content: bytes = pdf(), **arguments: Any) -> None:
        S3.put_object(
            Bucket=self.name("CertificatesBucket"),
            Key=f"prj_1/{signature_id(number)}.pdf",
            Body=content,
            **({"ChecksumAlgorithm": "SHA256"} | arguments),
        )

    def enqueued(self) -> list[str]:
        """Takes all messages from the queue."""
        bodies = []
        while messages := SQS.receive_message(QueueUrl=self.queue_url(), MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                SQS.delete_message(QueueUrl=self.queue_url(), ReceiptHandle=message["ReceiptHandle"])
            bodies += [json.loads(message["Body"]) for message in messages]
        assert all(body.keys() == {"signatureRequestId"} for body in bodies)
        return sorted(body["signatureRequestId"] for body in bodies)

    def stored_keys(self) -> list[dict[str, Any]]:
        """The items of ApiKeysTable."""
        return list(DYNAMODB.scan(TableName=self.name("ApiKeysTable"))["Items"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(*arguments: str, answer: str | bytes | None = None) -> Result:
    return CliRunner(mix_stderr=False).invoke(main, arguments, input=answer, prog_name="certificates")


@contextmanager
def operator(stack: Stack) -> Iterator[Operator]:
    """Creates the template's tables, bucket and queues, empty, and a CloudFormation stack that names them."""
    with deployed(stack):
        create_queues(stack, AWS.client)
        deploy(stack.name, stack.outputs, {name: stack.parameters[name] for name in REPLICA})
        yield Operator(stack)


@contextmanager
def local_operator() -> Iterator[tuple[Operator, tuple[str, ...]]]:
    """The local service without its functions, and the options that choose it."""
    stack = make_stack(provider_port=1)
    server = serve_aws(stack, "127.0.0.1", 0, {})
    with moto.mock_aws(), serving(server):
        url = f"http://127.0.0.1:{server.port}"
        client = partial(boto3.Session().client, endpoint_url=url)
        create_resources(stack, "secret", client)
        create_queues(stack, client)
        yield Operator(stack), ("--local", "--port", str(server.port - 1))


def kill_at(operation: str, number: int, *arguments: str) -> None:
    """Runs the program in a process of its own, and kills it at its call of this number of an operation of S3."""
    program, calls = Path(sys.executable).with_name("certificates"), itertools.count(1)
    act = getattr(S3Backend, operation)

    def count(*positions: Any, **names: Any) -> Any:
        if next(calls) == number:
            process.kill()
        return act(*positions, **names)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Backend, operation, count)
        with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            process.wait()
    assert process.returncode == -signal.SIGKILL


@contextmanager
def scripted_services(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptAws]:
    with ExitStack() as servers:

        def script(service: str, *answers: Response) -> ScriptedServer:
            server = servers.enter_context(ScriptedServer(*answers))
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", server.url)
            return server

        yield script


def before(monkeypatch: pytest.MonkeyPatch, call: str, act: Callable[[int], None]) -> None:
    """Calls `act` before each AWS call of this name, with its number, counted from 1."""
    calls = itertools.count(1)
    handler = (f"before-call.{call}", lambda **_: act(next(calls)))
    handlers = [*botocore.handlers.BUILTIN_HANDLERS, handler]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)


def fail_at(monkeypatch: pytest.MonkeyPatch, call: str, number: int, error: BaseException) -> None:
    """Raises an error instead of the AWS call of this name and number."""

    def act(calls: int) -> None:
        if calls == number:
            raise error

    before(monkeypatch, call, act)


def json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def summary(text: str) -> dict[str, str]:
    """Parses the lines of numbers."""
    pairs = [line.rsplit(" ", 1) for line in text.splitlines()]
    return {name.strip(): value for name, value in pairs}


def deploy(name: str, outputs: Mapping[str, str], parameters: Mapping[str, str] | None = None) -> None:
    """Creates a CloudFormation stack that has only outputs and parameters."""
    template = {
        "Parameters": {key: {"Type": "String", "Default": value} for key, value in (parameters or {}).items()},
        "Resources": {},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    CLOUDFORMATION.create_stack(StackName=name, TemplateBody=json.dumps(template))
