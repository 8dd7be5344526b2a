"""What all commands share: errors in one line with an exit code, checked options, and examples in the help."""

import os
import re
import signal
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
HELP_OPTIONS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
TIME = click.DateTime(["%Y-%m-%dT%H:%M:%S%z"])


class CannotRun(click.ClickException):
    """The command could not finish its work."""

    exit_code = 2


class Interrupted(click.ClickException):
    """Ctrl-C. The exit code follows the shells: 128 + SIGINT."""

    exit_code = 130


class Command(click.Command):
    """Turns every failure into one printable line and an exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _printable_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _printable_errors():
            try:
                return super().invoke(ctx)
            except BrokenPipeError as error:
                # The reader closed the pipe, which Python would flush at its end. The exit code follows the shells.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise click.exceptions.Exit(128 + signal.SIGPIPE) from error
            except (*AwsError, ResponseParserError, CertificateError, OSError) as error:
                raise CannotRun(describe_error(error)) from error
            except KeyboardInterrupt as error:
                raise Interrupted("Interrupted.") from error


class Commands(Command, click.Group):
    """A group that handles failures as Command does."""


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


@contextmanager
def _printable_errors() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        error.message = make_printable(error.message)
        raise


def describe_error(error: Exception) -> str:
    """Says what is wrong and what to do, in one line."""
    match error:
        case aws.NoCredentialsError():
            return "No AWS credentials found. Sign in, or set AWS_PROFILE."
        case aws.NoRegionError():
            return "No AWS region set. Give --region, or set AWS_DEFAULT_REGION."
        case aws.ProfileNotFound():
            text, advice = str(error), "Set AWS_PROFILE to one of `aws configure list-profiles`."
        case aws.ConnectionError():
            text, advice = str(error), "Check the network, the proxy and the region."
        case aws.TokenRetrievalError() | aws.CredentialRetrievalError():
            text, advice = str(error), "Sign in again."
        case aws.ClientError():
            text = f"AWS refused {error.operation_name}: {error.response['Error'].get('Message') or error}"
            advice = "Sign in again, or set AWS_PROFILE." if _NOT_SIGNED_IN.fullmatch(error_code(error)) else ""
        case ResponseParserError():
            return "The response is not from AWS. Check the proxy and AWS_ENDPOINT_URL."
        case CertificateError() if isinstance(error.__cause__, AwsError):
            return describe_error(error.__cause__)
        case CertificateError():
            text, advice = f"AWS gave no usable response: {error}", ""
        case _:
            text, advice = str(error), ""
    return f"{' '.join(text.split()).removesuffix('.')}. {advice}".rstrip()
