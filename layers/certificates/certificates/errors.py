"""The errors of this package.

    CertificateError
    ├── RecordsUnavailable      DynamoDB does not answer, or its answer does not match the request
    ├── InvalidRecord           an item breaks the rules of its table
    ├── NotAvailable            there is no certificate, and there will be none
    │   └── NotAvailableYet     there is no certificate yet
    ├── ArchiveUnavailable      S3 does not answer, or its answer does not match the request
    ├── NotArchived             the archive has no such certificate
    ├── CertificateTooLarge     more bytes than the caller can take
    ├── RangeNotSatisfiable     no byte of the certificate lies in the range
    └── ProviderFailed          the provider gave no valid certificate in time

No message ever holds a value from outside: what an error says may be logged.
"""


class CertificateError(Exception):
    """Base of all errors of this package."""


class RecordsUnavailable(CertificateError):
    """DynamoDB does not answer, throttles, or its answer does not match the request. `cause` is its error code, the
    exception's name, or a constant word of `records`."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


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


class ArchiveUnavailable(CertificateError):
    """S3 does not answer, or its answer does not match the request. `cause` is its error code, the exception's name, or
    a constant word of `archive` and of the functions."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class NotArchived(CertificateError):
    """The archive has no such certificate."""


class CertificateTooLarge(CertificateError):
    """The certificate has `size` bytes, more than the caller can take at once."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class RangeNotSatisfiable(CertificateError):
    """No byte of the certificate, which has `size` bytes, lies in the range that was asked for."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class ProviderFailed(CertificateError):
    """The provider gave no valid certificate in time.

    `reason` is one of the constant words in `provider` and `https`; `upstream_status` the provider's HTTP status, if
    it answered; `retry_after` the seconds it asked to wait; `transient` whether retrying soon may help.
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
