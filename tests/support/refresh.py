"""Runs the refresh function against moto's secrets and a scripted token endpoint."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import boto3
import pytest

from develop.environment import REGION
from develop.fakes.server import Response, ScriptedServer, reply
from develop.local import seeds
from develop.local.runtime import Context
from functions.refresh_credential import handler as refresh
from functions.refresh_credential.credentials import RefreshFailed
from tests.support.log import Line, Metrics, parse_log
from tests.support.stack import OAUTH, PARAMETERS

SERVICE = {"service": "refresh_credential"}
CLIENT = {"client_id": "client", "client_secret": "s3cret"}
ROTATING = {"grant": "refresh_token", "refresh_token": "r1"} | CLIENT
ASSERTING = {"grant": "jwt_bearer", "issuer": "i", "subject": "s", "audience": "account.example.com", "scope": "a b"}
STATIC = {"grant": "client_credentials"} | CLIENT

SECRETS = boto3.Session(region_name=REGION).client("secretsmanager")
KMS = boto3.Session(region_name=REGION).client("kms")


@dataclass
class StoppedClock(Context):
    """Time passes only where the test lets it pass."""

    passed: float = 0

    def get_remaining_time_in_millis(self) -> int:
        return int((self.timeout - self.passed) * 1000)


@dataclass
class Refresh:
    """Runs the function, and gives access to both secrets and the token endpoint."""

    endpoint: ScriptedServer
    capture: pytest.CaptureFixture[str] = field(repr=False)
    context: StoppedClock = field(default_factory=lambda: StoppedClock(60))

    def __call__(self) -> dict[str, Any]:
        self.context = StoppedClock(60)
        return refresh.handler(seeds.event(seeds.REFRESH_EVENT), self.context)  # type: ignore[arg-type]

    def pass_time(self, seconds: float) -> None:
        """Replaces time.sleep."""
        self.context.passed += seconds

    def put(self, credentials: object) -> None:
        text = credentials if isinstance(credentials, str) else json.dumps(credentials)
        SECRETS.put_secret_value(SecretId=OAUTH["ProviderOAuthSecretName"], SecretString=text)

    def credentials(self, stage: str = "AWSCURRENT") -> Any:
        name = OAUTH["ProviderOAuthSecretName"]
        return json.loads(SECRETS.get_secret_value(SecretId=name, VersionStage=stage)["SecretString"])

    def token(self) -> str:
        return SECRETS.get_secret_value(SecretId=PARAMETERS["ProviderSecretName"])["SecretString"]

    def forms(self) -> list[dict[str, str]]:
        """The forms that the token endpoint received."""
        return [dict(parse_qsl(request.body.decode(), strict_parsing=True)) for request in self.endpoint.requests]

    def written(self) -> tuple[list[Line], Metrics]:
        """The log lines, and the metrics by name, since the last call."""
        captured = self.capture.readouterr()
        output = captured.out + captured.err
        assert "canary" not in output
        return parse_log(output.splitlines())

    def refused(self) -> dict[str, Any]:
        """The log line of a failure that only a person can end: it is counted, and not raised."""
        fields = self()
        (line,), metrics = self.written()
        assert fields == {"reason": line["reason"], "milliseconds": line["milliseconds"]}
        assert (line["message"], line["level"]) == ("credential_refresh_failed", "ERROR")
        failed = {"CredentialRefreshFailures": [SERVICE | {"reason": line["reason"]}]}
        assert metrics == failed | {"CredentialsRefused": [SERVICE]}
        return line

    def failure(self) -> str:
        """The reason of a failure that is raised, as logged and counted."""
        with pytest.raises(RefreshFailed) as failure:
            self()
        assert (failure.value.__cause__, failure.value.__suppress_context__) == (None, True)
        (line,), metrics = self.written()
        reason = failure.value.reason
        assert (line["message"], line["level"], line["reason"]) == ("credential_refresh_failed", "ERROR", reason)
        assert metrics == {"CredentialRefreshFailures": [SERVICE | {"reason": reason}]}
        return reason


def issue(access_token: object = "access-1", refresh_token: str | None = None, **fields: object) -> Response:  # noqa: S107
    """The response with an access token."""
    tokens = {"access_token": access_token, "refresh_token": refresh_token}
    return reply(body=json.dumps(tokens | {"token_type": "Bearer", "expires_in": 3600} | fields).encode())
