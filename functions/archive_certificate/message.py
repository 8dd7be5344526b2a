"""A message of ArchiveQueue: `{"signatureRequestId": "<uuid>"}`, from every trigger."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from certificates.models import parse_signature_id


class Message(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True)

    signature_request_id: Annotated[str, AfterValidator(parse_signature_id)]


def parse_message(body: str) -> str | None:
    """Returns the signature request's id, a UUID in lower case, or None if the body has another form."""
    try:
        return Message.model_validate_json(body).signature_request_id
    except ValidationError:
        return None
