"""Says what is found about the digital signatures of a PDF."""

import re

from tools.operate.evidence.checks import Check, confirm, contradict, leave_open, quote
from tools.operate.evidence.digital_signature import DigitalSignature
from tools.operate.evidence.pdf_signatures import SignaturesUnreadable, inspect_signatures


def check_signatures(content: bytes) -> tuple[list[DigitalSignature] | None, list[Check]]:
    try:
        found = inspect_signatures(content)
    except SignaturesUnreadable as error:
        return None, [leave_open("signature", f"The digital signatures of the PDF could not be read: {error}.")]
    ranges = [[int(one) for one in text.split()] for text in re.findall(rb"/ByteRange\s*\[([\d ]+)\]", content)]
    signatures = [
        DigitalSignature(
            field=one.field,
            kind=one.kind,
            integrity={True: "intact", False: "broken", None: "not_determined"}[one.is_intact],
            byte_range=ranges[number] if number < len(ranges) else None,
            coverage=one.coverage,
            changes={"permitted": "explained", None: "not_determined"}.get(one.changes, one.changes),
            signer=one.signer,
            issuer=one.issuer,
            trust=one.trust,
            signed_at=one.signed_at,
            time_source=one.time_source,
            time_authority=one.time_authority,
            time_trust=one.time_trust,
        )
        for number, one in enumerate(found)
    ]
    checks = []
    for one in signatures:
        judge = {"intact": confirm, "broken": contradict, "not_determined": leave_open}[one.integrity]
        checks.append(judge("signature", f"{quote(one.field)} is {one.integrity}."))
        if one.changes == "forbidden":
            checks.append(contradict("changes after signing", f"{quote(one.field)}: forbidden."))
    return signatures, checks or [leave_open("signature", "The PDF has no digital signature of its own.")]
