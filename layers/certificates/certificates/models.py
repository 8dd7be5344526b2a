"""The items of the two tables, as other services write them. An item that breaks these rules is an InvalidRecord."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from certificates.errors import InvalidRecord, NotAvailable, NotAvailableYet

STATUSES = {
    "sent": True,
    "viewed": True,
    "completed": True,
    "declined": False,
    "expired": False,
    "cancelled": False,
    "failed": False,
}
"""Each status of a signature request, and whether a missing certificate may still come. Everything else that depends on
a status derives from here."""

PROJECT_ID = r"^[A-Za-z0-9_-]{1,64}$"
_SIGNATURE_ID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

Item = Mapping[str, object]
"""A DynamoDB item without its attribute types, numbers as Decimal: `{"projectId": "prj_1", "revokedAt": None}`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_signature_id(text: str) -> str:
    """Returns the UUID in lower case. Raises ValueError for any other text."""
    id_ = text.lower()
    if re.fullmatch(_SIGNATURE_ID, id_) is None:
        raise ValueError("must be a UUID")
    return id_


def _parse_time(value: object) -> datetime:
    """ISO 8601 with an offset, of any precision (`2026-06-05T11:42:08.000Z`), or Unix seconds as a number."""
    match value:
        case str():
            time = datetime.fromisoformat(value)
        case Decimal():
            try:
                time = _EPOCH + timedelta(seconds=float(value))
            except OverflowError:
                raise ValueError("must be Unix seconds") from None
        case _:
            raise ValueError("must be a time")
    if time.tzinfo is None:
        raise ValueError("must have an offset")
    return time


def _format_whole_number(value: object) -> object:
    """Replaces a whole number with its digits. Some providers count their requests."""
    is_whole = isinstance(value, Decimal) and value.is_finite() and value == int(value)
    return str(int(value)) if is_whole else value  # type: ignore[call-overload]


Time = Annotated[datetime, BeforeValidator(_parse_time)]
# Some writers store an empty text for an absent one.
OptionalText = Annotated[str | None, BeforeValidator(lambda value: None if value == "" else value)]


class Record(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True)

    table: ClassVar[str]

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Raises InvalidRecord, which names the broken attributes but none of their values."""
        try:
            return cls.model_validate(item)
        except ValidationError as error:
            problems = {".".join(map(str, e["loc"])) or "item": e["type"] for e in error.errors(include_input=False)}
            raise InvalidRecord(cls.table, problems) from None


class ApiKey(Record):
    """A project's key. An empty time is broken, not absent: a key whose revocation can't be read is never accepted."""

    table = "api_keys"

    project_id: str = Field(min_length=1)
    revoked_at: Time | None = None
    expires_at: Time | None = None

    def is_accepted_at(self, now: datetime) -> bool:
        """A revoked key is refused even if its revocation time is in the future: the writer's clock may be ahead."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Owned(Record):
    """The owning project of a signature request: the only field read before the key is checked against it."""

    table = "signatures"

    project_id: str = Field(pattern=PROJECT_ID)


class SignatureRequest(Owned):
    id: str = Field(pattern=_SIGNATURE_ID)
    status: Literal[tuple(STATUSES)]  # type: ignore[valid-type]
    certificate_url: OptionalText = None
    provider_request_id: Annotated[OptionalText, BeforeValidator(_format_whole_number)] = None

    @model_validator(mode="after")
    def _check_certificate_url(self) -> Self:
        own = f"/v1/signatures/{self.id}/certificate"
        if self.certificate_url is not None and not self.certificate_url.endswith(own):
            raise ValueError("certificateUrl belongs to another signature request")
        return self

    @property
    def object_key(self) -> str:
        """The certificate's key in the archive."""
        return f"{self.project_id}/{self.id}.pdf"

    def require_certificate(self) -> None:
        """Raises NotAvailableYet, or NotAvailable if it never will be, unless the certificate is available."""
        if self.certificate_url is None:
            raise (NotAvailableYet if STATUSES[self.status] else NotAvailable)(self.status)

    def require_provider_request_id(self) -> str:
        """Raises InvalidRecord if the certificate can't be fetched without it."""
        if self.provider_request_id is None:
            raise InvalidRecord(self.table, {"providerRequestId": "missing"})
        return self.provider_request_id
