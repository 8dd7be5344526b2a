"""A message of ArchiveQueue: `{"signatureRequestId": "<uuid>"}`, whichever trigger sent it."""

from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from signing.errors import SigningError


class MalformedMessage(SigningError):
    """The body is not what the triggers send."""


class _Body(BaseModel):
    signature_request_id: Annotated[
        str, Field(alias="signatureRequestId", pattern=r"(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z")
    ]


def parse_message(body: str) -> str:
    """The signature request's id, a UUID in lower case. Raises MalformedMessage."""
    try:
        return _Body.model_validate_json(body).signature_request_id.lower()
    except ValidationError:
        raise MalformedMessage from None
