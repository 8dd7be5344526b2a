"""The errors of this package. Their attributes never hold a value from outside, so all of them may be logged."""

from dataclasses import dataclass, field


class CertificateError(Exception):
    """Base of all errors of this package and of the functions."""


@dataclass(eq=False)
class AwsUnavailable(CertificateError):
    """An AWS service does not respond, throttles, or its response does not match the request. `cause` is its error
    code, the exception's name, or a constant of our code."""

    cause: str


class RecordsUnavailable(AwsUnavailable):
    """DynamoDB is unavailable."""


class ArchiveUnavailable(AwsUnavailable):
    """S3 is unavailable."""


@dataclass(eq=False)
class InvalidRecord(CertificateError):
    """An item breaks the rules of its table; `problems` maps each attribute to the rule that it breaks."""

    record: str
    problems: dict[str, str]


@dataclass(eq=False)
class NotAvailable(CertificateError):
    """There is no certificate, and there will be none. `status` is the signature request's."""

    status: str


class NotAvailableYet(NotAvailable):
    """There is no certificate yet."""


class NotArchived(CertificateError):
    """The archive has no such certificate."""


@dataclass(eq=False)
class CertificateTooLarge(CertificateError):
    """The certificate has `size` bytes, more than the caller can take at once."""

    size: int


@dataclass(eq=False)
class RangeNotSatisfiable(CertificateError):
    """The certificate has `size` bytes, and none of them lies in the requested range."""

    size: int


@dataclass(eq=False)
class ProviderFailed(CertificateError):
    """The provider gave no valid certificate in time. The docstrings of `provider` and `https` list the reasons."""

    reason: str
    upstream_status: int | None = None
    """The provider's HTTP status, if any."""
    transient: bool = field(default=False, kw_only=True)
    """Retrying soon may help."""
    retry_after: int | None = field(default=None, kw_only=True)
    """Seconds, if the provider asks for a pause."""
