"""The contents of `evidence.json`. `python -m operate.evidence.record` prints docs/evidence.schema.json."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from operate.evidence.checks import Check, Part

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
LogLine = dict[str, str]
Integrity = Literal["intact", "broken", "not_determined"]
Permission = Literal["no_changes", "fill_forms", "annotate"]
Trust = Literal[
    "trusted", "web_site_only", "other_purpose", "unknown_authority", "expired", "weak_algorithm", "not_established"
]
Shown = Literal["structure", "visible_signature", "form_field", "annotation"]
"""Additions that a reader of the PDF may see or hear."""
AdditionKind = Literal["validation_data", "metadata", "signature", "time_stamp"] | Shown


class Program(Part):
    name: str = "craftkit-certificates"
    version: str
    py_hanko: str = Field(description="Version of the library that checks signatures.")


class Source(Part):
    """Where the certificate and what is known about it were read."""

    stack: str
    region: str
    table: str
    bucket: str
    key: str


class Certificate(Part):
    """The version of the archived certificate that was read, and its copy in the folder. SHA-256 in hexadecimal."""

    file: str
    size: int = Field(description="In bytes.")
    sha256_computed: Sha256 = Field(description="SHA-256 of the bytes that S3 sent.")
    sha256_stored: Sha256 | None = Field(description="Stored by S3 since the certificate was written.")
    sha256_in_metadata: Sha256 | None = Field(description="Stored by the service; clients get it as Repr-Digest.")
    sha256_in_folder: Sha256 = Field(description="SHA-256 of the file, read back.")
    version_id: str
    created_at: datetime = Field(description="S3's LastModified.")
    retention_mode: str | None
    retained_until: datetime | None
    legal_hold: str | None
    metadata: dict[str, str] = Field(description="The object's user-defined metadata.")


class Version(Part):
    """A version or a delete marker of the key."""

    version_id: str
    created_at: datetime
    size: int | None
    is_delete_marker: bool
    is_latest: bool


class SecondCopy(Part):
    """The same key in the second copy of the archive."""

    bucket: str
    versions: list[Version] = Field(description="Newest first.")
    sha256: Sha256 | None = Field(description="Stored by S3, if there is one version.")


class Seal(Part):
    """A seal, and what its list has about the certificate or, in a renewal, about the token of the seal before."""

    list: str = Field(description="Key of its list in the archive.")
    version_id: str
    size: int = Field(description="In bytes.")
    sha256: Sha256
    time: datetime = Field(description="Stated by the time-stamping authority.")
    authority: str


class Hold(Part):
    """A record of a hold that covers the certificate."""

    scope: Literal["project", "signature_request"]
    action: Literal["set", "release"]
    reason: str
    by: str
    at: datetime = Field(description="S3's LastModified.")
    is_completed: bool = Field(description="All certificates that it covers were changed.")


class Addition(Part):
    """A kind of addition or change after a signature."""

    kind: AdditionKind
    names: list[str] = Field(description="Full names of the form fields, as the PDF has them.")


class DigitalSignature(Part):
    """A signature or document time stamp: the answers to three independent questions (ISO 32000-2, 12.8)."""

    field: str | None = Field(description="Full name of the form field that holds it, if it can be read.")
    kind: Literal["signature", "time_stamp"] = "signature"
    is_hidden: bool = Field(description="An earlier revision has it; the last one hides, renames or replaces it.")

    integrity: Integrity = Field(description="Whether the covered bytes are the signed ones, and its value is valid.")
    integrity_reason: str | None = Field(description="Why it is broken or not determined.")
    byte_range: list[int] | None = Field(
        default=None, description="Offset and length of the two signed ranges, in bytes, within the certificate."
    )
    coverage: Literal["whole_file", "whole_revision", "part"] = "part"

    changes: Literal["none", "explained", "not_explained", "forbidden", "not_determined"] = Field(
        default="not_determined",
        description="Changes after it: none; only the additions; others; or another content of a page, or a violation "
        "of a certification or lock.",
    )
    additions: list[Addition] = Field(default=[])
    changes_reason: str | None = Field(default=None, description="Why they are not none or explained.")
    permitted: Permission | None = Field(default=None, description="Changes that the signature permits (DocMDP).")

    signer: str | None = Field(default=None, description="Subject of the signer's certificate.")
    issuer: str | None = Field(default=None, description="Issuer of the signer's certificate.")
    trust: Trust | None = Field(default=None, description="Whether a trusted authority issued it, and for signing.")
    signed_at: datetime | None = None
    time_source: Literal["claim", "time_stamp"] | None = Field(
        default=None, description="Whether signedAt is the signer's own claim, or comes from an authority."
    )
    time_integrity: Integrity | None = Field(default=None, description="Integrity of its own time stamp, if any.")
    time_authority: str | None = Field(default=None, description="Subject of the time-stamping authority.")
    time_trust: Trust | None = Field(default=None, description="Trust in the time-stamping authority.")


class Logs(Part):
    """The lines about this signature request, oldest first: docs/run.md describes their fields."""

    groups: list[str]
    since: datetime = Field(description="From this time on, each log group has all its lines.")
    until: datetime
    lines: list[LogLine] = Field(description="Lines about certificates that were archived or served.")
    other_lines: list[LogLine] = Field(description="Refusals, and all others.")


class Evidence(Part):
    """Evidence about one completion certificate. Null means: could not be read, or does not exist."""

    format: Literal["craftkit-evidence-2"] = "craftkit-evidence-2"
    made_at: datetime
    program: Program
    source: Source
    signature_request: dict[str, str | None] = Field(description="The known attributes of its item, as stored.")
    certificate: Certificate | None
    versions: list[Version] | None = Field(description="Newest first.")
    second_copy: SecondCopy | None
    seals: list[Seal] | None = Field(
        description="The seal that has the certificate, and those that renewed it, oldest first."
    )
    holds: list[Hold] | None = Field(description="Oldest first, since the last release that was completed.")
    signatures: list[DigitalSignature] | None = Field(description="Oldest first.")
    logs: Logs | None
    checks: list[Check]
    contradictions: list[str] = Field(description="The sentences of the checks that contradict the certificate.")
    not_determined: list[str] = Field(description="The sentences about what is not determined, with the reason.")


def make_schema() -> dict[str, Any]:
    """Returns a JSON Schema, draft 2020-12."""
    schema = Evidence.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    print(json.dumps(make_schema(), indent=2))
