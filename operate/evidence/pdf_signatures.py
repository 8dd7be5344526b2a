"""Inspects the digital signatures of a PDF, offline: one module for each of the three questions.

It takes a second or two to import: only the commands that need it do.
"""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import Any

from asn1crypto import cms
from pyhanko.pdf_utils.generic import parse_pdf_date
from pyhanko.pdf_utils.reader import PdfFileReader

from operate.evidence.digital_signature import DigitalSignature
from operate.evidence.pdf_changes import PADDING, compare, read_limits
from operate.evidence.pdf_integrity import (
    check_signature,
    check_time_stamp,
    find_signer,
    read_signed_data,
    read_tst_info,
)
from operate.evidence.pdf_objects import attempt
from operate.evidence.pdf_revisions import (
    Document,
    SignatureField,
    Unreadable,
    find_earlier_signatures,
    read_gap,
    read_pdf,
    read_signature_fields,
)
from operate.evidence.pdf_trust import find_trust

# pyHanko's messages repeat texts of the PDF, which would reach the terminal.
for _name in ("pyhanko", "pyhanko_certvalidator"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Inspection:
    """`problem` says why the PDF's last revision can't be read; then some signatures may not be listed."""

    signatures: list[DigitalSignature]
    problem: str | None = None


@dataclass(frozen=True)
class _Signed:
    """The revision that a signature covers, and the signature and its field as that revision has them."""

    reader: PdfFileReader
    value: Any
    field: Any


def inspect_signatures(content: bytes) -> Inspection:
    """Returns the signatures of all revisions, the oldest first. Fetches nothing, so revocation is not looked up.

    Raises MemoryError. It has no other limit: `signature_checks` runs it in a process of its own.
    """
    return asyncio.run(_inspect(content))


async def _inspect(content: bytes) -> Inspection:
    document = Document(content)
    reader, problem = None, None
    try:
        reader = read_pdf(document.content)
    except Unreadable as error:
        problem = str(error)
    shown = read_signature_fields(reader.root) if reader else []
    hidden = _find_hidden(document, reader, shown)
    found = []
    for one in sorted((*shown, *hidden), key=lambda one: one.end or 0):
        signature = await _describe(document, reader, one)
        found.append(signature.model_copy(update={"is_hidden": reader is not None and one in hidden}))
    return Inspection(found, problem)


def _find_hidden(document: Document, reader: PdfFileReader | None, shown: list[SignatureField]) -> list[SignatureField]:
    """Returns the signatures that the last revision does not have, has under another name, or has otherwise."""
    named = {(one.name, one.identity) for one in shown}
    known = {one.identity for one in shown}
    hidden: dict[Any, SignatureField] = {}
    for one in find_earlier_signatures(document, reader):
        is_shown = (one.name, one.identity) in named if one.name is not None else one.identity in known
        if not is_shown:
            hidden.setdefault(one.identity, one)
    return list(hidden.values())


async def _describe(document: Document, reader: PdfFileReader | None, one: SignatureField) -> DigitalSignature:
    verdict = check_signature(document.content, one)
    found: dict[str, Any] = {"integrity": verdict.integrity, "integrity_reason": verdict.reason}
    if one.byte_range and len(one.byte_range) == 4:
        first, length, second, second_length = one.byte_range
        found["byte_range"] = [first + document.start, length, second + document.start, second_length]
    found |= _describe_changes(document, reader, one)
    signed_data = read_signed_data(one.contents)
    if signed_data:
        is_intact = verdict.integrity == "intact"
        try:
            found |= await _describe_signer(signed_data, one, is_intact=is_intact)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - a hostile signature raises anything
            found["trust"] = "not_established" if is_intact else None
    return DigitalSignature(field=one.name, **found)


def _describe_changes(document: Document, reader: PdfFileReader | None, one: SignatureField) -> dict[str, Any]:
    """Reads the signed revision as a file of its own, and compares it with the whole file."""
    end = one.end or 0
    signed = attempt(partial(_find_signed, document, one))
    if signed is None:
        return {"coverage": "part", "changes_reason": "it does not cover a whole revision of the PDF"}
    tail = document.content[end:]
    found: dict[str, Any] = {"coverage": "whole_revision" if tail.strip(PADDING) else "whole_file"}
    try:
        limits = read_limits(signed.value, signed.field)
        found["permitted"] = limits.permitted
        if reader is None:
            return found | {"changes_reason": "the last revision of the PDF can't be read"}
        comparison = compare(signed.reader, reader, limits, tail, end)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a hostile PDF raises anything
        return found | {"changes_reason": f"the revisions can't be compared ({type(error).__name__})"}
    additions = comparison.list_additions()
    return found | {"changes": comparison.changes, "additions": additions, "changes_reason": comparison.reason}


def _find_signed(document: Document, one: SignatureField) -> "_Signed | None":
    """Returns None if what it covers is not a revision that has this signature, and nothing else in its gap."""
    revision = document.read_revision(one.end or 0)
    if revision is None or read_gap(document.content, one.byte_range or ()) != one.contents:
        return None
    signed = [other for other in read_signature_fields(revision.root) if other.identity == one.identity]
    return _Signed(revision, signed[0].value, signed[0].field) if signed else None


async def _describe_signer(signed_data: cms.SignedData, one: SignatureField, *, is_intact: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    certificate, tst_info = find_signer(signed_data), read_tst_info(signed_data)
    if certificate is not None:
        found |= {"signer": certificate.subject.human_friendly, "issuer": certificate.issuer.human_friendly}
        if is_intact:
            found["trust"] = await find_trust(signed_data, certificate, is_time_stamp=tst_info is not None)
    if tst_info is not None:
        stated = {"time_authority": found.get("signer"), "time_trust": found.get("trust")}
        return (
            found
            | stated
            | {"kind": "time_stamp", "signed_at": tst_info["gen_time"].native, "time_source": "time_stamp"}
        )
    (signer,) = signed_data["signer_infos"]
    claimed = _read_claimed_time(signer, one)
    if claimed:
        found |= {"signed_at": claimed, "time_source": "claim"}
    for attribute in signer["unsigned_attrs"]:
        if attribute["type"].native == "signature_time_stamp_token":
            found |= await _describe_time_stamp(attribute["values"][0]["content"], signer["signature"].native)
    return found


async def _describe_time_stamp(token: cms.SignedData, value: bytes) -> dict[str, Any]:
    verdict = check_time_stamp(token, value)
    found: dict[str, Any] = {"time_integrity": verdict.integrity}
    authority, tst_info = find_signer(token), read_tst_info(token)
    if verdict.integrity == "intact" and authority is not None and tst_info is not None:
        found |= {"signed_at": tst_info["gen_time"].native, "time_source": "time_stamp"}
        found["time_authority"] = authority.subject.human_friendly
        found["time_trust"] = await find_trust(token, authority, is_time_stamp=True)
    return found


def _read_claimed_time(signer: cms.SignerInfo, one: SignatureField) -> Any:
    """Returns the time of the signed attributes, or else of the signature dictionary."""
    for attribute in signer["signed_attrs"]:
        if attribute["type"].native == "signing_time":
            return attribute["values"][0].native
    return parse_pdf_date(one.value["/M"], strict=False) if one.value and "/M" in one.value else None
