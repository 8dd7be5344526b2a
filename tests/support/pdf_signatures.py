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
from tests.support.signed_pdf import ISSUER, SEAL, STAMPED_AT, TIME_STAMPER, subject


@pytest.fixture(autouse=True, name="trusted")
def make_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine trusts the signers' authority, and no other."""
    file = tmp_path / "authorities.pem"
    file.write_bytes(signed_pdf.authority())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", "none")
    monkeypatch.setattr(pdf_trust, "make_trust_manager", cache(pdf_trust.make_trust_manager.__wrapped__))
    return file


def inspect(content: bytes) -> list[DigitalSignature]:
    return inspect_signatures(content)[0]


def found(**changes: Any) -> dict[str, Any]:
    """A signature as `sign` makes it, except for the changes."""
    verdicts: dict[str, Any] = {"integrity": "intact", "integrity_reason": None, "coverage": "whole_file"}
    verdicts |= {"changes": "none", "trust": "trusted", "time_source": "claim"}
    one = DigitalSignature(field="Seal", is_hidden=False, signer=subject(SEAL), issuer=ISSUER, **verdicts)
    return one.model_dump() | {"byte_range": [0, ANY, ANY, ANY], "signed_at": ANY} | changes


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
SOMETHING_ELSE = "something else than its value lies between the signed ranges"
