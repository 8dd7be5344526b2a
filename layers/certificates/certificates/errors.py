"""The errors of this package. All are CertificateErrors; NotAvailableYet is also a NotAvailable.

No message ever holds a value from outside, so every message may be logged.
"""


class CertificateError(Exception):
    """Base of all errors of this package."""


class AwsUnavailable(CertificateError):
    """An AWS service does not respond, throttles, or its response does not match the request. `cause` is its error
    code, the exception's name, or a constant of our code."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class RecordsUnavailable(AwsUnavailable):
    """DynamoDB is unavailable."""


class ArchiveUnavailable(AwsUnavailable):
    """S3 is unavailable."""


class InvalidRecord(CertificateError):
    """An item breaks the rules of its table; `problems` maps each attribute to the rule that it breaks."""

    def __init__(self, record: str, problems: dict[str, str]) -> None:
        super().__init__(record)
        self.record = record
        self.problems = problems


class NotAvailable(CertificateError):
    """There is no certificate, and there will be none. `status` is the signature request's."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class NotAvailableYet(NotAvailable):
    """There is no certificate yet."""


class NotArchived(CertificateError):
    """The archive has no such certificate."""


class CertificateTooLarge(CertificateError):
    """The certificate has `size` bytes, more than the caller can take at once."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class RangeNotSatisfiable(CertificateError):
    """The certificate has `size` bytes, and none of them lies in the requested range."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class ProviderFailed(CertificateError):
    """The provider gave no valid certificate in time.

    `reason` is one of the words that the docstrings of `provider` and `https` list; `upstream_status` is the provider's
    HTTP status, if any; `retry_after` is in seconds, as the provider asks; `transient`: retrying soon may help.
    """

    def __init__(
        self,
        reason: str,
        upstream_status: int | None = None,
        *,
        transient: bool = False,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.upstream_status = upstream_status
        self.transient = transient
        self.retry_after = retry_after
