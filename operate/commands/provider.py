"""`provider`: checks that a stack's configuration gets certificates from the provider."""

import functools
import time
from pathlib import Path
from typing import Any

import click

from certificates.budgets import PROVIDER_SECONDS
from certificates.errors import ProviderFailed
from certificates.https import Exchange, Response
from certificates.provider import Provider, Secret
from certificates.settings import ProviderSettings
from certificates.urls import Url
from operate.command_line import examples
from operate.commands.parameters import check_parameters, read_settings
from operate.commands.refresh import describe_age, refresh_command
from operate.output import write
from operate.stack import DeployedStack, on_a_stack

ADVICE = {
    "timed_out": f"No certificate within {PROVIDER_SECONDS:.0f} seconds, including a second try.",
    "unreachable": "No answer: is the host of ProviderCertificateUrl right, with a valid TLS certificate?",
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
        started, outcome, words = time.perf_counter(), "no answer", ""
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


provider.add_command(refresh_command)


@click.option("--request", "request_id", metavar="ID", help="The provider's id of a completed request.")
@on_a_stack
def _fetch(target: DeployedStack, *, request_id: str) -> None:
    settings = read_settings(ProviderSettings, target.parameters)
    if target.parameters.get("ProviderTokenUrl"):
        write(describe_age(target, settings.provider_secret_name))
    secret = Secret(lambda: target.client("secretsmanager"), settings.provider_secret_name)
    try:
        certificate = PrintingProvider(settings, secret).fetch(request_id, PROVIDER_SECONDS)
    except ProviderFailed as failure:
        write(f"Refused: {failure.reason}. {ADVICE[failure.reason]}")
        raise click.exceptions.Exit(1) from failure
    write(f"Accepted: a whole PDF of {len(certificate.content):,} bytes. Nothing was archived.")
    write(f"SHA-256 {certificate.sha256}")


@provider.command(
    "check",
    epilog=examples(
        "certificates provider check --local --request req_first",
        "certificates provider check --parameters samconfig.local.toml --env staging",
    ),
)
@click.option(
    "--parameters",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Instead check the parameters that sam deploy would read there.",
)
@click.option("--env", metavar="NAME", help="The environment in FILE; default by default.")
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


def _describe_host(link: str) -> str:
    try:
        url = Url.parse_link(link)
    except ValueError as error:
        return f"something that {error}"
    return f"{url.host}:{url.port}"


def _describe_content(content: bytes) -> str:
    kinds = {b"%PDF-": "a PDF", b"PK\x03\x04": "a ZIP", b"JVBERi": "base64 of a PDF", b"{": "JSON", b"<": "HTML or XML"}
    return next((kind for start, kind in kinds.items() if content.lstrip().startswith(start)), "something else")
