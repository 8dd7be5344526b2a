"""The built artifact in MiniStack, a stand-in for AWS that others wrote: `sam deploy`, CloudFormation and the services.

One test follows the life of a stack; `make deploy-local` runs it alone. What MiniStack can't deploy is left out of the
template, and what it gets wrong is said where a step meets it. It enforces no policy of any kind.
"""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import urllib3
from click.testing import CliRunner
from samtranslator.yaml_helper import yaml_parse

from develop.environment import CREDENTIALS, REGION
from develop.local import seeds
from develop.local.emulator import reserve_port
from develop.local.provider import PATH, ProviderStub
from develop.local.runtime import ARCHITECTURE
from develop.local.stack import DOWNLOAD, serving
from develop.template import ROOT
from operate.cli import main as certificates
from tests.service.artifact.conftest import wait_until

NAME = "craftkit-certificates"
BUILT = ROOT / ".aws-sam/build"
SAM = Path(sys.executable).with_name("sam")
UNKNOWN_TYPES = {"AWS::Logs::QueryDefinition", "AWS::WAFv2::WebACLAssociation"}
HOLDS_DATA = {"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::SQS::Queue"}
PARAMETERS = [
    f"Architecture={ARCHITECTURE}",
    'ProviderAuthHeader="Authorization: Bearer {secret}"',
    "ProviderSecretName=craftkit/provider-secret",
]


def build_template() -> dict[str, Any]:
    """The built template, without what MiniStack can't deploy."""
    template: dict[str, Any] = yaml_parse((BUILT / "template.yaml").read_text())
    resources = {name: r for name, r in template["Resources"].items() if r["Type"] not in UNKNOWN_TYPES}
    for properties in (resource["Properties"] for resource in resources.values()):
        properties.pop("DeploymentPreference", None)  # MiniStack has no CodeDeploy
        for uri in properties.keys() & {"CodeUri", "ContentUri"}:
            properties[uri] = str(BUILT / properties[uri])
    # It sets its own address, but not in place of an empty one.
    del template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"]
    # It takes a referenced number for a text, which stops its polling of the queue.
    queue = resources["ArchiveCertificateFunction"]["Properties"]["Events"]["Queue"]["Properties"]
    queue["ScalingConfig"]["MaximumConcurrency"] = 2
    return template | {"Resources": resources}


