"""The results expected for the digital signatures that `signed_pdf` makes."""

from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from operate.evidence import pdf_trust
from operate.evidence.pdf_signatures import inspect_signatures
from operate.evidence.record import DigitalSignature
from tests.support import signed_pdf
from tests.support.signed_pdf import (
    ISSUER,
    SEAL,
    STAMPED_AT,
    TIME_STAMPER,
    subject,
)


@pytest.fixture(autouse=True, name="trusted")
def make_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine trusts the signers' authority, and no other."""
    file = tmp_path / "authorities.pem"
    file.write_bytes(signed_pdf.authority())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", "none")
    for name in ("trusted_authorities", "make_trust_manager"):
        monkeypatch.setattr(pdf_trust, name, cache(getattr(pdf_trust, name).__wrapped__))
    return file


def inspect(content: bytes) -> list[DigitalSignature]:
    return inspect_signatures(content)[0]


def found(**changes: Any) -> dict[str, Any]:
    """A signature as `sign` makes it, except for the changes."""
    return {
        "field": "Seal",
        "kind": "signature",
        "is_hidden": False,
        "integrity": "intact",
        "integrity_reason": None,
        "byte_range": [0, ANY, ANY, ANY],
        "coverage": "whole_file",
        "changes": "none",
        "additions": [],
        "changes_reason": None,
        "permitted": None,
        "signer": subject(SEAL),
        "issuer": ISSUER,
        "trust": "trusted",
        "signed_at": ANY,
        "time_source": "claim",
        "time_integrity": None,
        "time_authority": None,
        "time_trust": None,
    } | changes


def added(*additions: str | tuple[str, list[str]], **changes: Any) -> dict[str, Any]:
    """Changes after a signature that are all named."""
    pairs = [(one, []) if isinstance(one, str) else one for one in additions]
    return {
        "coverage": "whole_revision",
        "changes": "explained",
        "additions": [{"kind": kind, "names": names} for kind, names in pairs],
    } | changes


FORBIDDEN = {
    "coverage": "whole_revision",
    "changes": "forbidden",
    "changes_reason": "the content of page 1 was changed",
    "additions": ANY,
}
OTHER_DIGEST = {
    "integrity": "broken",
    "integrity_reason": "the digest of the covered bytes is not the signed one",
    "trust": None,
}
STAMPED = {
    "signed_at": STAMPED_AT,
    "time_source": "time_stamp",
    "time_authority": subject(TIME_STAMPER),
    "time_trust": "trusted",
}
DOCUMENT_STAMP = STAMPED | {"field": "Stamp", "kind": "time_stamp", "signer": subject(TIME_STAMPER)}
UNCLAIMED = {"signed_at": None, "time_source": None}
SOMETHING_ELSE = "something else than its value lies between the signed ranges"
