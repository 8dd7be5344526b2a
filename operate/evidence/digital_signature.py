"""One digital signature of a PDF: the answers to three independent questions (ISO 32000-2, 12.8)."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from operate.evidence.checks import Part

Integrity = Literal["intact", "broken", "not_determined"]
Permission = Literal["no_changes", "fill_forms", "annotate"]
Trust = Literal[
    "trusted", "web_site_only", "other_purpose", "unknown_authority", "expired", "weak_algorithm", "not_established"
]


AdditionKind = Literal[
    "validation_data",
    "metadata",
    "structure",
    "signature",
    "visible_signature",
    "time_stamp",
    "form_field",
    "annotation",
]


class Addition(Part):
    """A kind of addition or change after a signature."""

    kind: AdditionKind
    names: list[str] = Field(default=[], description="Full names of the form fields, as the PDF has them.")


class DigitalSignature(Part):
    """One signature or document time stamp."""

    field: str | None = Field(description="Full name of the form field that holds it, if it can be read.")
    kind: Literal["signature", "time_stamp"] = "signature"
    is_hidden: bool = Field(
        default=False, description="An earlier revision of the PDF has it; the last one hides, renames or replaces it."
    )

    integrity: Integrity = Field(
        description="Whether the covered bytes have the signed digest, and the signature is cryptographically valid."
    )
    integrity_reason: str | None = Field(default=None, description="Why it is broken or not determined.")
    byte_range: list[int] | None = Field(
        default=None, description="Offset and length of the two signed ranges, in bytes, within the certificate."
    )
    coverage: Literal["whole_file", "whole_revision", "part"] | None = None

    changes: Literal["none", "explained", "not_explained", "forbidden", "not_determined"] = Field(
        default="not_determined",
        description="Changes after it: none; only the additions; others; a violation of a "
        "certification or lock, or another content of a page; or this could not be determined.",
    )
    additions: list[Addition] = Field(default=[])
    changes_reason: str | None = Field(default=None, description="Why they are forbidden, or not explained.")
    permitted: Permission | None = Field(
        default=None, description="The changes that the signature itself permits (DocMDP), if it says so."
    )

    signer: str | None = Field(default=None, description="Subject of the signer's certificate.")
    issuer: str | None = Field(default=None, description="Issuer of the signer's certificate.")
    trust: Trust | None = Field(
        default=None,
        description="Whether an authority that this machine trusts issued the certificate, and for signing documents.",
    )
    signed_at: datetime | None = None
    time_source: Literal["claim", "time_stamp"] | None = Field(
        default=None, description="Whether signedAt is the signer's own claim, or of a time-stamping authority."
    )
    time_integrity: Integrity | None = Field(
        default=None, description="Integrity of the signature's own time stamp, if any."
    )
    time_authority: str | None = Field(default=None, description="Subject of the time-stamping authority.")
    time_trust: Trust | None = Field(default=None, description="Trust in the time-stamping authority.")


Found = tuple[list[DigitalSignature], str | None]
"""The signatures of a PDF, the oldest first, and why there may be more."""
