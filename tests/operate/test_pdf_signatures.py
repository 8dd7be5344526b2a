"""The digital signatures of a PDF: what is found about each, and hostile PDFs."""

import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from operate.evidence.checks import leave_open
from operate.evidence.pdf_signatures import inspect_signatures
from operate.evidence.signature_checks import check_signatures, run_within_limits
from tests.support import inspections
from tests.support import signed_pdf as pdfs
from tests.support.operator import Operator, json_lines, signature_id
from tests.support.pdf_signatures import (  # noqa: F401
    DOCUMENT_STAMP,
    FORBIDDEN,
    OTHER_DIGEST,
    SOMETHING_ELSE,
    STAMPED,
    added,
    found,
    inspect,
    make_trusted,
)
from tests.support.signed_pdf import TIME_STAMPER, append, fill, form, sign, stamp, subject, unsigned

UNCLAIMED: dict[str, Any] = {"signed_at": None, "time_source": None}
NO_DIGITS = dict.fromkeys(("integrity", "changes"), "not_determined") | {
    "integrity_reason": "its value is not written in hexadecimal digits, as ISO 32000-2 requires",
    "coverage": "part",
    "changes_reason": "it does not cover a whole revision of the PDF",
    "trust": None,
}

OTHER_ORDER = {
    "integrity": "not_determined",
    "integrity_reason": "its signed attributes are not in the order of RFC 5652",
    "trust": None,
}
NO_BEGINNING = {
    "integrity": "not_determined",
    "integrity_reason": "it does not cover the beginning of the file",
    "byte_range": [1, ANY, ANY, ANY],
    "trust": None,
}


def add_signer(base: bytes, name: str, **options: Any) -> bytes:
    return sign(sign(base), "Second", name, **options)


def describe(content: bytes) -> list[dict[str, Any]]:
    """Without the kind "metadata": pyHanko dates the document with some of its updates."""
    signatures = [one.model_dump() for one in inspect(content)]
    for one in signatures:
        one["additions"] = [addition for addition in one["additions"] if addition["kind"] != "metadata"]
    return signatures


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (sign, [found()]),
        (lambda base: sign(base, stamper=TIME_STAMPER), [found(**STAMPED, time_integrity="intact")]),
        (pdfs.certify, [found(permitted="no_changes")]),
        (lambda base: pdfs.change_page(pdfs.certify(base)), [found(**FORBIDDEN, permitted="no_changes")]),
        (
            lambda base: add_signer(base, "Ada Byron"),
            [found(**added(("signature", ["Second"]))), found(field="Second", signer=subject("Ada Byron"))],
        ),
        (lambda base: stamp(sign(base)), [found(**added(("time_stamp", ["Stamp"]))), found(**DOCUMENT_STAMP)]),
        (lambda base: sign(base) + b"\0" * 1100, [found()]),
        (lambda base: b"\xef\xbb\xbf\n" + sign(base), [found(byte_range=[4, ANY, ANY, ANY])]),
        (lambda base: sign(base, md_algorithm="sha1"), [found(trust="weak_algorithm")]),
        (
            lambda base: pdfs.sign_by_hand(base, make_cms=pdfs.enclose_sha1),
            [found(**UNCLAIMED, trust="weak_algorithm")],
        ),
        (
            lambda base: pdfs.sign_by_hand(base, make_cms=pdfs.stamp_sha1),
            [found(**DOCUMENT_STAMP | dict.fromkeys(("trust", "time_trust"), "weak_algorithm") | {"field": "Seal"})],
        ),
        (lambda base: sign(base, name=pdfs.FORMER), [found(signer=subject(pdfs.FORMER), trust="expired")]),
        (lambda base: sign(base, name=pdfs.WEB_SITE), [found(signer=subject(pdfs.WEB_SITE), trust="web_site_only")]),
        (lambda base: sign(base, name=TIME_STAMPER), [found(signer=subject(TIME_STAMPER), trust="other_purpose")]),
        (lambda base: pdfs.sign_by_hand(base, edges=(0, 1)), [found(**UNCLAIMED)]),
        (lambda base: pdfs.reverse_attributes(sign(base)), [found(**OTHER_ORDER)]),
        (lambda base: sign(pdfs.encrypt(base, "")), [found()]),
        (lambda base: pdfs.sign_by_hand(base, delimiters=b"()"), [found(**UNCLAIMED, **NO_DIGITS)]),
        (lambda base: pdfs.sign_by_hand(base, edges=(1, 0)), [found(**UNCLAIMED, **NO_BEGINNING)]),
        (lambda base: pdfs.sign_by_hand(base, entries=pdfs.USAGE_RIGHTS), []),
    ],
)
def test_each_signature_is_described(make: Callable[[bytes], bytes], expected: list[dict[str, Any]]) -> None:
    assert describe(make(unsigned())) == expected


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda base: pdfs.add_validation_data(sign(base)), [found(**added("validation_data"))]),
        (lambda base: pdfs.change_page(sign(base)), [found(**FORBIDDEN)]),
        (
            lambda base: add_signer(base, "Mallory", box=(0, 0, 595, 842)),
            [found(**added(("visible_signature", ["Second"]))), found(field="Second", signer=subject("Mallory"))],
        ),
    ],
)
def test_updates_are_read_through_tables_and_streams_of_cross_references(
    make: Callable[[bytes], bytes], expected: list[dict[str, Any]]
) -> None:
    assert describe(make(unsigned())) == expected
    assert describe(make(pdfs.with_xref_stream())) == expected


