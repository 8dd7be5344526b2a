"""The contents of `evidence.json`.

`python -m operate.evidence.record` prints its schema, which is in docs/evidence.schema.json.
"""

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, computed_field

from operate.evidence.checks import Check, Outcome, Part
from operate.evidence.digital_signature import DigitalSignature

SHA256 = r"^[0-9a-f]{64}$"
LogLine = dict[str, str]


class Program(Part):
    name: str = "craftkit-certificates"
    version: str
    py_hanko: str = Field(description="Version of the library that checks signatures.")


class Place(Part):
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
    sha256_computed: str = Field(pattern=SHA256, description="SHA-256 of the bytes that S3 sent.")
    sha256_stored: str | None = Field(
        pattern=SHA256, description="As S3 has stored it since the certificate was written."
    )
    sha256_in_metadata: str | None = Field(
        pattern=SHA256, description="As the service stored it with the certificate, which clients get as Repr-Digest."
    )
    sha256_in_folder: str = Field(pattern=SHA256, description="SHA-256 of the file, read back.")
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
    sha256: str | None = Field(pattern=SHA256, description="As S3 has stored it, if there is one version.")


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
    place: Place
    signature_request: dict[str, str | None] = Field(description="The known attributes of its item, as stored.")
    certificate: Certificate | None
    versions: list[Version] | None = Field(description="Newest first.")
    second_copy: SecondCopy | None
    signatures: list[DigitalSignature] | None = Field(description="Oldest first.")
    logs: Logs | None
    checks: list[Check]

    @computed_field(description="The sentences of the checks that contradict the certificate.")  # type: ignore[prop-decorator]
    @property
    def contradictions(self) -> list[str]:
        return self._select("contradicted")

    @computed_field(description="The sentences about what could not be determined, with the reason.")  # type: ignore[prop-decorator]
    @property
    def not_determined(self) -> list[str]:
        return self._select("not_determined")

    def _select(self, outcome: Outcome) -> list[str]:
        return [check.sentence for check in self.checks if check.outcome == outcome]


def make_schema() -> dict[str, Any]:
    """Returns a JSON Schema, draft 2020-12."""
    schema = Evidence.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


if __name__ == "__main__":
    print(json.dumps(make_schema(), indent=2))
