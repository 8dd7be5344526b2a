"""Renders a completion certificate as a provider would."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from fpdf import FPDF

_GREY = (110, 110, 110)


@dataclass(frozen=True)
class Signer:
    name: str
    email: str
    ip: str
    signed_at: datetime


def render_certificate(title: str, request_id: str, signers: list[Signer], attachment_bytes: int = 0) -> bytes:
    """Renders one page. `attachment_bytes` enlarges the file, as a scanned identity document would."""
    pdf = FPDF(format="A4")
    pdf.set_title(f"Completion certificate: {title}")
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 22)
    pdf.cell(text="Completion certificate", new_x="LMARGIN", new_y="NEXT", h=14)
    _line(pdf, "Document", title)
    _line(pdf, "Request", request_id)
    _line(pdf, "SHA-256 of the document", hashlib.sha256(title.encode()).hexdigest())
    _line(pdf, "Status", "Completed: signed by all parties")
    pdf.ln(6)
    pdf.set_font("Helvetica", "B", 13)
    pdf.cell(text="Audit trail (times in UTC)", new_x="LMARGIN", new_y="NEXT", h=10)
    pdf.set_font("Helvetica", size=9)
    with pdf.table(col_widths=(34, 22, 50, 26)) as table:
        table.row(("Time", "Event", "Signer", "IP address"))
        for signer in signers:
            who = f"{signer.name} <{signer.email}>"
            for event, minutes in (("Sent", 190), ("Viewed", 12), ("Signed", 0)):
                at = signer.signed_at - timedelta(minutes=minutes)
                table.row((f"{at:%Y-%m-%d %H:%M:%S}", event, who, signer.ip if event != "Sent" else "-"))
    if attachment_bytes:
        # Numbered lines show from which offset a part was taken.
        lines = b"".join(b"%15d\n" % number for number in range(attachment_bytes // 16))
        pdf.embed_file(bytes=lines, basename="evidence.txt", compress=False)
    return bytes(pdf.output())


def _line(pdf: FPDF, label: str, text: str) -> None:
    pdf.set_font("Helvetica", size=9)
    pdf.set_text_color(*_GREY)
    pdf.cell(text=label, w=46, h=7)
    pdf.set_text_color(0)
    pdf.cell(text=text, new_x="LMARGIN", new_y="NEXT", h=7)