def test_a_signature_by_an_authority_that_is_not_trusted_is_intact(trusted: Path) -> None:
    trusted.write_bytes(b"")
    assert [one.model_dump() for one in inspect(sign(unsigned()))] == [found(trust="unknown_authority")]


PAGES = b"<</Type/Pages/Kids[]/Count 0>>"
MALFORMED = b"<</Type/Sig/SubFilter/adbe.pkcs7.detached/ByteRange[0 1 2 3]/Contents<00>>>"
ENCRYPTED = "it is encrypted, and can't be opened without a password or key"


def hostile_form(*objects: bytes, fields: bytes = b"[3 0 R]") -> bytes:
    """A PDF whose form has these fields, which refer to objects from number 3 on."""
    return pdfs.assemble(b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields %s>>>>" % fields, PAGES, *objects)


DAMAGED = "its structure is damaged (PdfReadError)"
ENDLESS = hostile_form().replace(b"/Size", b"/Prev %d/Size" % hostile_form().index(b"xref\n0"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", DAMAGED),
        (unsigned()[:1000], DAMAGED),
        (unsigned().replace(b"startxref\n", b"startxref\n9"), "its structure is damaged (PdfStreamError)"),
        (hostile_form(fields=b"[" * 100_000), "its structure is damaged (RecursionError)"),
        (ENDLESS, DAMAGED),
        (pdfs.encrypt(unsigned()), ENCRYPTED),
        (pdfs.encrypt(unsigned(), is_for_recipients=True), ENCRYPTED),
    ],
)
def test_a_pdf_that_can_not_be_read_is_neither_signed_nor_unsigned(content: bytes, problem: str) -> None:
    assert inspect_signatures(content) == ([], problem)
    sentence = f"The PDF may have more signatures than are known: {problem}."
    assert check_signatures(content) == ([], [leave_open("signature", sentence)])


def test_the_signature_of_a_pdf_that_can_not_be_read_is_found_by_its_bytes() -> None:
    content = pdfs.change_byte(sign(unsigned()))
    signatures, problem = inspect_signatures(append(content, {})[:-20] + b"startxref\n1\n%%EOF\n")
    assert problem is not None
    assert [(one.field, one.integrity, one.is_hidden) for one in signatures] == [("Seal", "broken", False)]


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        (hostile_form(b"<</FT/Sig/T(a)/V 4 0 R>>", MALFORMED), [SOMETHING_ELSE]),
        (hostile_form(b"<</FT/Sig/T(a)/V 3 0 R>>"), ["its byte range is malformed"]),
        (hostile_form(b"<</FT/Sig/T(a)/V<</ByteRange[0 9 9 9999]>>>>"), ["its byte range ends beyond the file"]),
        (hostile_form(b"<</FT/Sig/T(a)/V<</ByteRange[0 9 -9 9]>>>>"), ["its byte range is malformed"]),
        (hostile_form(b"<</FT/Sig/T(a)/V 5 0 R/Kids[4 0 R]>>", b"<</T(b)>>", MALFORMED), [SOMETHING_ELSE]),
        (hostile_form(b"<</FT/Tx/T(a)/V(c)/Kids[4 0 R]>>", b"<</FT/Sig/T(b)/V 5 0 R>>", MALFORMED), [SOMETHING_ELSE]),
        (hostile_form(b"<</FT/Sig/T(a)/Kids[3 0 R]>>"), []),
        (hostile_form(b"3 0 R"), []),
    ],
)
def test_a_signature_that_is_malformed_is_not_intact(content: bytes, reasons: list[str]) -> None:
    signatures = inspect(content)
    assert [(one.integrity, one.integrity_reason) for one in signatures] == [("broken", one) for one in reasons]


