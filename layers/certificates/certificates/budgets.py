"""How long everything may take, in seconds.

    API Gateway's 29 > the download function's time-out > PROVIDER_SECONDS + ARCHIVE_SECONDS

An outer budget is computed from the inner ones. tests/service/template/test_functions.py compares all of them with the
template.
"""

from dataclasses import dataclass

CONNECT_SECONDS = 1
"""Of AWS. boto3's defaults, 60 s and more attempts, outlast an invocation."""

REPLY_SECONDS = 0.5
"""For the caller's reply after the last call."""


@dataclass(frozen=True)
class CallLimits:
    """The limits of one call of an AWS service: how long each attempt waits for the response, and how many attempts."""

    read_seconds: float
    attempts: int

    @property
    def attempt_seconds(self) -> float:
        """The longest that one attempt takes."""
        return CONNECT_SECONDS + self.read_seconds

    @property
    def call_seconds(self) -> float:
        """The longest that all attempts take. The pauses between them are at most 1, 2, 4 … seconds.

        Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
        """
        return self.attempts * self.attempt_seconds + 2.0 ** (self.attempts - 1) - 1


DYNAMODB = CallLimits(read_seconds=2, attempts=3)
KMS = CallLimits(read_seconds=2, attempts=2)
S3 = CallLimits(read_seconds=3, attempts=2)
SECRETS_MANAGER = CallLimits(read_seconds=2, attempts=2)
SQS = CallLimits(read_seconds=2, attempts=3)

ARCHIVE_SECONDS = S3.call_seconds + REPLY_SECONDS
"""Reserved for the write of a fetched certificate."""

PROVIDER_SECONDS = 18.0
"""One fetch, with links, pauses and a second try."""

PROVIDER_CONNECT_SECONDS = 5.0

SHORTEST_TRY_SECONDS = 2.0
"""A second try of a fetch needs at least this long."""

TOKEN_SECONDS = 10.0
"""One request to the token endpoint."""

TOKEN_RETRY_SECONDS = 300
"""How late a refresh may be: Lambda retries a failed one after one minute and again after two."""
