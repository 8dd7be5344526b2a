"""Runs the operator's commands, and creates the stack that they work on."""

import io
import json
import signal
import subprocess
import sys
import threading
import time
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
from botocore.retries.standard import ExponentialBackoff
from click.testing import CliRunner, Result

from develop.fakes.server import Response, ScriptedServer
from develop.local.aws import serve_aws
from develop.local.resources import create_queues, create_resources
from develop.local.stack import make_stack, serving
from develop.template import Stack
from operate import signature_requests as signatures
from operate.cli import main
from operate.commands import reconcile
from tests.support.deployed import AWS, CLOUDFORMATION, DYNAMODB, S3, SQS, deployed
from tests.support.pdf import pdf
from tests.support.stack import REPLICA

NO_URL = {"certificateUrl": {"NULL": True}}
WRONG_STATUS = {"status": {"S": "unheard-of"}}
STOP_SECONDS = 60
RESEND_SECONDS = 5

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
def operator_in(folder: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    """As `operator`, in this folder and without pauses between retries."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(reconcile, "FIRST_PAUSE", 0)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with operator(stack) as found:
        yield found


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


def kill_when(is_time: Callable[[], bool], *arguments: str) -> None:
    """Runs the program in a process of its own, and kills it at some time."""
    program = Path(sys.executable).with_name("certificates")
    with subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not is_time():
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
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
    lock, calls = threading.Lock(), [0]

    def handle(**_: Any) -> None:
        with lock:
            calls[0] += 1
            number = calls[0]
        act(number)

    handlers = [*botocore.handlers.BUILTIN_HANDLERS, (f"before-call.{call}", handle)]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)


def interrupt(monkeypatch: pytest.MonkeyPatch, call: str, first: int = 1) -> None:
    """Sends Ctrl-C at the AWS call of this number and name. This and later calls wait until the command has told its
    threads to stop: how soon the main thread notices the signal depends on the machine. One that arrives just before
    it begins to wait is noticed after the wait, so a user would press the keys again."""
    main_thread = threading.main_thread().ident or 0
    stops: list[threading.Event] = []

    def make_event() -> threading.Event:
        stops.append(threading.Event())
        return stops[-1]

    def act(number: int) -> None:
        if number < first:
            return
        for _ in range(STOP_SECONDS // RESEND_SECONDS):
            if number == first:
                signal.pthread_kill(main_thread, signal.SIGINT)
            if stops[-1].wait(RESEND_SECONDS):
                return

    monkeypatch.setattr(signatures, "Event", make_event)
    before(monkeypatch, call, act)


def json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def summary(text: str) -> dict[str, str]:
    """Parses the lines of numbers, without the duration."""
    pairs = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("seconds ")]
    return {name.strip(): value for name, value in pairs}


def deploy(name: str, outputs: Mapping[str, str], parameters: Mapping[str, str] | None = None) -> None:
    """Creates a CloudFormation stack that has only outputs and parameters."""
    template = {
        "Parameters": {key: {"Type": "String", "Default": value} for key, value in (parameters or {}).items()},
        "Resources": {},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    CLOUDFORMATION.create_stack(StackName=name, TemplateBody=json.dumps(template))
