"""`provider`: checks that a stack's configuration gets certificates from the provider, and refreshes access tokens."""

import functools
import time
from pathlib import Path
from typing import Any

import click
from botocore.parsers import ResponseParserError
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from certificates.aws import AwsError, client_config, error_code
from certificates.budgets import PROVIDER_SECONDS, CallLimits
from certificates.errors import ProviderFailed
from certificates.https import Exchange, Response
from certificates.provider import Provider, Secret
from certificates.settings import ProviderSettings
from certificates.urls import Url
from operate.command_line import CannotRun, examples
from operate.commands.parameters import check_parameters, read_settings
from operate.output import write
from operate.stack import DeployedStack, on_a_stack

ADVICE = {
    "timed_out": f"No certificate within {PROVIDER_SECONDS:.0f} seconds, including a second try.",
    "unreachable": "No response: is the host of ProviderCertificateUrl right, with a valid TLS certificate?",
    "status": "Only 200 counts, or a redirect to a host in ProviderLinkHosts. 401 or 403: the secret or "
    "ProviderAuthHeader. 404: the URL or the request's id.",
    "link_status": "The link's host refused. The link may have expired, or may need a header that is not sent.",
    "too_large": "The response is larger than MaxCertificateBytes, or than 8 MiB if JSON with a link is expected.",
    "broken_answer": "The response ended early, or its encoding does not match its headers.",
    "secret_unavailable": "Secrets Manager did not give the secret: does ProviderSecretName exist, can you read it?",
    "secret_malformed": "The secret is empty, binary, or invalid in a header: does it end with a line break?",
    "request_id_refused": "This id is not valid in a URL.",
    "link_missing": "The response is not JSON, or ProviderLinkField is missing or null: not ready yet?",
    "link_refused": "The link is not a plain https URL, or ProviderLinkHosts does not list its host.",
    "not_a_pdf": "The response is not a whole PDF.",
}


_CONSENT = "Give consent again; a new refresh token belongs in ProviderOAuthSecretName."
_CLIENT = "Check the client in ProviderOAuthSecretName, and with jwt_bearer the public key at the provider."
_FIELDS = "Check the fields in ProviderOAuthSecretName, and ProviderTokenUrl."
REFRESH_ADVICE = dict.fromkeys(("invalid_grant", "consent_required"), _CONSENT)
REFRESH_ADVICE |= dict.fromkeys(("invalid_client", "unauthorized_client"), _CLIENT)
REFRESH_ADVICE |= dict.fromkeys(("invalid_request", "invalid_scope", "unsupported_grant_type", "refused"), _FIELDS)
REFRESH_ADVICE |= {
    "credentials_malformed": _FIELDS,
    "credentials_changed": "Someone replaced them meanwhile: try again.",
    "signing_key_missing": "Set the parameter ProviderSigningKeyArn.",
    "token_type_unsupported": "Only tokens of the type Bearer can be used: ask the provider for one.",
}
INVOKE = CallLimits(read_seconds=75, attempts=1)
"""Longer than a function's start and its timeout; a second attempt would invoke it again while it runs."""

IN_THE_LOG = "See credential_refresh_failed in the log of the refresh function."


class PrintingProvider(Provider):
    """Prints each step, but neither the secret nor the path or query of a link."""

    def _send(
        self, exchange: Exchange, url: Url, headers: dict[str, str], max_bytes: int, expected: set[int]
    ) -> Response:
        hidden = self._settings.provider_auth_header.fill("********")
        is_link = hidden.keys().isdisjoint(headers)
        write(f"GET {url.scheme}://{url.host}:{url.port}{'/… (without the secret)' if is_link else url.target}")
        for name, value in hidden.items() if not is_link else ():
            write(f"    {name}: {value}")
        started, outcome, words = time.perf_counter(), "no response", ""
        try:
            response = super()._send(exchange, url, headers, max_bytes, expected)
            size = f"{len(response.content):,} bytes, {_describe_content(response.content)}"
            outcome, words = str(response.status), f": {size}" if response.status == 200 else ": a redirect"
        except ProviderFailed as failure:
            outcome = str(failure.upstream_status or outcome)
            raise
        finally:
            write(f"    {outcome} after {time.perf_counter() - started:.1f} s{words}")
        return response

    def _check_link(self, link: str, status: int) -> Url:
        if status == 200:
            write(f"    {self._settings.provider_link_field} holds a link")
        try:
            return super()._check_link(link, status)
        except ProviderFailed:
            write(f"    it leads to {_describe_host(link)}, which is refused")
            raise


