"""What `evidence.json` holds.

`python -m tools.operate.evidence.record` prints its schema, which is in docs/evidence.schema.json.
"""

import json
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field
from pydantic.alias_generators import to_camel

from tools.operate.evidence.pdf_signatures import PdfSignature

SHA256 = r"^[0-9a-f]{64}$"


class Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class Program(Part):
    name: str = "craftkit-certificates"
    version: str
    py_hanko: str = Field(description="Version of the library that checks signatures.")
    trusted_authorities: int = Field(description="How many the machine trusts. With 0, every authority is unknown.")


class Place(Part):
    """Where the certificate and what is known about it were read."""

    stack: str
    region: str
    table: str
    bucket: str
    key: str


class Certificate(Part):
    """The archived certificate, and its copy in the folder. SHA-256 in hexadecimal digits."""

    file: str
    size: int = Field(description="In bytes.")
    sha256_computed: str = Field(pattern=SHA256, description="Of the bytes that S3 sent.")
    sha256_stored: str | None = Field(
        pattern=SHA256, description="As S3 has stored it since the certificate was written."
    )
    sha256_in_folder: str = Field(pattern=SHA256, description="Of the file, read back.")
    version_id: str | None
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


class Logs(Part):
    """The lines about this signature request, oldest first: docs/operations.md describes their fields."""

    groups: list[str]
    since: datetime
    until: datetime
    lines: list[dict[str, str]]


class Check(Part):
    subject: str
    outcome: Literal["confirmed", "contradicted", "not_obtained"]
    sentence: str


class Evidence(Part):
    """Evidence about one completion certificate. Null means: not obtained."""

    format: Literal["craftkit-evidence-1"] = "craftkit-evidence-1"
    made_at: datetime
    program: Program
    place: Place
    signature_request: dict[str, str | None] = Field(description="The known attributes of its item, as stored.")
    certificate: Certificate | None
    versions: list[Version] | None = Field(description="Newest first.")
    signatures: list[PdfSignature] | None
    logs: Logs | None
    checks: list[Check]

    @computed_field(description="The sentences of the checks that contradict the certificate.")  # type: ignore[prop-decorator]
    @property
    def findings(self) -> list[str]:
        return [check.sentence for check in self.checks if check.outcome == "contradicted"]

    @computed_field(description="The sentences about what could not be obtained.")  # type: ignore[prop-decorator]
    @property
    def not_obtained(self) -> list[str]:
        return [check.sentence for check in self.checks if check.outcome == "not_obtained"]


def format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def make_schema() -> dict[str, Any]:
    """Returns a JSON Schema, draft 2020-12."""
    schema = Evidence.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    print(json.dumps(make_schema(), indent=2))
