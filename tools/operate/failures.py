"""What keeps a command from its work: one line, and the exit code."""

from typing import Any

import click
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError

from signing.aws import AwsError
from signing.errors import SigningError


class CannotRun(click.ClickException):
    """The command could not do its work, or not all of it."""

    exit_code = 2


class Interrupted(click.ClickException):
    """Ctrl-C. The exit code is what shells give: 128 + SIGINT."""

    exit_code = 130


class Commands(click.Group):
    """Turns the failures of AWS, and Ctrl-C, into the two above."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AwsError as error:
            raise CannotRun(in_one_line(error)) from error
        except KeyboardInterrupt as error:
            raise Interrupted("Interrupted.") from error


def in_one_line(error: Exception) -> str:
    """One sentence."""
    match error:
        case NoCredentialsError():
            return "No AWS credentials found. Sign in, or set AWS_PROFILE."
        case NoRegionError():
            return "No AWS region known. Give --region, or set AWS_REGION."
        case EndpointConnectionError():
            return "AWS can't be reached from here."
        case ClientError():
            text = f"AWS refused {error.operation_name}: {error.response['Error'].get('Message') or error}"
        case SigningError():
            text = f"AWS gave no usable answer: {error}"
        case _:
            text = str(error)
    return " ".join(text.split()).removesuffix(".") + "."
