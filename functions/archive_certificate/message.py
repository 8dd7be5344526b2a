"""A message of ArchiveQueue: `{"signatureRequestId": "<uuid>"}`, whichever trigger sent it."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from certificates.models import parse_signature_id


class Message(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True)

    signature_request_id: Annotated[str, AfterValidator(parse_signature_id)]


def parse_message(body: str) -> str | None:
    """The signature request's id, a UUID in lower case. Returns None if the body is not what the triggers send."""
    try:
        return Message.model_validate_json(body).signature_request_id
    except ValidationError:
        return None
