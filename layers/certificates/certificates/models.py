"""The items of the two tables. Other services write them; what breaks these rules is an `InvalidRecord`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Self

from pydantic_core import ValidationError

from certificates.errors import InvalidRecord, NotAvailable, NotAvailableYet
from certificates.rules import TEXT, check, one_of, optional, parsed, text

_NEVER_AVAILABLE = {"declined", "expired", "cancelled", "failed"}

UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
"""A signature request's id."""

Item = Mapping[str, object]
"""A DynamoDB item with its attribute types removed, numbers as Decimal: `{"projectId": "prj_1", "revokedAt": None}`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _parse_time(value: object) -> datetime:
    """ISO 8601 with an offset, of any precision (`2026-06-05T11:42:08.000Z`), or Unix seconds as a number."""
    match value:
        case str():
            time = datetime.fromisoformat(value)
        case Decimal():
            time = _add_seconds(_EPOCH, float(value))
        case _:
            raise ValueError("must be a time")
    if time.tzinfo is None:
        raise ValueError("must have an offset")
    return time


def _add_seconds(time: datetime, seconds: float) -> datetime:
    try:
        return time + timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError("must be Unix seconds") from None


def _parse_request_id(value: object) -> str:
    """A text, or a whole number: its digits."""
    match value:
        case str() if value:
            return value
        case Decimal() if value.is_finite() and value == int(value):
            return str(int(value))
    raise ValueError("must be a text or a whole number")


_TIME = optional(parsed(_parse_time))


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


@dataclass(frozen=True)
class Record:
    table: ClassVar[str]

    @classmethod
    def parse(cls, item: Item) -> Self:
        """Raises InvalidRecord, which names the broken attributes but none of their values."""
        try:
            return check(cls, item, alias=_camel_case)
        except ValidationError as error:
            problems = {".".join(map(str, e["loc"])) or "item": e["type"] for e in error.errors(include_input=False)}
            raise InvalidRecord(cls.table, problems) from None


@dataclass(frozen=True)
class ApiKey(Record):
    """A project's key. The key itself is nowhere: the item is found by its SHA-256."""

    table = "api_keys"

    project_id: Annotated[str, TEXT]
    revoked_at: Annotated[datetime | None, _TIME]
    expires_at: Annotated[datetime | None, _TIME]

    def is_accepted_at(self, now: datetime) -> bool:
        """A key with a revocation time is refused whatever the time is: the writer's clock may run ahead of ours."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class Owned(Record):
    """The owning project of a signature request: the only field read before the key is checked against it."""

    table = "signatures"

    project_id: Annotated[str, text(r"^[A-Za-z0-9_-]{1,64}$")]


@dataclass(frozen=True)
class Signature(Owned):
    """A signature request."""

    id: Annotated[str, text(UUID)]
    status: Annotated[str, one_of("sent", "viewed", "completed", "declined", "expired", "cancelled", "failed")]
    certificate_url: Annotated[str | None, optional(text(""))]
    provider_request_id: Annotated[str | None, optional(parsed(_parse_request_id))]

    def __post_init__(self) -> None:
        own = f"/v1/signatures/{self.id}/certificate"
        if self.certificate_url is not None and not self.certificate_url.endswith(own):
            raise ValueError("certificateUrl is not this request's")

    def require_certificate(self) -> None:
        """Raises NotAvailableYet, or NotAvailable if it never will be, unless the certificate is available."""
        if self.certificate_url is None:
            raise (NotAvailable if self.status in _NEVER_AVAILABLE else NotAvailableYet)(self.status)
