"""What all commands share: errors in one line with an exit code, checked options, and examples in the help."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from certificates.aws import AwsError, error_code
from certificates.errors import CertificateError
from operate.output import make_printable

_NOT_SIGNED_IN = re.compile(
    "ExpiredToken.*|Invalid(AccessKey|ClientToken)Id|RequestExpired|SignatureDoesNotMatch|UnrecognizedClientException"
)
_KNOWN_ERRORS: list[tuple[type[BaseException], str, str]] = [
    (KeyboardInterrupt, "Interrupted", ""),
    (aws.NoCredentialsError, "No AWS credentials found", "Sign in, or set AWS_PROFILE."),
    (aws.NoRegionError, "No AWS region set", "Give --region, or set AWS_DEFAULT_REGION."),
    (aws.ProfileNotFound, "", "Set AWS_PROFILE to one of `aws configure list-profiles`."),
    (aws.ConnectionError, "", "Check the network, the proxy and the region."),
    (aws.TokenRetrievalError, "", "Sign in again."),
    (aws.CredentialRetrievalError, "", "Sign in again."),
    (ResponseParserError, "The response is not from AWS", "Check the proxy and AWS_ENDPOINT_URL."),
]
"""The text for an error, if its own is not good enough, and advice."""

TIME = click.DateTime(["%Y-%m-%dT%H:%M:%S%z"])
TSA_CA = click.option(
    "--tsa-ca",
    type=click.File("rb"),
    metavar="FILE",
    help="PEM file of trusted time-stamping roots, in place of the machine's.",
)


class CannotRun(click.ClickException):
    """The command could not finish its work."""

    exit_code = 2


class Program(click.Group):
    """Turns every failure into one printable line and an exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _report_failures():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _report_failures():
            return super().invoke(ctx)


@contextmanager
def _report_failures() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.message = make_printable(error.message)
        raise
    except BrokenPipeError:
        raise  # click ends quietly
    except (*AwsError, ResponseParserError, CertificateError, OSError, KeyboardInterrupt) as error:
        raise CannotRun(make_printable(describe_error(error))) from error


class Text(click.ParamType):
    """An option whose whole text matches a pattern. An error says the rule, and never the text: it may be a key."""

    name = "text"

    def __init__(self, pattern: str, rule: str) -> None:
        self._pattern = re.compile(pattern, re.ASCII)
        self._rule = rule

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._pattern.fullmatch(value):
            self.fail(self._rule, param, ctx)
        return value


def examples(*lines: str) -> str:
    r"""Makes a command's epilog of lines as they are typed. click does not wrap a paragraph that begins with \b."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def read_key() -> str:
    """Reads an API key from standard input: every user of the machine can see a program's arguments."""
    if sys.stdin.isatty():
        return str(click.prompt("API key", hide_input=True, err=True))
    return click.get_binary_stream("stdin").readline().strip().decode(errors="replace")


def describe_error(error: BaseException) -> str:
    """Says what is wrong and what to do, in one line."""
    if isinstance(error, CertificateError) and isinstance(error.__cause__, AwsError):
        return describe_error(error.__cause__)
    text, advice = next((words for kind, *words in _KNOWN_ERRORS if isinstance(error, kind)), ("", ""))
    if isinstance(error, aws.ClientError):
        text = f"AWS refused {error.operation_name}: {error.response['Error'].get('Message') or error}"
        advice = "Sign in again, or set AWS_PROFILE." if _NOT_SIGNED_IN.fullmatch(error_code(error)) else ""
    if isinstance(error, CertificateError):
        text = f"AWS gave no usable response: {error}"
    return f"{' '.join((text or str(error)).split()).removesuffix('.')}. {advice}".rstrip()
