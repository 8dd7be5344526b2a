"""A message of ArchiveQueue: `{"signatureRequestId": "<uuid>"}`, whichever trigger sent it."""

from pydantic_core import SchemaValidator, ValidationError, core_schema

from certificates.errors import CertificateError
from certificates.models import UUID
from certificates.rules import text


class MalformedMessage(CertificateError):
    """The body is not what the triggers send."""


_UUID = text(f"(?i){UUID}")
_BODY = SchemaValidator(
    core_schema.typed_dict_schema({"signatureRequestId": core_schema.typed_dict_field(_UUID, required=True)})
)


def parse_message(body: str) -> str:
    """The signature request's id, a UUID in lower case. Raises MalformedMessage."""
    try:
        return str(_BODY.validate_json(body)["signatureRequestId"]).lower()
    except ValidationError:
        raise MalformedMessage from None
