"""Shared by the template tests."""

from typing import Any

from certificates.settings import Settings
from develop.template import ROOT, Stack
from functions.archive_certificate.settings import ArchiveSettings
from functions.download_certificate.settings import DownloadSettings
from functions.refresh_credential.settings import RefreshSettings

REPLICA_TEMPLATE = ROOT / "docs" / "replica.yaml"
DOWNLOAD = "DownloadCertificateFunction"
ARCHIVE = "ArchiveCertificateFunction"
REFRESH = "RefreshCredentialFunction"
FUNCTIONS: dict[str, type[Settings]] = {DOWNLOAD: DownloadSettings, ARCHIVE: ArchiveSettings, REFRESH: RefreshSettings}


def statements(stack: Stack, role: str) -> list[dict[str, Any]]:
    """The statements of a role's policies, which are part of it or resources of their own."""
    inline = stack.resources[role]["Properties"].get("Policies", [])
    own = [
        policy for policy in stack.of_type("AWS::IAM::Policy").values() if stack.physical_id(role) in policy["Roles"]
    ]
    return [statement for policy in [*inline, *own] for statement in policy["PolicyDocument"]["Statement"]]


def listed(value: str | list[str]) -> list[str]:
    """IAM policies write one value as a string and several as a list."""
    return [value] if isinstance(value, str) else value
