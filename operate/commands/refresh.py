"""The access token of a provider whose credentials expire: its age, and `provider refresh`."""

import time

import click
from botocore.parsers import ResponseParserError
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from certificates.aws import AwsError, client_config, error_code
from certificates.budgets import CallLimits
from operate.command_line import CannotRun, examples
from operate.output import write
from operate.stack import DeployedStack, on_a_stack

_CONSENT = "Give consent again; a new refresh token belongs in ProviderOAuthSecretName."
_CLIENT = "Check the client in ProviderOAuthSecretName, and with jwt_bearer the public key at the provider."
_FIELDS = "Check the fields in ProviderOAuthSecretName, and ProviderTokenUrl."
ADVICE = dict.fromkeys(("invalid_grant", "consent_required"), _CONSENT)
ADVICE |= dict.fromkeys(("invalid_client", "unauthorized_client"), _CLIENT)
ADVICE |= dict.fromkeys(("invalid_request", "invalid_scope", "unsupported_grant_type", "refused"), _FIELDS)
ADVICE |= {
    "credentials_malformed": _FIELDS,
    "credentials_changed": "Someone replaced them meanwhile: try again.",
    "signing_key_missing": "Set the parameter ProviderSigningKeyArn.",
    "token_type_unsupported": "Only tokens of the type Bearer can be used: ask the provider for one.",
}
INVOKE = CallLimits(read_seconds=75, attempts=1)
"""Longer than a function's start and its time-out; a second attempt would invoke it again while it runs."""

IN_THE_LOG = "See credential_refresh_failed in the log of the refresh function."


class Reply(BaseModel):
    """The function replies with the reason of a refusal. It raises all others, which Lambda reports as an error."""

    reason: str = Field(default="", validation_alias=AliasChoices("reason", "errorMessage"))
    seconds: int | None = None
    rotated: bool | None = None


@click.command("refresh", epilog=examples("certificates provider refresh --stack craftkit-certificates"))
@on_a_stack
def refresh_command(target: DeployedStack) -> None:
    """Fetch and store a new access token now, as the schedule does.

    Exit code 1: there is no new access token.
    """
    if "RefreshCredentialFunctionName" not in target.outputs:
        raise CannotRun(f"Stack {target.name} has no ProviderTokenUrl: there are no access tokens to refresh.")
    name, config = target.outputs["RefreshCredentialFunctionName"], target.options["config"]
    client = target.client("lambda", config=config.merge(client_config(INVOKE)))
    try:
        response = client.invoke(FunctionName=name, Qualifier="live", Payload=b"{}")
        reply = Reply.model_validate_json(response["Payload"].read())
    except ValidationError:
        raise ResponseParserError from None
    except client.exceptions.TooManyRequestsException as error:
        raise CannotRun("Another run is in progress, or Lambda has no free concurrency. Try again soon.") from error
    if reply.rotated is None:
        write(f"Failed: {reply.reason}. {ADVICE.get(reply.reason, IN_THE_LOG)}")
        raise click.exceptions.Exit(1)
    lifetime = "" if reply.seconds is None else f", which lives for {_describe_seconds(reply.seconds)}"
    write(f"New access token{lifetime}{'; a new refresh token was stored' if reply.rotated else ''}.")


def describe_age(target: DeployedStack, secret: str) -> str:
    """Compares the age with the schedule: only the provider and the run that fetched the token know when it expires."""
    try:
        created = target.client("secretsmanager").get_secret_value(SecretId=secret)["CreatedDate"]
    except AwsError as error:
        advice = "If there is none yet, run `certificates provider refresh`."
        return f"Access token: not read ({error_code(error)}). {advice}"
    age, minutes = int(time.time() - created.timestamp()), int(target.parameters["ProviderTokenMinutes"])
    late = ", which is overdue: run `certificates provider refresh`" if age // 60 > minutes else ""
    return f"Access token: age {_describe_seconds(age)}, refreshed every {minutes} minutes{late}"


def _describe_seconds(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"
