"""How long everything may take, in seconds, and how often it is tried.

    API Gateway's 29 > the download function's timeout > PROVIDER_SECONDS + ARCHIVE_SECONDS

An outer budget is computed from the inner ones. tests/service/template/test_functions.py compares them with the
template.
"""

from dataclasses import dataclass

# AWS
CONNECT_SECONDS = 1  # boto3's default of 60 s would outlast the invocation
REPLY_SECONDS = 0.5  # reserved for the reply after the last call


@dataclass(frozen=True)
class CallLimits:
    """The limits of one call of an AWS service: how long each attempt waits for the response, and how many attempts."""

    read_seconds: float
    attempts: int

    @property
    def attempt_seconds(self) -> float:
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

# Tables
UNPROCESSED_READS = 4  # attempts of a read that DynamoDB leaves unprocessed
UNPROCESSED_PAUSE = 0.05  # before the second attempt, at most; doubles with each

# Archive
ARCHIVE_SECONDS = S3.call_seconds + REPLY_SECONDS  # reserved for the write of a fetched certificate
CONFLICTING_WRITES = 3  # attempts while another write of the same certificate is under way
CONFLICT_PAUSE = 0.1
FIRST_ARCHIVE_DELAY = 30  # before a message is received again; doubles with each receive
LONGEST_ARCHIVE_DELAY = 3600

# Provider
PROVIDER_SECONDS = 18.0  # one fetch, with links, pauses and a second try
PROVIDER_CONNECT_SECONDS = 5.0
PROVIDER_PAUSE = 0.5  # before the second try, unless the provider asks for another pause
SHORTEST_TRY_SECONDS = 2.0  # a second try needs at least this long
REMEMBERED_SECONDS = 10  # downloads do not repeat a failed fetch for this long

# Token endpoint
TOKEN_SECONDS = 10.0  # one request
TOKEN_RETRY_SECONDS = 300  # how late a refresh may be: Lambda retries after one minute, and again after two
REFRESH_TOKEN_PAUSE = 1  # between two attempts to store a new refresh token
CLOCK_TOLERANCE = 60  # an assertion is issued this long ago, in case the provider's clock is behind
JWT_SECONDS = 3600  # an assertion's lifetime, the longest that providers allow
