"""Inspects the digital signatures of a PDF, offline: one module for each of the three questions.

It takes a second or two to import: only the commands that need it do.
"""

import logging
from typing import Any

from asn1crypto import cms
from pyhanko.pdf_utils.generic import parse_pdf_date
from pyhanko.sign.general import extract_certificate_info
from pyhanko.sign.validation.generic_cms import extract_self_reported_ts, extract_tst_data_iter

from operate.evidence.pdf_changes import PADDING, compare
from operate.evidence.pdf_integrity import check_signature, check_time_stamp, read_signed_data, read_tst_info
from operate.evidence.pdf_objects import attempt, attempt_with_error
from operate.evidence.pdf_revisions import Document, Signature, find_signatures, read_gap, read_signatures
from operate.evidence.pdf_trust import find_trust, make_trust_manager
from operate.evidence.record import DigitalSignature

# pyHanko's messages repeat texts of the PDF, which would reach the terminal.
for _name in ("pyhanko", "pyhanko_certvalidator"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

make_trust_manager()  # once, by the process that each inspection is forked from


def inspect_signatures(content: bytes) -> tuple[list[DigitalSignature], str | None]:
    """Returns the signatures of all revisions, the oldest first, and why there may be more.

    Raises MemoryError. It has no other limit: `signature_checks` runs it in a process of its own.
    """
    document = Document(content)
    found = find_signatures(document)
    return [_describe(document, one, is_hidden=is_hidden) for one, is_hidden in found], document.problem


def _describe(document: Document, one: Signature, *, is_hidden: bool) -> DigitalSignature:
    """Asks the three questions apart."""
    integrity, reason = check_signature(document.content, one)
    found: dict[str, Any] = {"integrity": integrity, "integrity_reason": reason}
    if one.byte_range:
        first, length, second, second_length = one.byte_range
        found["byte_range"] = [first + document.start, length, second + document.start, second_length]
    found |= _describe_changes(document, one, is_intact=integrity == "intact")
    signed_data = read_signed_data(one.contents)
    if signed_data:
        found |= _describe_certificate(signed_data, is_intact=found["integrity"] == "intact")
        found |= attempt(lambda: _describe_time(signed_data, one, found)) or {}
    return DigitalSignature(field=one.name, is_hidden=is_hidden, **found)


def _describe_changes(document: Document, one: Signature, *, is_intact: bool) -> dict[str, Any]:
    """Reads the signed revision as a file of its own, and compares it with the whole file."""
    revision = document.read_revision(one.end)
    fields = attempt(lambda: read_signatures(revision.root)) if revision else None
    same = [other for other in fields or [] if other == one]
    signed = next((other for other in same if one.name in {None, other.name}), None)
    if is_intact and same and not signed:
        reason = "it was made for another form field"
        return {"integrity": "not_determined", "integrity_reason": reason, "changes_reason": reason}
    if revision is None or signed is None or read_gap(document.content, one.byte_range) != one.contents:
        return {"coverage": "part", "changes_reason": "it does not cover a whole revision of the PDF"}
    tail = document.content[one.end :]
    found: dict[str, Any] = {"coverage": "whole_revision" if tail.strip(PADDING) else "whole_file"}
    reader = document.reader
    if reader is None:
        return found | {"changes_reason": "the last revision of the PDF can't be read"}
    changes, error = attempt_with_error(lambda: compare(revision, reader, signed, tail))
    return found | (changes or {"changes_reason": f"the revisions can't be compared ({error})"})


def _describe_certificate(signed_data: cms.SignedData, *, is_intact: bool) -> dict[str, Any]:
    certificates = attempt(lambda: extract_certificate_info(signed_data))
    if certificates is None:
        return {}
    signer = certificates.signer_cert
    names = attempt(lambda: {"signer": signer.subject.human_friendly, "issuer": signer.issuer.human_friendly}) or {}
    trust = (attempt(lambda: find_trust(signed_data, certificates)) or "not_established") if is_intact else None
    return names | {"trust": trust}


def _describe_time(signed_data: cms.SignedData, one: Signature, found: dict[str, Any]) -> dict[str, Any]:
    """`found` is what is known of the signer's certificate."""
    tst_info = read_tst_info(signed_data)
    if tst_info is not None:
        authority = {"time_authority": found.get("signer"), "time_trust": found.get("trust")}
        return {"kind": "time_stamp", "signed_at": tst_info["gen_time"].native, "time_source": "time_stamp"} | authority
    (signer_info,) = signed_data["signer_infos"]
    claimed: Any = extract_self_reported_ts(signer_info)
    if not claimed and one.dictionary and "/M" in one.dictionary:
        claimed = parse_pdf_date(one.dictionary["/M"], strict=False)
    times: dict[str, Any] = {"signed_at": claimed, "time_source": "claim"} if claimed else {}
    for token in extract_tst_data_iter(signer_info, signed=False):
        times["time_integrity"], _ = check_time_stamp(token, signer_info["signature"].native)
        if times["time_integrity"] == "intact" and read_tst_info(token) is not None:
            stamp = _describe_time(token, one, _describe_certificate(token, is_intact=True))
            times |= {name: value for name, value in stamp.items() if name != "kind"}
    return times
