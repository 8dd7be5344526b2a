"""Renders `evidence.pdf`: one to three pages for people who do not read JSON."""

import unicodedata
from collections.abc import Container, Sequence
from importlib.metadata import distribution

from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from operate.evidence.checks import format_time, quote
from operate.evidence.record import Evidence, LogLine
from operate.output import make_printable

_FONT = "DejaVu"
"""A font of matplotlib: no maintained package of fonts alone has one with as many scripts."""
_PAGES = "\ue000"
"""fpdf2 replaces this with the number of pages. It is not printable, so no text from outside has it."""
_GREY, _RED, _BLACK = (110, 110, 110), (170, 0, 0), (0, 0, 0)
_ROWS, _CHARACTERS = 30, 10
"""The most rows of a table, and the most characters of a cell for each hundredth of the width. Texts from outside may
have any length."""
_KEPT_TOGETHER = 36
"""The height of a heading and the beginning of what follows it, in millimetres."""
_OUTCOMES = {"contradicted": "CONTRADICTED", "not_determined": "Not determined", "confirmed": "Confirmed"}
_LIMITS = (
    "A check is contradicted if two facts do not agree, and not determined if a fact is missing or can't be read; "
    "neither says who is to blame. Texts in double quotes come from outside and may say anything. The checks were made "
    "at the time above, from what AWS and this machine stated then. They do not say whether the content of the "
    "certificate is true, who held a key that was used, or whether a signer's certificate was revoked: no such "
    "information was fetched. A signing time by the signer's own clock is a claim. An authority that this "
    "machine does not trust is not a defect of the signature: operating systems list authorities of web sites. All "
    "times are in UTC. README.txt has the commands that repeat the checks without this program; evidence.json holds "
    "everything in full."
)


def render_evidence(evidence: Evidence) -> bytes:
    page = _Page(is_shaped=_needs_shaping(evidence.model_dump_json()))
    page.write_text("Evidence about a completion certificate", 16, "B")
    made_by = f"{evidence.program.name} {evidence.program.version} and pyHanko {evidence.program.py_hanko}"
    page.write_text(f"Made on {format_time(evidence.made_at)} by {made_by}.")
    page.ln(2)
    page.set_text_color(*(_RED if evidence.contradictions else _BLACK))
    verdict, explanation = _summarize(evidence)
    page.write_text(verdict, 12, "B")
    page.write_text(explanation, 9)
    page.set_text_color(*_BLACK)

    certificate, request = evidence.certificate, evidence.signature_request
    status, completed = quote(request.get("status")), quote(request.get("completedAt"))
    rows = [
        ("Signature request", str(request.get("id"))),
        ("Name", quote(request.get("name"))),
        ("Status, completed at", f"{status}, {completed}"),
        ("Object in the archive", f"{evidence.source.bucket}/{evidence.source.key}"),
    ]
    if certificate:
        version = f"{quote(certificate.version_id)}, created at {format_time(certificate.created_at)}"
        rows.append(("File in this folder", f"{certificate.file}, {certificate.size:,} bytes"))
        rows += [("SHA-256", certificate.sha256_computed), ("Version in the archive", version)]
    page.write_table("The certificate", {"Fact": 22, "Value": 78}, rows)
    outcomes = list(_OUTCOMES)
    checks = sorted(evidence.checks, key=lambda one: outcomes.index(one.outcome))
    results = [(_OUTCOMES[one.outcome], one.subject, one.sentence) for one in checks]
    page.write_table("Checks", {"Result": 16, "Subject": 16, "Finding": 68}, results)
    if evidence.logs:
        page.write_lines("Downloads and archiving", evidence.logs.lines)
        page.write_lines("Refusals, and other lines", evidence.logs.other_lines)
    page.write_heading("Scope and limits of this report")
    page.write_text(_LIMITS)
    return bytes(page.output())


class _Page(FPDF):
    def __init__(self, *, is_shaped: bool) -> None:
        super().__init__(format="A4")
        self.set_title("Evidence about a completion certificate")
        self.set_margin(16)
        self.set_draw_color(200)
        self.alias_nb_pages(_PAGES)
        fonts = distribution("matplotlib").locate_file("matplotlib/mpl-data/fonts/ttf")
        for style, file in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font(_FONT, style, str(fonts / file))
        self.set_text_shaping(use_shaping_engine=is_shaped)
        self.add_page()

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font(_FONT, size=7)
        self.cell(text=f"Page {self.page_no()} of {_PAGES}", align="R", w=0)

    def write_text(self, text: str, size: float = 8, style: str = "") -> None:
        self.set_font(_FONT, style, size)
        self.multi_cell(w=0, h=size * 0.55, text=text, align="L", new_x="LMARGIN", new_y="NEXT")

    def write_heading(self, text: str) -> None:
        if self.will_page_break(_KEPT_TOGETHER):
            self.add_page()
        self.ln(3)
        self.write_text(text, 10, "B")

    def write_table(self, title: str, widths: dict[str, int], rows: Sequence[Sequence[str]]) -> None:
        """The keys of `widths` are the headings. An empty table is left out."""
        if not rows:
            return
        self.write_heading(title)
        self.set_font(_FONT, size=7)
        with self.table(
            col_widths=tuple(widths.values()),
            line_height=4,
            headings_style=FontFace(emphasis="BOLD", color=_GREY),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            text_align="LEFT",
        ) as table:
            table.row(list(widths))
            for row in rows[:_ROWS]:
                cells = zip(row, widths.values(), strict=True)
                table.row([self._make_safe(cell, width * _CHARACTERS) for cell, width in cells])
        if len(rows) > _ROWS:
            self.write_text(f"{len(rows) - _ROWS:,} more are in evidence.json.")

    def write_lines(self, title: str, lines: list[LogLine]) -> None:
        names = ("timestamp", "message", "method", "status", "code", "bytes", "key_prefix", "request_id")
        widths = {"Time": 18, "Event": 14, "Method": 8, "Status": 7, "Error": 11, "Bytes": 8, "API key": 12}
        rows = [tuple(line.get(name, "") for name in names) for line in lines]
        self.write_table(f"{title}: {len(lines):,} log lines, oldest first", widths | {"Request": 22}, rows)

    def _make_safe(self, text: str, most: int) -> str:
        """Shows what the font lacks as its code point."""
        letters: Container[int] = self.fonts[_FONT.lower()].cmap  # type: ignore[union-attr]
        short = text if len(text) <= most else f"{text[:most]}…"
        return "".join(one if ord(one) in letters else f"U+{ord(one):04X}" for one in make_printable(short))


def _needs_shaping(text: str) -> bool:
    """Whether it has letters that are written from right to left, which may be joined, or combining marks. The report
    takes three times as long with them."""
    return any(unicodedata.bidirectional(character) in {"R", "AL", "NSM"} for character in text)


def _summarize(evidence: Evidence) -> tuple[str, str]:
    """Returns the verdict, and its explanation."""
    contradicted, undetermined = (
        ", ".join(dict.fromkeys(one.subject for one in evidence.checks if one.outcome == outcome))
        for outcome in ("contradicted", "not_determined")
    )
    missing = f" Not determined: {undetermined}." if undetermined else ""
    found, total = len(evidence.contradictions), len(evidence.checks)
    if found:
        return f"CONTRADICTED: {contradicted}", f"{found} of {total} checks contradict the certificate.{missing}"
    if missing:
        return "NOT CONTRADICTED, BUT NOT ALL DETERMINED", f"No check contradicts the certificate.{missing}"
    return "CONFIRMED", f"All {total} checks confirm the certificate."
