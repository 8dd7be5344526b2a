"""Imports moto before any client is created, which it must patch, and sets the functions' environment."""

import functools
import os
import re
import signal

import botocore.session
import moto  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings

from tools.local.runtime import drop_user_settings
from tools.template import ACCOUNT, REGION, Stack

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

# Some tests press Ctrl-C, which a shell's background jobs ignore.
signal.signal(signal.SIGINT, signal.default_int_handler)

drop_user_settings()
# A hook of git names its repository, and a shell may hold keys or settings of Python: they would reach child processes.
for name in [name for name in os.environ if re.match("(GIT_|PYTHON|CRAFTKIT_)|(KEY|URL|ID)$", name)]:
    del os.environ[name]
for function in ("ArchiveCertificateFunction", "RefreshCredentialFunction", "DownloadCertificateFunction"):
    os.environ.update(STACK.environment(function))

# `make test` runs the same examples each time, `make fuzz` many new ones. Examples share a test's fixtures on purpose,
# because the fixtures are slow to create.
settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile(
    "fuzz", settings.get_profile("ci"), derandomize=False, max_examples=int(os.environ.get("EXAMPLES", "10000"))
)
settings.load_profile("ci")


def bounded(examples: int) -> settings:
    """Limits the number of examples in `make test`. `make fuzz` keeps its own number."""
    return settings(max_examples=examples) if settings().derandomize else settings()


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores, since some tests wait."""
    return (os.process_cpu_count() or 1) + 1


WORLDS = {"running": "local-service", "cloud": "faults"}
"""Fixtures that are slow to create: the local service, and execution environments with a fake cloud."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each worker process runs whole files, and all tests of a world. Coverage is measured where the functions run in
    this process, without generated examples; it would double the time of the other tests."""
    for item in items:
        _, folder, file = item.nodeid.partition("::")[0].split("/")
        worlds = [WORLDS[name] for name in WORLDS if folder == "e2e" and name in getattr(item, "fixturenames", ())]
        item.add_marker(pytest.mark.xdist_group(worlds[0] if worlds else f"{folder}-{file}"))
        if folder not in {"unit", "integration"} or item.get_closest_marker("fuzz"):
            item.add_marker("no_cover")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long text would become part of the test's name."""
    return argname if isinstance(val, str | bytes) and len(val) > 100 else None


@pytest.fixture(scope="session")
def stack() -> Stack:
    return STACK
