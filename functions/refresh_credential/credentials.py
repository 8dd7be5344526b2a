"""The two secrets: the long-lived credentials, which only this function uses, and the access token, which the other
functions read."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from certificates.aws import error_code, has_seconds_left
from certificates.budgets import REFRESH_TOKEN_PAUSE, SECRETS_MANAGER
from certificates.errors import CertificateError
from certificates.json_document import parse_json

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(eq=False)
class RefreshFailed(CertificateError):
    """There is no new access token. `reason` is a constant; `cause` is an AWS error code, the provider's status, or by
    field the rule that the credentials break."""

    reason: str
    cause: str | int | dict[str, str] | None = None


class Client(BaseModel):
    """The client, and `parameters`: form fields that the provider wants in addition. With a secret, the client
    authenticates by HTTP Basic or in the body (RFC 6749 section 2.3.1)."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_min_length=1)

    client_id: str | None = None
    client_secret: str | None = None
    client_authentication: Literal["basic", "body"] = "basic"
    parameters: dict[str, str] = {}


class ClientCredentials(Client):
    """RFC 6749 section 4.4. docs/providers.md has an example of each grant."""

    grant: Literal["client_credentials"]
    client_id: str


class RefreshToken(Client):
    """RFC 6749 section 6. A new refresh token in a response replaces this one."""

    grant: Literal["refresh_token"]
    client_id: str
    refresh_token: str


class JwtBearer(Client):
    """RFC 7523 section 2.1, signed by the key ProviderSigningKeyArn. The client authenticates only if it has an id."""

    grant: Literal["jwt_bearer"]
    issuer: str
    subject: str
    audience: str
    scope: str | None = None


Grant = ClientCredentials | RefreshToken | JwtBearer
Credentials = Annotated[Grant, Field(discriminator="grant")]
_CREDENTIALS: TypeAdapter[Credentials] = TypeAdapter(Credentials)
_FIELDS = {name for grant in get_args(Grant) for name in grant.model_fields}


class Secrets:
    def __init__(self, client: "SecretsManagerClient", credentials_name: str, token_name: str) -> None:
        self._client = client
        self._credentials_name = credentials_name
        self._token_name = token_name

    def credentials(self) -> Credentials:
        """Raises RefreshFailed: credentials_unavailable, credentials_malformed."""
        with failing_as("credentials_unavailable"):
            text = self._client.get_secret_value(SecretId=self._credentials_name).get("SecretString", "")
        try:
            return _CREDENTIALS.validate_python(parse_json(text))
        except ValidationError as error:
            problems = {_name_field(detail): detail["type"] for detail in error.errors(include_input=False)}
            raise RefreshFailed("credentials_malformed", problems) from None
        except ValueError:
            raise RefreshFailed("credentials_malformed", "json_invalid") from None

    def replace_refresh_token(self, used: str, new: str) -> None:
        """Keeps an operator's changes in the meantime, and a refresh token from a new consent. Tries while there is
        time: the provider sends the new refresh token only once, and may have ended the old one.

        Raises RefreshFailed: credentials_changed, credentials_unwritten, and those of `credentials`.
        """
        while True:
            try:
                return self._replace_refresh_token(used, new)
            except RefreshFailed as failure:
                if failure.reason == "credentials_changed" or not has_seconds_left(
                    REFRESH_TOKEN_PAUSE, SECRETS_MANAGER
                ):
                    raise
            time.sleep(REFRESH_TOKEN_PAUSE)

    def _replace_refresh_token(self, used: str, new: str) -> None:
        current = self.credentials()
        if isinstance(current, RefreshToken) and current.refresh_token == new:
            return  # an earlier write whose response was lost
        if not isinstance(current, RefreshToken) or current.refresh_token != used:
            raise RefreshFailed("credentials_changed")
        document = current.model_copy(update={"refresh_token": new}).model_dump_json(exclude_unset=True)
        with failing_as("credentials_unwritten"):
            self._client.put_secret_value(SecretId=self._credentials_name, SecretString=document)

    def store_token(self, token: str) -> None:
        """Raises RefreshFailed: token_unwritten."""
        with failing_as("token_unwritten"):
            self._client.put_secret_value(SecretId=self._token_name, SecretString=token)


def _name_field(detail: ErrorDetails) -> str:
    """Names only fields of the models: any other name could be a pasted secret."""
    _, *path = detail["loc"] or ("", "grant")
    return next((name for name in _FIELDS if path[:1] == [name]), "unknown field")


@contextmanager
def failing_as(reason: str) -> Iterator[None]:
    """Turns every failure of an AWS call into RefreshFailed."""
    try:
        yield
    except Exception as error:
        raise RefreshFailed(reason, error_code(error)) from error
