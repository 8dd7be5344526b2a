"""The stack of most tests, and the environment of its functions. Imports moto before any client is created, which it
must patch."""

import functools
import os

import botocore.session
import moto  # noqa: F401

from develop.environment import REGION
from develop.template import ACCOUNT, Stack

PARAMETERS = {
    "ProviderCertificateUrl": "http://127.0.0.1:1/v1/requests/{providerRequestId}/certificate",
    "ProviderAuthHeader": "Authorization: Bearer {secret}",
    "ProviderSecretName": "craftkit/provider-secret",
}
OAUTH = {
    "ProviderTokenUrl": "http://127.0.0.1:1/oauth/token",
    "ProviderOAuthSecretName": "craftkit/provider-oauth",
    "ProviderSigningKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/5f6bcd3e-5b5c-4ad1-a4d9-9e4e1a2d7c11",
}
"""The parameters of a provider whose credentials expire."""
REPLICA = {
    "ReplicaBucketArn": "arn:aws:s3:::certificates-replica",
    "ReplicaKmsKeyArn": f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0c1a6a0e-9a8d-4d0f-8f5b-3f7c1f4f1b1a",
}
"""The parameters of a second copy of the archive."""
STACK = Stack("craftkit-test", PARAMETERS | OAUTH | REPLICA)

# Moto makes a new session for each test, and every session would parse the services' models again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

for function in ("ArchiveCertificateFunction", "RefreshCredentialFunction", "DownloadCertificateFunction"):
    os.environ.update(STACK.environment(function))
