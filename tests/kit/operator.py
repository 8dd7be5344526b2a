"""The operator at the command line, and the stack that the commands work on."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import moto
from click.testing import CliRunner, Result

from tests.kit.pdf import pdf
from tools.local import seeds
from tools.local.resources import create_resources
from tools.operate.commands import main
from tools.template import REGION, Stack


def signature_id(number: int) -> str:
    return f"0f8fad5b-d9cb-469f-a165-{number:012}"


@dataclass(frozen=True)
class Operator:
    """Runs a command, and holds what it works on."""

    stack: Stack
    aws: boto3.Session

    def __call__(self, *arguments: str, answer: str | None = None) -> Result:
        """On the stack, without a terminal."""
        return run(*arguments, "--stack", self.stack.name, answer=answer)

    def name(self, logical_id: str) -> str:
        return self.stack.physical_id(logical_id)

    def queue_url(self, logical_id: str = "ArchiveQueue") -> str:
        return self.aws.client("sqs").get_queue_url(QueueName=self.name(logical_id))["QueueUrl"]

    def seed(self, number: int, **attributes: Any) -> str:
        """A signature request whose certificate is available."""
        id_ = signature_id(number)
        item = {
            "id": {"S": id_},
            "projectId": {"S": "prj_1"},
            "status": {"S": "completed"},
            "certificateUrl": {"S": f"https://api.craftkit.example/v1/signatures/{id_}/certificate"},
        } | attributes
        self.aws.client("dynamodb").put_item(TableName=self.name("SignaturesTable"), Item=item)
        return id_

    def archive(self, number: int, content: bytes = pdf(), **arguments: Any) -> None:
        self.aws.client("s3").put_object(
            Bucket=self.name("CertificatesBucket"),
            Key=f"prj_1/{signature_id(number)}.pdf",
            Body=content,
            **({"ChecksumAlgorithm": "SHA256"} | arguments),
        )

    def enqueued(self) -> list[str]:
        """The messages in the queue, which are taken from it."""
        sqs, bodies = self.aws.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self.queue_url(), MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=self.queue_url(), ReceiptHandle=message["ReceiptHandle"])
            bodies += [json.loads(message["Body"]) for message in messages]
        assert all(body.keys() == {"signatureRequestId"} for body in bodies)
        return sorted(body["signatureRequestId"] for body in bodies)

    def stored_keys(self) -> list[dict[str, Any]]:
        """The items of ApiKeysTable."""
        return list(self.aws.client("dynamodb").scan(TableName=self.name("ApiKeysTable"))["Items"])


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner(mix_stderr=False).invoke(main, arguments, input=answer, prog_name="tools")


@contextmanager
def operator(stack: Stack) -> Iterator[Operator]:
    """Empty tables, bucket and queues of the template, and a CloudFormation stack that names them."""
    with moto.mock_aws():
        aws = boto3.Session(region_name=REGION)
        create_resources(stack, seeds.PROVIDER_SECRET, aws)
        found = Operator(stack, aws)
        outputs = {
            "ApiKeysTableName": found.name("ApiKeysTable"),
            "SignaturesTableName": found.name("SignaturesTable"),
            "CertificatesBucketName": found.name("CertificatesBucket"),
            "ArchiveQueueUrl": found.queue_url(),
            "ArchiveDeadLetterQueueUrl": found.queue_url("ArchiveDeadLetterQueue"),
        }
        deploy(aws, stack.name, outputs)
        yield found


def deploy(aws: boto3.Session, name: str, outputs: Mapping[str, str]) -> None:
    """A CloudFormation stack with nothing but outputs."""
    template = {"Resources": {}, "Outputs": {key: {"Value": value} for key, value in outputs.items()}}
    aws.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
