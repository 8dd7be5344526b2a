"""Renders `evidence.pdf`: one or two pages for people who do not read JSON."""

from collections.abc import Container, Sequence
from pathlib import Path

import matplotlib as mpl
from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from operate.evidence.checks import quote
from operate.evidence.digital_signature import DigitalSignature
from operate.evidence.record import Evidence, LogLine, format_time
from operate.output import make_printable

_FONT = "DejaVu"
_FILES = {"": "DejaVuSans.ttf", "B": "DejaVuSans-Bold.ttf"}
"""Of matplotlib: no maintained package of fonts alone has one with as many scripts."""

_PAGES = "\ue000"
"""fpdf2 replaces this with the number of pages. It is not printable, so no text from outside has it."""

_GREY, _RED, _BLACK = (110, 110, 110), (170, 0, 0), (0, 0, 0)
_ROWS, _CHARACTERS = 30, 10
"""The most rows of a table, and the most characters of a cell for each hundredth of the width. Texts from outside may
have any length."""
_KEPT_TOGETHER = 36
"""The height of a heading and the beginning of what follows it, in millimetres."""
_OUTCOMES = {"contradicted": "CONTRADICTED", "not_determined": "Not determined", "confirmed": "Confirmed"}
_TRUST = {
    "trusted": "trusted",
    "web_site_only": "trusted for web sites only",
    "other_purpose": "trusted for another purpose only",
    "unknown_authority": "not one that this machine trusts",
    "expired": "certificate not valid now",
    "weak_algorithm": "weak algorithm",
}
_CHANGES = {
    "none": "nothing",
    "explained": "only known additions",
    "forbidden": "FORBIDDEN",
    "not_explained": "not explained",
}
_LIMITS = (
    "A check is contradicted if two facts do not agree, and not determined if a fact is missing or can't be read; "
    "neither says who is to blame. Texts in double quotes come from outside and may say anything. The checks were made "
    "at the time above, from what AWS and this machine stated then. They do not say whether the content of the "
    "certificate is true, who held a key that was used, or whether a signer's certificate was revoked: no such "
    "information was fetched. A signing time that is a claim comes from the signer's own clock. An authority that this "
    "machine does not trust is not a defect of the signature: operating systems list authorities of web sites. All "
    "times are in UTC. README.txt has the commands that repeat the checks without this program; evidence.json holds "
    "everything in full."
)


def render_evidence(evidence: Evidence) -> bytes:
    page = _Page()
    page.set_font(_FONT, "B", 16)
    page.write_paragraph("Evidence about a completion certificate", 9)
    page.set_font(_FONT, size=8)
    made_by = f"{evidence.program.name} {evidence.program.version} and pyHanko {evidence.program.py_hanko}"
    page.write_paragraph(f"Made on {format_time(evidence.made_at)} by {made_by}.")
    page.ln(2)
    page.set_text_color(*(_RED if evidence.contradictions else _BLACK))
    page.set_font(_FONT, "B", 12)
    verdict, explanation = _summarize(evidence)
    page.write_paragraph(verdict, 6)
    page.set_font(_FONT, size=9)
    page.write_paragraph(explanation, 5)
    page.set_text_color(*_BLACK)

    certificate, request = evidence.certificate, evidence.signature_request
    page.write_heading("The certificate")
    page.write_field("Signature request", request.get("id"))
    page.write_field("Name", _quote(request.get("name")))
    status, completed = _quote(request.get("status")), _quote(request.get("completedAt"))
    page.write_field("Status, completed at", f"{status}, {completed}")
    page.write_field("Place in the archive", f"{evidence.place.bucket}/{evidence.place.key}")
    if certificate:
        page.write_field("File in this folder", f"{certificate.file}, {certificate.size:,} bytes")
        page.write_field("SHA-256", certificate.sha256_computed)
        version = f"{quote(certificate.version_id)}, created at {format_time(certificate.created_at)}"
        page.write_field("Version that was read", version)

    page.write_heading("Checks")
    checks = [
        (words, one.subject, one.sentence)
        for name, words in _OUTCOMES.items()
        for one in evidence.checks
        if one.outcome == name
    ]
    page.write_table(("Result", "Subject", "What was found"), (16, 16, 68), checks)
    if evidence.signatures:
        page.write_heading("Digital signatures of the PDF, oldest first")
        rows = [_describe_signature(one) for one in evidence.signatures]
        headings = ("Signature", "Changed after it", "Authority", "Form field", "Signer and issuer", "Time")
        page.write_table(headings, (11, 14, 15, 12, 26, 22), rows)
    for name, versions in (
        ("Versions of the key", evidence.versions),
        ("Versions in the second copy", evidence.second_copy.versions if evidence.second_copy else None),
    ):
        if versions:
            page.write_heading(f"{name}, newest first")
            kinds = ["delete marker" if one.is_delete_marker else f"{one.size:,} bytes" for one in versions]
            table = [
                (format_time(one.created_at), kind, quote(one.version_id))
                for one, kind in zip(versions, kinds, strict=True)
            ]
            page.write_table(("Created", "Kind", "Version"), (26, 18, 56), table)
    if evidence.logs:
        page.write_lines("Downloads and archiving", evidence.logs.lines)
        page.write_lines("Refusals, and other lines", evidence.logs.other_lines)
    page.write_heading("What this report says, and what it does not say")
    page.write_paragraph(_LIMITS)
    return bytes(page.output())


