"""The contenders: our function as built, and its peers, each packaged as its users would."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from develop.bench.stub import STACK
from develop.local import seeds
from develop.local.emulator import ExecutionEnvironment, Package, find_built
from develop.local.stack import ARCHIVE, DOWNLOAD
from develop.template import ROOT, Stack

PEERS = ("floor", "textbook", "textbook-best")
INSTALLED = ROOT / ".aws-sam" / "bench"


@dataclass(frozen=True)
class Contender:
    name: str
    package: Package
    environment: Mapping[str, str]

    def start(self) -> ExecutionEnvironment:
        return ExecutionEnvironment(self.package, self.environment)


def contenders(url: str) -> list[Contender]:
    """Returns ours first. `url` is that of AWS and the provider."""
    peers = [Contender(name, Package("app.handler", [INSTALLED / name]), _environment(url, DOWNLOAD)) for name in PEERS]
    return [Contender("ours", find_built(DOWNLOAD), _environment(url, DOWNLOAD)), *peers]


def archiver(url: str) -> Contender:
    return Contender("ours", find_built(ARCHIVE), _environment(url, ARCHIVE))


def _environment(url: str, function: str) -> dict[str, str]:
    stack = Stack(
        STACK,
        {
            "ProviderCertificateUrl": f"{url}/v1/requests/{{providerRequestId}}/certificate",
            "ProviderAuthHeader": "Authorization: Bearer {secret}",
            "ProviderSecretName": "craftkit/provider-secret",
            "ArchiveFetchesPerMinute": "6000000",  # measures the provider's delay, not our pace
        },
    )
    return stack.environment(function) | {
        "AWS_ENDPOINT_URL": url,
        "LAMBDA_TASK_ROOT": "/var/task",  # Powertools' Tracer detects Lambda by it
        "PYTHONDONTWRITEBYTECODE": "1",  # as on Lambda, where files can't be written
    }


def download_event(signature_id: str) -> dict[str, object]:
    event = seeds.event("download_archived")
    path = f"/v1/signatures/{signature_id}/certificate"
    return event | {"path": path, "pathParameters": {"id": signature_id}}


def archive_event(signature_ids: Sequence[str]) -> dict[str, object]:
    (record,) = seeds.event("archive_available")["Records"]
    bodies = [json.dumps({"signatureRequestId": signature_id}) for signature_id in signature_ids]
    return {"Records": [record | {"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]}


def unzipped_bytes(package: Package) -> int:
    files = (path for folder in package.folders for path in folder.rglob("*") if path.is_file())
    return sum(file.stat().st_size for file in files)
