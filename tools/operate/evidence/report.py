"""Renders `evidence.pdf`: one or two pages for people who do not read JSON."""

from collections.abc import Sequence

from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from tools.operate.evidence.pdf_signatures import PdfSignature
from tools.operate.evidence.record import Evidence, format_time
from tools.operate.output import make_printable

_GREY, _RED = (110, 110, 110), (170, 0, 0)
_ROWS, _CHARACTERS = 30, 6
"""The most rows of a table, and the most characters of a cell for each hundredth of the width. Texts from outside may
have any length."""
_KEPT_TOGETHER = 36
"""The height of a heading and the beginning of what follows it, in millimetres."""
_OUTCOMES = {"contradicted": "CONTRADICTED", "not_obtained": "Not obtained", "confirmed": "Confirmed"}
_LIMITS = (
    "SHA-256 identifies a file: any change gives another value. `sha256sum` or `shasum -a 256` computes it again. "
    "The checks were made at the time above, from what AWS and this machine stated then. They do not say whether the "
    "content of the certificate is true, who held a key that was used, or whether a signer's certificate was revoked: "
    "no such information was fetched. A signing time that is a claim comes from the signer's own clock. An authority "
    "that this machine does not trust is not a defect of the signature: operating systems list authorities of web "
    "sites. All times are in UTC. evidence.json holds everything in full."
)


def render_evidence(evidence: Evidence) -> bytes:
    page = _Page(format="A4")
    page.set_title("Evidence about a completion certificate")
    page.set_margin(16)
    page.set_draw_color(200)
    page.add_page()
    page.set_font("Helvetica", "B", 18)
    page.write_paragraph("Evidence about a completion certificate", 9)
    page.set_font("Helvetica", size=9)
    made_by = f"{evidence.program.name} {evidence.program.version} and pyHanko {evidence.program.py_hanko}"
    page.write_paragraph(f"Made on {format_time(evidence.made_at)} by {made_by}.")
    page.ln(2)
    page.set_font("Helvetica", "B", 11)
    page.set_text_color(*(_RED if evidence.findings else (0, 0, 0)))
    page.write_paragraph(_summarize(evidence), 6)
    page.set_text_color(0)

    certificate, request = evidence.certificate, evidence.signature_request
    page.write_heading("The certificate")
    page.write_field("Signature request", request.get("id"))
    page.write_field("Name", request.get("name"))
    page.write_field("Status, completed at", f"{request.get('status')}, {request.get('completedAt') or 'not stated'}")
    page.write_field("Place in the archive", f"{evidence.place.bucket}/{evidence.place.key}")
    if certificate:
        page.write_field("File in this folder", f"{certificate.file}, {certificate.size:,} bytes")
        page.write_field("SHA-256", certificate.sha256_computed)
        page.write_field("Archived at", f"{format_time(certificate.created_at)}, version {certificate.version_id}")

    page.write_heading("Checks")
    checks = [
        (words, one.sentence) for name, words in _OUTCOMES.items() for one in evidence.checks if one.outcome == name
    ]
    page.write_table(("Result", "What was checked"), (15, 85), checks)
    if evidence.signatures:
        page.write_heading("Digital signatures of the PDF")
        rows = [_describe_signature(one) for one in evidence.signatures]
        page.write_table(("Field", "Signer", "Time", "Where the time is from"), (12, 44, 18, 26), rows)
    if evidence.versions:
        page.write_heading("Versions of the key, newest first")
        kinds = ["delete marker" if one.is_delete_marker else f"{one.size:,} bytes" for one in evidence.versions]
        versions = [
            (format_time(one.created_at), kind, one.version_id)
            for one, kind in zip(evidence.versions, kinds, strict=True)
        ]
        page.write_table(("Created", "Kind", "Version"), (24, 18, 58), versions)
    if evidence.logs and evidence.logs.lines:
        page.write_heading(f"Downloads, refusals and archiving: {len(evidence.logs.lines):,} log lines, oldest first")
        names = ("timestamp", "message", "status", "code", "key_prefix", "request_id")
        lines = [tuple(line.get(name, "") for name in names) for line in evidence.logs.lines]
        page.write_table(("Time", "Event", "Status", "Error", "API key", "Request"), (20, 17, 6, 11, 13, 33), lines)
    page.write_heading("What this report says, and what it does not say")
    page.write_paragraph(_LIMITS)
    return bytes(page.output())


class _Page(FPDF):
    def footer(self) -> None:
        self.set_y(-12)
        self.set_font("Helvetica", size=7)
        self.cell(text=f"Page {self.page_no()} of {{nb}}", align="R", w=0)

    def write_heading(self, text: str) -> None:
        if self.will_page_break(_KEPT_TOGETHER):
            self.add_page()
        self.ln(3)
        self.set_font("Helvetica", "B", 11)
        self.write_paragraph(text, 6)
        self.set_font("Helvetica", size=8)

    def write_paragraph(self, text: str, height: float = 4) -> None:
        self.multi_cell(text=text, w=0, h=height, new_x="LMARGIN", new_y="NEXT", align="L")

    def write_field(self, label: str, text: str | None) -> None:
        self.set_text_color(*_GREY)
        self.cell(text=label, w=38, h=4.5)
        self.set_text_color(0)
        self.write_paragraph(_make_safe(text or "not stated"), 4.5)

    def write_table(self, headings: Sequence[str], widths: tuple[int, ...], rows: Sequence[Sequence[str]]) -> None:
        style = FontFace(emphasis="BOLD", color=_GREY)
        layout = TableBordersLayout.HORIZONTAL_LINES
        with self.table(
            col_widths=widths, line_height=4, headings_style=style, borders_layout=layout, text_align="LEFT"
        ) as table:
            table.row(headings)
            for row in rows[:_ROWS]:
                table.row([_make_safe(cell, width * _CHARACTERS) for cell, width in zip(row, widths, strict=True)])
        if len(rows) > _ROWS:
            self.write_paragraph(f"{len(rows) - _ROWS:,} more are in evidence.json.")


def _make_safe(text: str, most: int = 100 * _CHARACTERS) -> str:
    """The fonts that every PDF reader has contain Latin-1 only."""
    safe = make_printable(text).encode("latin-1", "backslashreplace").decode("latin-1")
    return safe if len(safe) <= most else f"{safe[:most]}..."


def _summarize(evidence: Evidence) -> str:
    findings, missing = len(evidence.findings), len(evidence.not_obtained)
    verdict = (
        f"{findings} of {len(evidence.checks)} checks contradict the certificate."
        if findings
        else "Nothing that was checked contradicts the certificate."
    )
    return f"{verdict} Not obtained: {missing}." if missing else verdict


def _describe_signature(one: PdfSignature) -> tuple[str, str, str, str]:
    trust = "" if one.time_trust == "trusted" else ", which this machine does not trust"
    sources = {"claim": "the signer's own claim", "time_stamp": f"time stamp of {one.time_authority}{trust}"}
    return (
        one.field,
        one.signer or "unknown",
        format_time(one.signed_at) if one.signed_at else "unknown",
        sources.get(one.time_source or "", "unknown"),
    )