class _Page(FPDF):
    def __init__(self) -> None:
        super().__init__(format="A4")
        self.set_title("Evidence about a completion certificate")
        self.set_margin(16)
        self.set_draw_color(200)
        self.alias_nb_pages(_PAGES)
        for style, file in _FILES.items():
            self.add_font(_FONT, style, Path(mpl.get_data_path(), "fonts/ttf", file))
        self.set_text_shaping(use_shaping_engine=True)
        self.add_page()

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font(_FONT, size=7)
        self.cell(text=f"Page {self.page_no()} of {_PAGES}", align="R", w=0)

    def write_heading(self, text: str) -> None:
        if self.will_page_break(_KEPT_TOGETHER):
            self.add_page()
        self.ln(3)
        self.set_font(_FONT, "B", 10)
        self.write_paragraph(text, 6)
        self.set_font(_FONT, size=7.5)

    def write_paragraph(self, text: str, height: float = 4) -> None:
        self.multi_cell(text=text, w=0, h=height, new_x="LMARGIN", new_y="NEXT", align="L")

    def write_field(self, label: str, text: str | None) -> None:
        self.set_text_color(*_GREY)
        self.cell(text=label, w=38, h=4.5)
        self.set_text_color(*_BLACK)
        self.write_paragraph(self._make_safe(text or "not stated"), 4.5)

    def write_table(self, headings: Sequence[str], widths: tuple[int, ...], rows: Sequence[Sequence[str]]) -> None:
        style = FontFace(emphasis="BOLD", color=_GREY)
        layout = TableBordersLayout.HORIZONTAL_LINES
        with self.table(
            col_widths=widths, line_height=4, headings_style=style, borders_layout=layout, text_align="LEFT"
        ) as table:
            table.row(headings)
            for row in rows[:_ROWS]:
                table.row([self._make_safe(cell, width * _CHARACTERS) for cell, width in zip(row, widths, strict=True)])
        if len(rows) > _ROWS:
            self.write_paragraph(f"{len(rows) - _ROWS:,} more are in evidence.json.")

    def write_lines(self, title: str, lines: list[LogLine]) -> None:
        if not lines:
            return
        self.write_heading(f"{title}: {len(lines):,} log lines, oldest first")
        names = ("timestamp", "message", "method", "status", "code", "bytes", "key_prefix", "request_id")
        headings = ("Time", "Event", "Method", "Status", "Error", "Bytes", "API key", "Request")
        rows = [tuple(line.get(name, "") for name in names) for line in lines]
        self.write_table(headings, (18, 14, 8, 7, 11, 8, 12, 22), rows)

    def _make_safe(self, text: str, most: int = 100 * _CHARACTERS) -> str:
        """Shows what the font lacks as its code point."""
        letters: Container[int] = self.fonts[_FONT.lower()].cmap  # type: ignore[union-attr]
        short = text if len(text) <= most else f"{text[:most]}…"
        return "".join(one if ord(one) in letters else f"U+{ord(one):04X}" for one in make_printable(short))


def _quote(text: str | None) -> str:
    return quote(text) if text else "not stated"


def _summarize(evidence: Evidence) -> tuple[str, str]:
    """Returns the verdict, and its explanation."""
    subjects = {
        outcome: ", ".join(dict.fromkeys(one.subject for one in evidence.checks if one.outcome == outcome))
        for outcome in _OUTCOMES
    }
    missing = f" Not determined: {subjects['not_determined']}." if subjects["not_determined"] else ""
    found, total = len(evidence.contradictions), len(evidence.checks)
    if found:
        verdict = f"CONTRADICTED: {subjects['contradicted']}"
        return verdict, f"{found} of {total} checks contradict the certificate.{missing}"
    if missing:
        return "NOT CONTRADICTED, BUT NOT ALL DETERMINED", f"No check contradicts the certificate.{missing}"
    return "CONFIRMED", f"All {total} checks confirm the certificate."


def _describe_signature(one: DigitalSignature) -> tuple[str, ...]:
    integrity = "BROKEN" if one.integrity == "broken" else one.integrity.replace("_", " ")
    source = {"claim": "the signer's own claim", "time_stamp": f"time stamp of {_quote(one.time_authority)}"}
    times = [format_time(one.signed_at), source.get(one.time_source or "", "")] if one.signed_at else ["not determined"]
    return (
        f"hidden, {integrity}" if one.is_hidden else integrity,
        _CHANGES.get(one.changes, "not determined"),
        _TRUST.get(one.trust or "", "not determined"),
        one.quoted_field,
        f"{_quote(one.signer)}, issued by {_quote(one.issuer)}",
        ", ".join(times),
    )
