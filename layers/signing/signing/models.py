"""The items of the two tables. Other services write them; what breaks these rules is an `InvalidRecord`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from signing.errors import InvalidRecord, NotAvailable, NotAvailableYet

_NEVER_AVAILABLE = {"declined", "expired", "cancelled", "failed"}

Item = Mapping[str, object]
"""A DynamoDB item with its attribute types removed: `{"projectId": "prj_1", "revokedAt": None}`."""


def _parse_time(value: object) -> object:
    return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) if isinstance(value, str) else value


Time = Annotated[datetime, Field(strict=True), BeforeValidator(_parse_time)]
"""ISO 8601 in UTC with milliseconds: `2026-06-05T11:42:08.000Z`."""


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    table: ClassVar[str]

    @classmethod
    def parse(cls, item: Item) -> Self:
        """Raises InvalidRecord, which names the broken attributes but none of their values."""
        try:
            return cls.model_validate(item)
        except ValidationError as error:
            problems = {".".join(map(str, e["loc"])) or "item": e["type"] for e in error.errors(include_input=False)}
            raise InvalidRecord(cls.table, problems) from None


class ApiKey(Record):
    """A project's key. The key itself is nowhere: the item is found by its SHA-256."""

    table = "api_keys"

    project_id: Annotated[StrictStr, Field(min_length=1)]
    revoked_at: Time | None = None
    expires_at: Time | None = None

    def is_accepted_at(self, now: datetime) -> bool:
        """A key with a revocation time is refused whatever the time is: the writer's clock may run ahead of ours."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Owned(Record):
    """Of a signature request, the project that owns it: all that may be looked at before a key is found to be its."""

    table = "signatures"

    project_id: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]{1,64}\z")]


class Signature(Owned):
    """A signature request."""

    id: StrictStr
    status: Literal["sent", "viewed", "completed", "declined", "expired", "cancelled", "failed"]
    certificate_url: StrictStr | None = None
    provider_request_id: Annotated[StrictStr, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _certificate_url_is_our_own(self) -> Self:
        own = f"/v1/signatures/{self.id}/certificate"
        if self.certificate_url is not None and not self.certificate_url.endswith(own):
            raise ValueError("certificateUrl is not this request's")
        return self

    def require_certificate(self) -> None:
        """Raises NotAvailableYet, or NotAvailable if it never will be, unless the certificate is available."""
        if self.certificate_url is None:
            raise (NotAvailable if self.status in _NEVER_AVAILABLE else NotAvailableYet)(self.status)
