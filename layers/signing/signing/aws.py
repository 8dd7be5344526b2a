"""How AWS is called: what its failures are called in a log."""

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

AwsError = (BotoCoreError, ClientError)
"""Everything that a boto3 call, or reading the body that it returns, raises when AWS is at fault."""


def client_config(*, read_timeout: float, attempts: int) -> Config:
    """boto3's defaults (60 s time-outs, legacy retries) outlast a Lambda invocation.

    Source: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
    """
    return Config(
        connect_timeout=1,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
    )


def error_code(error: Exception) -> str:
    """The AWS error code (`SlowDown`), or the exception's name: constant words, where messages hold names and ids."""
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else type(error).__name__