@dataclass(frozen=True)
class MiniStack:
    url: str
    provider: ProviderStub
    template: Path

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url)  # type: ignore[call-overload]

    def deploy(self) -> str:
        """Runs `sam deploy` and returns its output."""
        url = f"http://127.0.0.1:{self.provider.server_address[1]}{PATH}"
        options = ["--no-confirm-changeset", "--region", REGION, "--config-file", str(ROOT / "samconfig.toml")]
        parameters = ["--parameter-overrides", f"ProviderCertificateUrl={url}", *PARAMETERS]
        return subprocess.run(
            [SAM, "deploy", "--template-file", self.template, *options, *parameters],
            env=os.environ | {"AWS_ENDPOINT_URL": self.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout

    def update(self, template: str) -> None:
        cloudformation = self.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
        parameters = [{"ParameterKey": one["ParameterKey"], "UsePreviousValue": True} for one in stack["Parameters"]]
        capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        cloudformation.update_stack(
            StackName=NAME, TemplateURL=template, Parameters=parameters, Capabilities=capabilities
        )

    def operate(self, *command: str) -> str:
        """Runs a command of the operator's program and returns its output."""
        options = [*command, "--stack", NAME, "--region", REGION]
        result = CliRunner(mix_stderr=False, env={"AWS_ENDPOINT_URL": self.url}).invoke(
            certificates, options, catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return result.stdout

    def find_outputs(self) -> dict[str, str]:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def find_api(self) -> str:
        return re.split(r"[/.]+", self.find_outputs()["CertificateUrl"])[1]

    def find_version(self) -> str:
        """Returns the version of the download function that clients reach."""
        found = self.client("cloudformation").describe_stack_resource(StackName=NAME, LogicalResourceId=DOWNLOAD)
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        return str(self.client("lambda").get_alias(FunctionName=name, Name="live")["FunctionVersion"])


@pytest.fixture
def ministack(tmp_path: Path) -> Iterator[MiniStack]:
    log, template = tmp_path / "log", tmp_path / "template.json"
    port = reserve_port()
    settings = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "TMPDIR": str(tmp_path)}
    with log.open("w") as output:
        process = subprocess.Popen(
            [ROOT / ".ministack/bin/ministack"],
            env={"PATH": os.environ["PATH"], **CREDENTIALS, **settings},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "Running on" in log.read_text())
        # Anyone who can reach the port can run code on this machine.
        listeners = psutil.Process(process.pid).net_connections("inet")
        assert {listener.laddr for listener in listeners} == {("127.0.0.1", port)}
        template.write_text(json.dumps(build_template()))
        provider = ProviderStub("127.0.0.1", 0, seeds.PROVIDER_SECRET, seeds.documents())
        with serving(provider):
            yield MiniStack(f"http://127.0.0.1:{port}", provider, template)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def deploy_the_artifact(ministack: MiniStack) -> None:
    assert f"Successfully created/updated stack - {NAME} in {REGION}" in ministack.deploy()
    assert ministack.find_version() == "1"


def check_it_from_the_outside(ministack: MiniStack) -> None:
    outputs, dynamodb = ministack.find_outputs(), ministack.client("dynamodb")
    for table, items in (("ApiKeysTableName", seeds.api_keys()), ("SignaturesTableName", seeds.signatures())):
        for item in items:
            dynamodb.put_item(TableName=outputs[table], Item=item)
    secret = {"Name": "craftkit/provider-secret", "SecretString": seeds.PROVIDER_SECRET}
    ministack.client("secretsmanager").create_secret(**secret)
    url = f"{ministack.url}/_aws/execute-api/{ministack.find_api()}/live"
    id_ = seeds.signature_id("download_first")
    result = CliRunner().invoke(certificates, ["smoke", "--url", url, "--id", id_], input=seeds.KEY)
    checks = dict(re.findall(r"^(.+?)  +\d{3} +(.+?) *$", result.stdout, re.MULTILINE))
    # It does not read the "~1" in CloudFormation's binary media types: a PDF stays base64 text, of another digest.
    is_text = {"whole certificate", "HEAD", "Range"}
    # It does not read the gateway responses in the API's definition.
    is_other_error = {"unknown route", "POST"}
    assert {name for name, verdict in checks.items() if verdict != "ok"} == is_text | is_other_error
    assert len(checks) == 17


def operate_it(ministack: MiniStack) -> None:
    """Commands of docs/deploy.md. `archive reconcile` is left out: it would take as long as the pace demands."""
    assert "Accepted: a whole PDF" in ministack.operate("provider", "check", "--request", "req_first")
    key = ministack.operate("keys", "create", "--project", seeds.PROJECT).strip()
    assert re.search(rf"^{key[:13]}  .* active *$", ministack.operate("keys", "list"), re.MULTILINE)
    assert re.search(r"^dead letters +0$", ministack.operate("archive", "status"), re.MULTILINE)


def archive_a_certificate_after_an_event(ministack: MiniStack) -> None:
    """Only the event: MiniStack's pipes deliver to no queue."""
    id_, provider, outputs = str(uuid.uuid4()), ministack.provider, ministack.find_outputs()
    provider.documents[f"req_{id_}"] = lambda: seeds.certificate(f"req_{id_}")
    item = seeds.signature(id_, "completed", f"req_{id_}", is_available=True)
    ministack.client("dynamodb").put_item(TableName=outputs["SignaturesTableName"], Item=item)
    detail = {"event": "signature.completed", "signatureRequestId": id_, "renderId": id_, "status": "completed"}
    event = {"Source": "craftkit.signatures", "DetailType": "signature.completed", "Detail": json.dumps(detail)}
    ministack.client("events").put_events(Entries=[event])
    s3, bucket, key = ministack.client("s3"), outputs["CertificatesBucketName"], f"{seeds.PROJECT}/{id_}.pdf"
    wait_until(lambda: s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] == 1)
    archived = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert archived.startswith(b"%PDF-")
    url = f"{ministack.url}/_aws/execute-api/{ministack.find_api()}/live/v1/signatures/{id_}/certificate"
    served = urllib3.request("GET", url, headers={"Authorization": f"Bearer {seeds.KEY}"})
    assert b64decode(served.data) == archived
    assert provider.asked.count(f"req_{id_}") == 1


def deploy_a_new_release(ministack: MiniStack) -> None:
    """MiniStack would also publish one for a new tag. Lambda does not."""
    template = ministack.client("cloudformation").get_template(StackName=NAME, TemplateStage="Original")["TemplateBody"]
    text = template if isinstance(template, str) else json.dumps(template)
    assert "unnamed" in text
    ministack.client("s3").create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": REGION})
    ministack.client("s3").put_object(
        Bucket="templates", Key="released", Body=text.replace("unnamed", "released").encode()
    )
    ministack.update(f"{ministack.url}/templates/released")
    wait_until(lambda: ministack.find_version() == "2")


def delete_the_stack_but_not_its_data(ministack: MiniStack) -> None:
    cloudformation, outputs = ministack.client("cloudformation"), ministack.find_outputs()
    resources = cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]
    stack, types = resources[0]["StackId"], {r["LogicalResourceId"]: r["ResourceType"] for r in resources}
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    kept = {event["LogicalResourceId"] for event in events if event["ResourceStatus"] == "DELETE_SKIPPED"}
    assert {name for name in types if types[name] in HOLDS_DATA} == {
        name for name in kept if types.get(name) in HOLDS_DATA
    }
    assert ministack.client("s3").list_objects_v2(Bucket=outputs["CertificatesBucketName"])["KeyCount"] == 2
    assert ministack.client("dynamodb").scan(TableName=outputs["ApiKeysTableName"])["Count"] == 4
    assert ministack.client("lambda").list_functions()["Functions"] == []


def test_the_life_of_a_stack(ministack: MiniStack) -> None:
    for step in (
        deploy_the_artifact,
        check_it_from_the_outside,
        operate_it,
        archive_a_certificate_after_an_event,
        deploy_a_new_release,
        delete_the_stack_but_not_its_data,
    ):
        step(ministack)
        print(f"ok: {step.__name__.replace('_', ' ')}")  # noqa: T201 - `make deploy-local` shows it