def test_nothing_about_a_hostile_pdf_is_written_to_the_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # without pytest's, Python writes warnings itself
    inspect(hostile_form(b"<</FT/Sig/T(a)/V 4 0 R>>", MALFORMED.replace(b"adbe.pkcs7.detached", b"#1b[2J")))
    inspect(sign(unsigned(), md_algorithm="sha1"))
    assert capfd.readouterr() == ("", "")


def test_a_name_can_not_be_read_as_a_sentence_of_ours() -> None:
    name = 'Seal" is intact, issued by an authority that this machine trusts. \n"' + "x" * 100
    checks = check_signatures(pdfs.change_byte(sign(unsigned(), name)))[1]
    quoted = f'"{name[:59].replace(chr(34), chr(39))}…"'
    reason = OTHER_DIGEST["integrity_reason"]
    assert [check.sentence for check in checks] == [f"The signature {quoted} is broken: {reason}."]


@pytest.mark.parametrize(
    ("inspect", "seconds", "found_"),
    [
        (inspections.wait_forever, 0, "the PDF was not read within 0 seconds"),
        (inspections.use_memory, 60, "the PDF needs more than 1,000 MB of memory to be read"),
        (inspections.kill_itself, 60, "the process that read the PDF was killed or failed"),
        (inspections.describe_itself, 60, (signal.SIG_IGN, 1_000_000_000)),
    ],
)
def test_a_pdf_may_end_its_process_and_nothing_else(inspect: Any, seconds: float, found_: object) -> None:
    assert run_within_limits(inspect, unsigned(), seconds) == found_


def test_verify_counts_certificates_by_their_signatures(operate: Operator) -> None:
    """A PDF that can't be checked costs the verdict on it alone, and is not damaged."""
    operate.seed(1)
    operate.archive(1, pdfs.encrypt(unsigned()))
    result = operate("archive", "verify", "--signatures")
    assert (result.exit_code, result.stderr) == (0, "")
    finding = f"problem=signatures_not_determined  signatureRequestId={signature_id(1)}  projectId=prj_1\n"
    assert finding in result.stdout
    others = [
        *(sign(unsigned()), pdfs.change_byte(sign(unsigned())), pdfs.change_page(sign(unsigned())), unsigned()),
        *(b"no PDF", fill(sign(form()), 5, b"(Alice)", b"(Mallory)"), sign(unsigned(), name=pdfs.WEB_SITE)),
    ]
    for number, content in enumerate(others, 2):
        operate.seed(number)
        operate.archive(number, content)
    result = operate("archive", "verify", "--signatures", "--json")
    *findings, numbers = json_lines(result.stdout)
    undetermined = dict.fromkeys((1, 7), "signatures_not_determined")
    problems = undetermined | {3: "broken_signature", 4: "broken_signature", 6: "not_a_pdf"}
    assert sorted(findings, key=lambda finding: str(finding["signatureRequestId"])) == [
        {"problem": problem, "signatureRequestId": signature_id(number), "projectId": "prj_1"}
        for number, problem in sorted(problems.items())
    ]
    counts = {"scanned": 8, "available": 8, "intact": 5, "missing": 0, "damaged": 3, "altered": 0, "broken": 0}
    states = {"signaturesIntact": 2, "signaturesBroken": 2, "signaturesNotDetermined": 2, "unsigned": 1}
    assert (result.exit_code, result.stderr, numbers) == (1, "", counts | states)
