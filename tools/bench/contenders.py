"""What is measured: our function as it is built, and its peers, each as its users would package it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.local import seeds
from tools.local.emulator import Package, Sandbox, built
from tools.local.stack import ARCHIVE, DOWNLOAD
from tools.template import ROOT, Stack

OURS = "ours"
PEERS = {
    "empty": "an empty handler",
    "naive": "three calls of the runtime's own boto3, no features",
    "textbook": "Powertools with Tracer, Metrics, router and parser, packaged by plain `sam build`",
    "fastapi": "FastAPI behind Mangum, packaged by plain `sam build`",
}
INSTALLED = ROOT / ".aws-sam" / "bench"


@dataclass(frozen=True)
class Contender:
    name: str
    package: Package
    environment: Mapping[str, str]

    def sandbox(self) -> Sandbox:
        return Sandbox(self.package, self.environment)


def contenders(url: str) -> list[Contender]:
    """Ours first. `url` is where AWS and the provider are."""
    peers = [Contender(name, _peer(name), environment(url, DOWNLOAD)) for name in PEERS]
    return [Contender(OURS, built(DOWNLOAD), environment(url, DOWNLOAD)), *peers]


def archiver(url: str) -> Contender:
    return Contender(OURS, built(ARCHIVE), environment(url, ARCHIVE))


def _peer(name: str) -> Package:
    return Package("app.handler", [INSTALLED / name])


def environment(url: str, function: str) -> dict[str, str]:
    stack = Stack(
        "craftkit-bench",
        {
            "ProviderCertificateUrl": f"{url}/v1/requests/{{providerRequestId}}/certificate",
            "ProviderAuthHeader": "Authorization: Bearer {secret}",
            "ProviderSecretName": "craftkit/provider-secret",
            "ArchiveFetchesPerMinute": "6000000",  # the provider's delay is what is measured, not our pace
        },
    )
    return stack.environment(function) | {
        "AWS_ENDPOINT_URL": url,
        "LAMBDA_TASK_ROOT": "/var/task",  # what Powertools' Tracer knows Lambda by
        "PYTHONDONTWRITEBYTECODE": "1",  # as on Lambda, where files can't be written
    }


def download_event(signature_id: str) -> dict[str, object]:
    event = seeds.event("download_archived")
    path = f"/v1/signatures/{signature_id}/certificate"
    return event | {"path": path, "pathParameters": {"id": signature_id}}


def unzipped_bytes(package: Package) -> int:
    return sum(file.stat().st_size for folder in package.folders for file in _files(folder))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
