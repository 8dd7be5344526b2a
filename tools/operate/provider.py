"""`provider`: whether a stack's configuration gets certificates from the signature service."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click
from pydantic import ValidationError

from certificates.certificate import Certificate
from certificates.errors import ProviderFailed
from certificates.https import Exchange
from certificates.provider import PROVIDER_SECONDS, Provider, Secret
from certificates.settings import ProviderSettings
from certificates.urls import Url
from tools.operate.failures import CannotRun
from tools.operate.help import examples
from tools.operate.output import Output
from tools.operate.target import Target, on_a_stack

_PARAMETERS = {
    "ProviderCertificateUrl": "PROVIDER_CERTIFICATE_URL",
    "ProviderAuthHeader": "PROVIDER_AUTH_HEADER",
    "ProviderSecretName": "PROVIDER_SECRET_NAME",
    "ProviderLinkField": "PROVIDER_LINK_FIELD",
    "ProviderLinkHosts": "PROVIDER_LINK_HOSTS",
    "MaxCertificateBytes": "MAX_CERTIFICATE_BYTES",
}

ADVICE = {
    "timed_out": f"No certificate within {PROVIDER_SECONDS:.0f} seconds, second try included.",
    "unreachable": "No answer: is the host of ProviderCertificateUrl right, with a valid TLS certificate?",
    "status": "Only 200 counts. 401 or 403: the secret or ProviderAuthHeader. 404: the URL or the request's id.",
    "link_status": "The link's host refused. The link may have expired already, or want a header that is not sent.",
    "too_large": "The answer is larger than MaxCertificateBytes, or than 8 MiB where JSON with a link is expected.",
    "broken_answer": "The answer ended early, or is not encoded as it says.",
    "secret_unavailable": "Secrets Manager did not give the secret: does ProviderSecretName exist, may you read it?",
    "secret_malformed": "The secret is empty, binary, or unfit for a header: does it end with a new line?",
    "request_id_refused": "This id can't stand in a URL.",
    "link_missing": "The answer is no JSON, or ProviderLinkField is not in it, or it is null: not ready yet?",
    "link_refused": "The link is no plain https URL, or ProviderLinkHosts does not list its host.",
    "not_a_pdf": "The answer is no whole PDF.",
}


class WatchedProvider(Provider):
    """Says each step. Neither the secret nor a link's path or query is ever said."""

    def __init__(self, settings: ProviderSettings, secret: Secret, say: Callable[[str], None]) -> None:
        super().__init__(settings, secret)
        self._say = say

    def ask(self, provider_request_id: str, exchange: Exchange) -> bytes:
        with suppress(ValueError):  # the provider refuses this id
            url = self._settings.provider_certificate_url.expand(provider_request_id)
            header = self._settings.provider_auth_header.fill("********")
            self._say(f"GET {url.scheme}://{url.host}:{url.port}{url.target}")
            for name, value in header.items():
                self._say(f"    {name}: {value}")
        return self._watch(lambda: super(WatchedProvider, self).ask(provider_request_id, exchange))

    def find_link(self, content: bytes) -> str:
        link = super().find_link(content)
        self._say(f"    {self._settings.provider_link_field} holds a link")
        return link

    def check_link(self, link: str) -> Url:
        try:
            url = super().check_link(link)
        except ProviderFailed:
            self._say(f"    the link leads to {_host(link)}, which is refused")
            raise
        self._say(f"GET {url.scheme}://{url.host}:{url.port}/… (without the secret)")
        return url

    def follow(self, link: Url, exchange: Exchange) -> bytes:
        return self._watch(lambda: super(WatchedProvider, self).follow(link, exchange))

    def _watch(self, step: Callable[[], bytes]) -> bytes:
        started = time.perf_counter()
        try:
            content = step()
        except ProviderFailed as failure:
            status = failure.upstream_status or "no answer"
            self._say(f"    {status} after {time.perf_counter() - started:.1f} s")
            raise
        seconds = time.perf_counter() - started
        self._say(f"    200 after {seconds:.1f} s: {len(content):,} bytes, {_kind(content)}")
        return content


@click.group(epilog=examples("python -m tools provider check --stack craftkit-certificates --request 1234"))
def provider() -> None:
    """The signature service, as the stack is configured to ask it."""


@provider.command(
    "check",
    epilog=examples(
        "python -m tools provider check --local --request req_first",
        "python -m tools provider check --stack craftkit-certificates --request 1234",
    ),
)
@click.option("--request", "request_id", required=True, metavar="ID", help="The provider's id of a completed request.")
@on_a_stack
def check_command(target: Target, *, request_id: str) -> None:
    """Fetch one certificate without archiving it, and say each step.

    Exit code 1 says that it would be refused.
    """
    output = Output()
    settings = _settings(target)
    secret = Secret(target.secrets_manager, settings.provider_secret_name)
    try:
        certificate = WatchedProvider(settings, secret, output.result).fetch(request_id, PROVIDER_SECONDS)
    except ProviderFailed as failure:
        output.result(f"Refused: {failure.reason}. {ADVICE[failure.reason]}", "red")
        raise click.exceptions.Exit(1) from failure
    output.result(f"Accepted: a whole PDF of {len(certificate.content):,} bytes. Nothing was archived.", "green")
    output.result(f"SHA-256 {Certificate(certificate.content).sha256}")


def _settings(target: Target) -> ProviderSettings:
    """Raises CannotRun, which names the parameters that are wrong."""
    values = {variable: target.parameters.get(parameter) for parameter, variable in _PARAMETERS.items()}
    try:
        return ProviderSettings.model_validate(values)
    except ValidationError as error:
        names = {variable: parameter for parameter, variable in _PARAMETERS.items()}
        problems = [_problem(problem, names) for problem in error.errors(include_input=False)]
        raise CannotRun("; ".join(problems)) from None


def _problem(problem: Any, names: dict[str, str]) -> str:
    return f"{names.get(''.join(map(str, problem['loc'])), 'The stack')}: {problem['msg']}"


def _host(link: str) -> str:
    try:
        url = Url.parse_link(link)
    except ValueError as error:
        return f"something that {error}"
    return f"{url.host}:{url.port}"


def _kind(content: bytes) -> str:
    kinds = {b"%PDF-": "a PDF", b"PK\x03\x04": "a ZIP", b"JVBERi": "base64 of a PDF", b"{": "JSON", b"<": "HTML or XML"}
    return next((kind for start, kind in kinds.items() if content.lstrip().startswith(start)), "something else")
