"""A message of ArchiveQueue: `{"signatureRequestId": "<uuid>"}`, whichever trigger sent it."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from certificates.errors import CertificateError
from certificates.models import UUID


class MalformedMessage(CertificateError):
    """The body is not what the triggers send."""


class Message(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True)

    signature_request_id: Annotated[str, Field(pattern=f"(?i){UUID}"), AfterValidator(str.lower)]


def parse_message(body: str) -> str:
    """The signature request's id, a UUID in lower case. Raises MalformedMessage."""
    try:
        return Message.model_validate_json(body).signature_request_id
    except ValidationError:
        raise MalformedMessage from None