@click.group(epilog=examples("certificates provider check --stack craftkit-certificates --request 1234"))
def provider() -> None:
    """Check the connection to the provider with the stack's settings."""


@click.option("--request", "request_id", metavar="ID", help="The provider's id of a completed request.")
@on_a_stack
def _fetch(target: DeployedStack, *, request_id: str) -> None:
    settings = read_settings(ProviderSettings, target.parameters)
    if target.parameters.get("ProviderTokenUrl"):
        write(_describe_age(target, settings.provider_secret_name))
    secret = Secret(lambda: target.client("secretsmanager"), settings.provider_secret_name)
    try:
        certificate = PrintingProvider(settings, secret).fetch(request_id, PROVIDER_SECONDS)
    except ProviderFailed as failure:
        write(f"Refused: {failure.reason}. {ADVICE[failure.reason]}")
        raise click.exceptions.Exit(1) from failure
    write(f"Accepted: a whole PDF of {len(certificate.content):,} bytes. Nothing was archived.")
    write(f"SHA-256 {certificate.sha256}")


@provider.command("check", epilog=examples("certificates provider check --local --request req_first"))
@click.option(
    "--parameters",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="SAM's configuration file, such as samconfig.local.toml.",
)
@click.option("--env", metavar="NAME", help="The environment in FILE; `default` without it.")
@functools.wraps(_fetch, assigned=())  # its options
def check_command(*, file: Path | None, env: str | None, **options: Any) -> None:
    """Fetch one certificate without archiving it, and print each step.

    With --parameters, check before a deployment that the functions start with the parameters, without fetching
    anything. Exit code 1: the service would refuse the certificate.
    """
    if file and not any(options.values()):
        check_parameters(file, env or "default")
        write("The functions start with these parameters.")
    elif options["request_id"] and not (file or env):
        _fetch(**options)
    else:
        raise click.UsageError("Give a stack and --request, or --parameters with or without --env.")


class Reply(BaseModel):
    """The function replies with the reason of a refusal. It raises all others, which Lambda reports as an error."""

    reason: str = Field(default="", validation_alias=AliasChoices("reason", "errorMessage"))
    seconds: int | None = None
    rotated: bool | None = None


@provider.command("refresh", epilog=examples("certificates provider refresh --stack craftkit-certificates"))
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
        write(f"Failed: {reply.reason}. {REFRESH_ADVICE.get(reply.reason, IN_THE_LOG)}")
        raise click.exceptions.Exit(1)
    lifetime = "" if reply.seconds is None else f", which lives for {_describe_seconds(reply.seconds)}"
    write(f"New access token{lifetime}{'; a new refresh token was stored' if reply.rotated else ''}.")


def _describe_age(target: DeployedStack, secret: str) -> str:
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


def _describe_host(link: str) -> str:
    try:
        url = Url.parse_link(link)
    except ValueError as error:
        return f"something that {error}"
    return f"{url.host}:{url.port}"


def _describe_content(content: bytes) -> str:
    kinds = {b"%PDF-": "a PDF", b"PK\x03\x04": "a ZIP", b"JVBERi": "base64 of a PDF", b"{": "JSON", b"<": "HTML or XML"}
    return next((kind for start, kind in kinds.items() if content.lstrip().startswith(start)), "something else")
