"""moto comes first, so that every client made later can be caught; then the environment that a function would have."""

import os

import moto  # noqa: F401
import pytest

from tools.local.runtime import CREDENTIALS
from tools.template import Stack

PARAMETERS = {
    "ProviderCertificateUrl": "http://127.0.0.1:1/v1/requests/{providerRequestId}/certificate",
    "ProviderAuthHeader": "Authorization: Bearer {secret}",
    "ProviderSecretName": "craftkit/provider-secret",
}
STACK = Stack("craftkit-test", PARAMETERS)

os.environ.update(CREDENTIALS)
for function in ("ArchiveCertificateFunction", "DownloadCertificateFunction"):
    os.environ.update(STACK.environment(function))


@pytest.fixture(scope="session")
def stack() -> Stack:
    return STACK
