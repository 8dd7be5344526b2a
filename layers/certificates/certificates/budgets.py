"""How long everything may take, in seconds, and how often it is tried.

    API Gateway's 29 > the download function's time-out > PROVIDER_SECONDS + ARCHIVE_SECONDS

An outer budget is computed from the inner ones. tests/service/template/test_functions.py compares them with the
template.
"""

from dataclasses import dataclass

CONNECT_SECONDS = 1
"""Connect timeout for AWS. boto3's default of 60 s would outlast the invocation."""

REPLY_SECONDS = 0.5
"""Reserved for the reply after the last call."""


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

UNPROCESSED_READS = 4
"""Attempts of a table read that DynamoDB leaves unprocessed."""

UNPROCESSED_PAUSE = 0.05
"""Before the second attempt, up to this long at random. It doubles with each attempt."""

ARCHIVE_SECONDS = S3.call_seconds + REPLY_SECONDS
"""Reserved for the write of a fetched certificate."""

CONFLICTING_WRITES = 3
"""Attempts of an S3 write while another write of the same certificate is under way."""

CONFLICT_PAUSE = 0.1

PROVIDER_SECONDS = 18.0
"""One fetch, with links, pauses and a second try."""

PROVIDER_CONNECT_SECONDS = 5.0

PROVIDER_PAUSE = 0.5
"""Before the second try, unless the provider asks for another pause."""

SHORTEST_TRY_SECONDS = 2.0
"""A second try of a fetch needs at least this long."""

REMEMBERED_SECONDS = 10
"""A failed fetch is not repeated by downloads for this long."""

FIRST_ARCHIVE_DELAY = 30
LONGEST_ARCHIVE_DELAY = 3600
"""Before an archive message is received again. The delay doubles with each receive."""

TOKEN_SECONDS = 10.0
"""One request to the token endpoint."""

TOKEN_RETRY_SECONDS = 300
"""How late a refresh may be: Lambda retries a failed one after one minute and again after two."""

REFRESH_TOKEN_PAUSE = 1
"""Between two attempts to store a new refresh token."""
