"""The digital signatures of a PDF: what is found about each, forged and genuine ones, and hostile PDFs."""

import logging
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm

from tests.support import forged_pdf, inspections, signed_pdf
from tests.support.operator import Operator, json_lines, signature_id
from tests.support.signed_pdf import (
    FORMER,
    ISSUER,
    SEAL,
    STAMPED_AT,
    TIME_STAMPER,
    WEB_SITE,
    add_validation_data,
    append,
    assemble,
    certify,
    change_byte,
    change_cms,
    change_page,
    replace_entry,
    sign,
    sign_by_hand,
    stamp,
    subject,
    unsigned,
    with_xref_stream,
)
from tools.operate.evidence import pdf_changes, pdf_integrity, pdf_trust
from tools.operate.evidence.checks import Check
from tools.operate.evidence.pdf_signatures import inspect_signatures
from tools.operate.evidence.signature_checks import check_signatures, judge_signatures, run_within_limits


@pytest.fixture(autouse=True)
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine trusts the signers' authority, and no other."""
    file = tmp_path / "authorities.pem"
    file.write_bytes(signed_pdf.authority())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", "none")
    for name in ("trusted_authorities", "make_trust_manager"):
        monkeypatch.setattr(pdf_trust, name, cache(getattr(pdf_trust, name).__wrapped__))
    return file


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
    """What changed after a signature, if everything is named."""
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


@pytest.mark.parametrize("base", [unsigned, with_xref_stream], ids=["xref table", "xref stream"])
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda base: base, []),
        (sign, [found()]),
        (lambda base: sign(base, is_stamped=True), [found(**STAMPED, time_integrity="intact")]),
        (certify, [found(permitted="no_changes")]),
        (lambda base: add_validation_data(sign(base)), [found(**added("validation_data"))]),
        (lambda base: change_page(sign(base)), [found(**FORBIDDEN)]),
        (lambda base: change_page(certify(base)), [found(**FORBIDDEN, permitted="no_changes")]),
        (
            lambda base: sign(sign(base), "Second", "Ada Byron"),
            [found(**added(("signature", ["Second"]))), found(field="Second", signer=subject("Ada Byron"))],
        ),
        (
            lambda base: sign(sign(base), "Second", "Mallory", box=(0, 0, 595, 842)),
            [found(**added(("visible_signature", ["Second"]))), found(field="Second", signer=subject("Mallory"))],
        ),
        (lambda base: stamp(sign(base)), [found(**added(("time_stamp", ["Stamp"]))), found(**DOCUMENT_STAMP)]),
        (lambda base: sign(base) + b"\0" * 1100, [found()]),
        (lambda base: b"\xef\xbb\xbf\n" + sign(base), [found(byte_range=[4, ANY, ANY, ANY])]),
        (lambda base: sign(base, md_algorithm="sha1"), [found(trust="weak_algorithm")]),
        (lambda base: sign(base, name=FORMER), [found(signer=subject(FORMER), trust="expired")]),
        (lambda base: sign(base, name=WEB_SITE), [found(signer=subject(WEB_SITE), trust="web_site_only")]),
        (
            lambda base: sign(base, name=TIME_STAMPER),
            [found(signer=subject(TIME_STAMPER), trust="other_purpose")],
        ),
        (sign_by_hand, [found(**UNCLAIMED)]),
        (lambda base: sign_by_hand(base, has_covered_delimiters=True), [found(**UNCLAIMED)]),
    ],
    ids=[
        *("unsigned", "signed", "with a time stamp", "certified", "validation data", "page", "page of a certified one"),
        *("two signatures", "visible second signature", "document time stamp", "NUL after the end", "BOM before it"),
        *("weak digest", "expired", "certificate of a web site", "certificate for time stamps", "by hand"),
        "ranges with the delimiters",
    ],
)
def test_each_signature_is_described(
    make: Callable[[bytes], bytes], expected: list[dict[str, Any]], base: Callable[[], bytes]
) -> None:
    signatures = [one.model_dump() for one in inspect_signatures(make(base())).signatures]
    for one in signatures:  # pyHanko dates the document with some of its updates
        one["additions"] = [addition for addition in one["additions"] if addition["kind"] != "metadata"]
    assert signatures == expected


def test_a_signature_by_an_authority_that_is_not_trusted_is_intact(trusted: Path) -> None:
    trusted.write_bytes(b"")
    assert pdf_trust.trusted_authorities() == []
    assert [one.model_dump() for one in inspect_signatures(sign(unsigned())).signatures] == [
        found(trust="unknown_authority")
    ]


# ── forged ───────────────────────────────────────────────────────────────────────────────────────────────────────────

OTHER_VALUE = "another value lies between the signed ranges"
SOMETHING_ELSE = "something else than its value lies between the signed ranges"


@pytest.mark.parametrize("protect", [sign, certify], ids=["signed", "certified"])
@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (lambda content: forged_pdf.pad_value(content, is_hexadecimal=False), OTHER_VALUE),
        (lambda content: forged_pdf.wrap(content, is_padded=False), SOMETHING_ELSE),
        (lambda content: forged_pdf.wrap(content, is_padded=True), SOMETHING_ELSE),
    ],
    ids=[
        "stated lengths add up to the file's size",
        "ranges are apart",
        "ranges are apart and the value fills the gap",
    ],
)
def test_lengths_that_the_file_states_prove_nothing(
    protect: Callable[[bytes], bytes], forge: Callable[[bytes], bytes], reason: str
) -> None:
    forged = forge(protect(unsigned()))
    shown = next(one for one in inspect_signatures(forged).signatures if not one.is_hidden)
    assert (shown.integrity, shown.integrity_reason, shown.changes) == ("broken", reason, "not_determined")
    assert judge_signatures(forged) == "signaturesBroken"


def test_a_page_that_was_overridden_is_found_whatever_form_the_value_has() -> None:
    (one,) = inspect_signatures(forged_pdf.pad_value(sign(unsigned()), is_hexadecimal=True)).signatures
    assert one.model_dump() == found(**FORBIDDEN)


@pytest.mark.parametrize("is_broken", [True, False])
@pytest.mark.parametrize(
    "hide",
    [
        *(forged_pdf.drop_form, forged_pdf.empty_fields, forged_pdf.drop_value, forged_pdf.rename),
        *(forged_pdf.append_unsigned, forged_pdf.sign_again),
    ],
)
def test_a_signature_that_the_last_revision_hides_is_a_contradiction(
    hide: Callable[[bytes], bytes], *, is_broken: bool
) -> None:
    signed = sign(unsigned())
    content = hide(change_byte(signed) if is_broken else signed)
    hidden = [one for one in inspect_signatures(content).signatures if one.is_hidden]
    assert [(one.field, one.integrity) for one in hidden] == [("Seal", "broken" if is_broken else "intact")]
    sentence = 'An earlier revision of the PDF has the signature "Seal". The last one hides, renames or replaces it.'
    assert Check(subject="signature", outcome="contradicted", sentence=sentence) in check_signatures(content)[1]


def test_a_hidden_signature_is_found_by_its_bytes_alone() -> None:
    """The first revision can't be read any more, and the last one does not refer to it."""
    signed = sign(unsigned())
    start = signed.rindex(b"startxref")
    content = forged_pdf.append_unsigned(signed[:start] + b"startxref\n1\n%%EOF\n")
    (one,) = inspect_signatures(content).signatures
    assert (one.field, one.is_hidden, one.integrity) == (None, True, "broken")


@pytest.mark.parametrize(
    "forge",
    [
        change_byte,
        lambda content: content.replace(b"/adbe.pkcs7.detached", b"/adbe.x509.rsa_sha1 "),
        lambda content: content.replace(b"/Type /Sig\n", b"/Type /Cat\n"),
        lambda content: content.replace(b"%PDF-1.3", b"%PDF-1.4"),
    ],
    ids=["page", "kind of signature", "type", "version"],
)
def test_a_byte_that_was_changed_breaks_the_signature(forge: Callable[[bytes], bytes]) -> None:
    signed = sign(unsigned())
    assert forge(signed) != signed
    (one,) = inspect_signatures(forge(signed)).signatures
    assert one.model_dump() | {"coverage": "whole_file", "changes": "none"} == found(**OTHER_DIGEST, changes_reason=ANY)


@given(position=st.integers(0, len(sign(unsigned())) - 1), byte=st.integers(0, 255))
def test_no_byte_outside_the_value_can_be_changed(position: int, byte: int) -> None:
    signed = sign(unsigned())
    start, stop = signed.index(b"/Contents <") + len(b"/Contents "), signed.index(b">", signed.index(b"/Contents <"))
    if signed[position] != byte and not start < position < stop:
        forged = signed[:position] + bytes([byte]) + signed[position + 1 :]
        assert judge_in_process(forged) != "intact and nothing changed"


@given(
    page=st.fixed_dictionaries(
        {},
        optional={
            "/Contents": st.just(b"null") | st.integers(1, 8).map(lambda number: b"%d 0 R" % number),
            "/MediaBox": st.integers(1, 500).map(lambda width: b"[0 0 %d 100]" % width),
            "/Rotate": st.sampled_from([b"90", b"180"]),
            "/Resources": st.sampled_from([b"<<>>", b"<</Font<<>>>>"]),
            "/Annots": st.just(b"[<</Type/Annot/Subtype/FreeText/Rect[0 0 500 800]/DA(/Helv 9 Tf)/Contents(x)>>]"),
            "/UserUnit": st.just(b"2.0"),
        },
    ).filter(bool),
    base=st.sampled_from([unsigned, with_xref_stream]),
    then=st.sampled_from([lambda content: content, add_validation_data, stamp]),
)
def test_no_update_that_changes_a_page_leaves_it_confirmed(
    page: dict[str, bytes], base: Callable[[], bytes], then: Callable[[bytes], bytes]
) -> None:
    assert judge_in_process(then(forged_pdf.change_page_entries(sign(base()), page))) != "intact and nothing changed"


def judge_in_process(content: bytes) -> str:
    inspection = inspect_signatures(content)
    is_confirmed = inspection.problem is None and all(
        (one.integrity, one.is_hidden) == ("intact", False)
        and {addition.kind for addition in one.additions} <= {"validation_data", "metadata", "time_stamp"}
        and one.changes in {"none", "explained"}
        for one in inspection.signatures
    )
    return "intact and nothing changed" if is_confirmed and inspection.signatures else "otherwise"


# ── genuine ──────────────────────────────────────────────────────────────────────────────────────────────────────────

PAGE = (
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Annots[5 0 R 7 0 R 8 0 R 9 0 R]/PieceInfo<</A<</Private 1>>>>>>"
)


@cache
def form() -> bytes:
    """A PDF with a text field, one whose widget is a field's kid, a choice, a field whose name has a point, and an
    object that nothing refers to."""
    return assemble(
        b"<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        PAGE,
        b"<</Fields[5 0 R 6 0 R 8 0 R 9 0 R]>>",
        b"<</FT/Tx/T(Name)/V(Alice)/Type/Annot/Subtype/Widget/Rect[0 0 9 9]>>",
        b"<</FT/Tx/T(Address)/Kids[7 0 R]>>",
        b"<</Parent 6 0 R/Type/Annot/Subtype/Widget/Rect[0 9 9 18]>>",
        b"<</FT/Ch/T(Color)/Opt[(red)(blue)]/Type/Annot/Subtype/Widget/Rect[0 18 9 27]>>",
        b"<</FT/Tx/T(Amount.1)/Type/Annot/Subtype/Widget/Rect[0 27 9 36]>>",
        b"<</Unused true>>",
    )


def fill(content: bytes, number: int, old: bytes, new: bytes) -> bytes:
    reader_object = form().partition(b"%d 0 obj\n" % number)[2].partition(b"\nendobj")[0]
    return append(content, {number: reader_object.replace(old, new)})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: fill(c, 5, b"(Alice)", b"(Mallory)"), added(("form_field", ["Name"]))),
        (lambda c: fill(c, 6, b"/Kids", b"/V(Street)/Kids"), added(("form_field", ["Address"]))),
        (lambda c: fill(c, 8, b"/Opt", b"/V(blue)/I[1]/Opt"), added(("form_field", ["Color"]))),
        (lambda c: fill(c, 9, b"/Type", b"/V(5)/Type"), added(("form_field", ["Amount.1"]))),
        (lambda c: append(c, {}, free=[10]), {"coverage": "whole_revision"}),
        (lambda c: fill(c, 3, b"/Private 1", b"/Private 2"), added("metadata")),
        (lambda c: append(c, {}, trailer=b"/Info 99 0 R"), {"coverage": "whole_revision"}),
        (
            lambda c: append(c, replace_entry(c, "/DSS", b"<</Type/DSS/VRI<</Type/VRI/%s<<>>>>>>" % (b"A" * 40))),
            added("validation_data"),
        ),
        (
            lambda c: fill(c, 3, b"/Annots[", b"/Annots[<</Type/Annot/Subtype/Text/Rect[1 1 9 9]>>"),
            added("annotation"),
        ),
        (lambda c: fill(c, 3, b"/MediaBox[0 0 300 300]", b"/MediaBox[0 0 30 300]"), FORBIDDEN),
        (
            lambda c: fill(c, 5, b"/T(Name)", b"/T(Other)"),
            {
                **added(("form_field", ["Other"]), changes="not_explained"),
                "changes_reason": "a form field was removed",
            },
        ),
        (
            lambda c: append(c, replace_entry(c, "/OpenAction", b"<</S/JavaScript/JS(1)>>")),
            {"coverage": "whole_revision", "changes": "not_explained"}
            | {"changes_reason": "attributes of the document were changed"},
        ),
    ],
    ids=[
        *("text field", "field whose widget is a kid", "choice", "name with a point", "freed object", "private data"),
        *("reference to nothing", "validation data of another form", "annotation", "page", "field renamed", "script"),
    ],
)
def test_each_change_after_a_signature_is_named(change: Callable[[bytes], bytes], expected: dict[str, Any]) -> None:
    (one,) = inspect_signatures(change(sign(form()))).signatures
    assert one.model_dump() == found(**expected)


NOT_PERMITTED = "its certification does not permit what was added"


@pytest.mark.parametrize(
    ("permission", "change", "outcome"),
    [
        (MDPPerm.ANNOTATE, "annotation", ("explained", None)),
        (MDPPerm.FILL_FORMS, "annotation", ("forbidden", NOT_PERMITTED)),
        (MDPPerm.FILL_FORMS, "form_field", ("explained", None)),
        (MDPPerm.NO_CHANGES, "form_field", ("forbidden", NOT_PERMITTED)),
        (MDPPerm.NO_CHANGES, "signature", ("forbidden", NOT_PERMITTED)),
        (MDPPerm.NO_CHANGES, "time_stamp", ("explained", None)),
        (MDPPerm.NO_CHANGES, "validation_data", ("explained", None)),
    ],
)
def test_a_certification_permits_what_it_says(
    permission: MDPPerm, change: str, outcome: tuple[str, str | None]
) -> None:
    changes: dict[str, Callable[[bytes], bytes]] = {
        "annotation": lambda c: fill(c, 3, b"/Annots[", b"/Annots[<</Type/Annot/Subtype/Text/Rect[1 1 9 9]>>"),
        "form_field": lambda c: fill(c, 5, b"(Alice)", b"(Mallory)"),
        "signature": sign_by_hand,  # pyHanko would refuse
        "time_stamp": stamp,
        "validation_data": add_validation_data,
    }
    certified = sign(form(), "Certification", certify=True, docmdp_permissions=permission)
    one = inspect_signatures(changes[change](certified)).signatures[0]
    assert (one.changes, one.changes_reason) == outcome
    assert change in {addition.kind for addition in one.additions}


@pytest.mark.parametrize(
    ("action", "fields", "changes"),
    [
        (FieldMDPAction.INCLUDE, ["Name"], "forbidden"),
        (FieldMDPAction.INCLUDE, ["Color"], "explained"),
        (FieldMDPAction.EXCLUDE, ["Name"], "explained"),
        (FieldMDPAction.ALL, [], "forbidden"),
    ],
)
def test_a_locked_field_may_not_be_changed(action: FieldMDPAction, fields: list[str], changes: str) -> None:
    locked = signed_pdf.sign_and_lock(form(), FieldMDPSpec(action, fields))
    (one,) = inspect_signatures(fill(locked, 5, b"(Alice)", b"(Mallory)")).signatures
    assert one.changes == changes


def use_plain_ecdsa(signed: Any) -> None:
    signer = signed["signer_infos"][0]
    numbers = decode_dss_signature(signer["signature"].native)
    signer["signature"] = b"".join(number.to_bytes(32) for number in numbers)
    signer["signature_algorithm"]["algorithm"] = "0.4.0.127.0.7.1.1.4.1.3"


def use_unknown_algorithm(signed: Any) -> None:
    signed["signer_infos"][0]["signature_algorithm"]["algorithm"] = "1.2.3.4"


def use_unknown_digest(signed: Any) -> None:
    signed["signer_infos"][0]["digest_algorithm"]["algorithm"] = "1.2.3.4"


def drop_certificates(signed: Any) -> None:
    signed["certificates"] = []


def drop_signers(signed: Any) -> None:
    signed["signer_infos"] = []


def change_value(signed: Any) -> None:
    signer = signed["signer_infos"][0]
    r, s = decode_dss_signature(signer["signature"].native)
    signer["signature"] = encode_dss_signature(r, s + 1)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (use_plain_ecdsa, ("intact", None)),
        (
            use_unknown_algorithm,
            ("not_determined", "its signature algorithm is not supported, or its certificate is malformed"),
        ),
        (use_unknown_digest, ("not_determined", "its digest algorithm is not supported")),
        (drop_certificates, ("not_determined", "the signer's certificate is not in it")),
        (drop_signers, ("not_determined", "it has 0 signers, not one")),
        (change_value, ("broken", "the cryptographic signature is not valid")),
    ],
)
def test_what_is_not_understood_is_neither_intact_nor_broken(
    change: Callable[[Any], None], verdict: tuple[str, str | None]
) -> None:
    (one,) = inspect_signatures(change_cms(sign(unsigned()), change)).signatures
    assert (one.integrity, one.integrity_reason, one.changes) == (*verdict, "none")


@pytest.mark.parametrize("change", [use_unknown_algorithm, drop_certificates])
def test_a_digest_that_differs_is_broken_whatever_else_is_not_understood(change: Callable[[Any], None]) -> None:
    (one,) = inspect_signatures(change_byte(change_cms(sign(unsigned()), change))).signatures
    assert (one.integrity, one.integrity_reason) == ("broken", OTHER_DIGEST["integrity_reason"])


@pytest.mark.parametrize("entries", [b"/Type/Sig", b"", b"/Type/DocTimeStamp"])
def test_a_time_stamp_is_checked_as_what_it_is(entries: bytes) -> None:
    stamped = sign_by_hand(unsigned(), entries=entries + b"/SubFilter/ETSI.RFC3161", make_cms=signed_pdf.stamp_bytes)
    (one,) = inspect_signatures(stamped).signatures
    assert one.model_dump() == found(**DOCUMENT_STAMP | {"field": "Seal"})
    (one,) = inspect_signatures(change_byte(stamped)).signatures
    assert one.integrity_reason == "the digest of the covered bytes is not the time-stamped one"


def test_a_broken_time_stamp_leaves_the_signature_intact() -> None:
    content = signed_pdf.break_stamp(sign(unsigned(), is_stamped=True))
    (one,) = inspect_signatures(content).signatures
    assert one.model_dump() == found(time_integrity="broken")
    sentence = 'The time stamp within the signature "Seal" is broken.'
    assert Check(subject="time", outcome="contradicted", sentence=sentence) in check_signatures(content)[1]


def test_a_value_that_is_not_in_hexadecimal_digits_is_not_confirmed() -> None:
    (one,) = inspect_signatures(sign_by_hand(unsigned(), delimiters=b"()")).signatures
    reason = "its value is not written in hexadecimal digits, as ISO 32000-2 requires"
    assert (one.integrity, one.integrity_reason) == ("not_determined", reason)
    (one,) = inspect_signatures(change_byte(sign_by_hand(unsigned(), delimiters=b"()"))).signatures
    assert one.integrity == "broken"


@pytest.mark.parametrize("module", [pdf_integrity, pdf_changes, pdf_trust])
def test_a_failure_in_one_question_does_not_answer_another(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = {pdf_integrity: "_check_cms", pdf_changes: "walk_fields", pdf_trust: "_find_purpose"}[module]
    monkeypatch.setattr(module, name, lambda *_: 1 / 0)
    (one,) = inspect_signatures(add_validation_data(sign(unsigned()))).signatures
    assert (one.integrity, one.changes, one.trust) == (
        "not_determined" if module is pdf_integrity else "intact",
        "not_determined" if module is pdf_changes else "explained",
        {pdf_integrity: None, pdf_trust: "not_established"}.get(module, "trusted"),
    )


@pytest.mark.parametrize("module", [pdf_integrity, pdf_changes, pdf_trust])
def test_too_little_memory_answers_nothing(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    name = {pdf_integrity: "_check_cms", pdf_changes: "walk_fields", pdf_trust: "_find_purpose"}[module]
    monkeypatch.setattr(module, name, fail)
    with pytest.raises(MemoryError):
        inspect_signatures(add_validation_data(sign(unsigned())))


# ── hostile ──────────────────────────────────────────────────────────────────────────────────────────────────────────

PAGES = b"<</Type/Pages/Kids[]/Count 0>>"
MALFORMED = b"<</Type/Sig/SubFilter/adbe.pkcs7.detached/ByteRange[0 1 2 3]/Contents<00>>>"
ENCRYPTED = "it is encrypted, and can't be opened without a password or key"


def hostile_form(*objects: bytes, fields: bytes = b"[3 0 R]") -> bytes:
    """A PDF whose form has these fields, which refer to objects from number 3 on."""
    return assemble(b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields %s>>>>" % fields, PAGES, *objects)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "its structure is damaged (PdfReadError)"),
        (b"%PDF-1.7", "its structure is damaged (PdfReadError)"),
        (unsigned()[:1000], "its structure is damaged (PdfReadError)"),
        (unsigned().replace(b"startxref\n", b"startxref\n9"), "its structure is damaged (PdfStreamError)"),
        (hostile_form(fields=b"[" * 100_000), "its structure is damaged (RecursionError)"),
        (
            hostile_form().replace(b"/Size", b"/Prev %d/Size" % hostile_form().index(b"xref\n0")),
            "its structure is damaged (PdfReadError)",
        ),
        (signed_pdf.encrypt(unsigned(), "secret"), ENCRYPTED),
        (signed_pdf.encrypt_for_recipients(unsigned()), ENCRYPTED),
    ],
    ids=[
        *("empty", "header", "cut", "no cross-references", "deep array", "endless revisions", "encrypted"),
        "encrypted for recipients",
    ],
)
def test_a_pdf_that_can_not_be_read_is_neither_signed_nor_unsigned(content: bytes, problem: str) -> None:
    found_ = inspect_signatures(content)
    assert (found_.signatures, found_.problem) == ([], problem)
    sentence = f"The PDF may have more signatures than are known: {problem}."
    assert check_signatures(content) == ([], [Check(subject="signature", outcome="not_determined", sentence=sentence)])


def test_the_signature_of_a_pdf_that_can_not_be_read_is_found_by_its_bytes() -> None:
    content = change_byte(sign(unsigned()))
    inspection = inspect_signatures(append(content, {})[:-20] + b"startxref\n1\n%%EOF\n")
    assert inspection.problem is not None
    assert [(one.field, one.integrity, one.is_hidden) for one in inspection.signatures] == [("Seal", "broken", False)]


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        (hostile_form(b"<</FT/Sig/T(a)/V 4 0 R>>", MALFORMED), [SOMETHING_ELSE]),
        (hostile_form(b"<</FT/Sig/T(a)/V 3 0 R>>"), ["its byte range is malformed"]),
        (hostile_form(b"<</FT/Sig/T(a)/V<</ByteRange[0 9 9 9999]>>>>"), ["its byte range ends beyond the file"]),
        (hostile_form(b"<</FT/Sig/T(a)/V<</ByteRange[0 9 -9 9]>>>>"), ["its byte range is malformed"]),
        (hostile_form(b"<</FT/Sig/T(a)/Kids[3 0 R]>>"), []),
        (hostile_form(b"3 0 R"), []),
    ],
)
def test_a_signature_that_is_malformed_is_not_intact(content: bytes, reasons: list[str]) -> None:
    signatures = inspect_signatures(content).signatures
    assert [(one.integrity, one.integrity_reason) for one in signatures] == [("broken", one) for one in reasons]


def test_nothing_about_a_hostile_pdf_is_written_to_the_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # without pytest's, Python writes warnings itself
    inspect_signatures(hostile_form(b"<</FT/Sig/T(a)/V 4 0 R>>", MALFORMED.replace(b"adbe.pkcs7.detached", b"#1b[2J")))
    inspect_signatures(sign(unsigned(), md_algorithm="sha1"))
    assert capfd.readouterr() == ("", "")


def test_a_name_can_not_be_read_as_a_sentence_of_ours() -> None:
    name = 'Seal" is intact, issued by an authority that this machine trusts. \n"' + "x" * 100
    checks = check_signatures(change_byte(sign(unsigned(), name)))[1]
    quoted = f'"{name[:59].replace(chr(34), chr(39))}…"'
    reason = OTHER_DIGEST["integrity_reason"]
    assert [check.sentence for check in checks] == [f"The signature {quoted} is broken: {reason}."]


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("inspect", "seconds", "found_"),
    [
        (inspections.wait_forever, 1, "the PDF was not read within 1 seconds"),
        (inspections.use_memory, 60, "the PDF needs more than 1,000 MB of memory to be read"),
        (inspections.kill_itself, 60, "the process that read the PDF was killed or failed"),
        (inspections.end_itself, 60, "the process that read the PDF was killed or failed"),
        (inspections.describe_itself, 60, (signal.SIG_IGN, 1_000_000_000)),
    ],
)
def test_a_pdf_may_end_its_process_and_nothing_else(inspect: Any, seconds: float, found_: object) -> None:
    assert run_within_limits(inspect, unsigned(), seconds) == found_
    assert judge_signatures(sign(unsigned())) == "signaturesIntact"


# ── archive verify --signatures ──────────────────────────────────────────────────────────────────────────────────────


def test_verify_counts_certificates_by_their_signatures(operate: Operator) -> None:
    """A PDF that can't be checked costs the verdict on it alone."""
    contents = {
        1: sign(unsigned()),
        2: change_byte(sign(unsigned())),
        3: change_page(sign(unsigned())),
        4: unsigned(),
        5: signed_pdf.encrypt(unsigned(), "secret"),
        6: b"no PDF",
        7: fill(sign(form()), 5, b"(Alice)", b"(Mallory)"),
        8: sign(unsigned(), name=WEB_SITE),
    }
    for number, content in contents.items():
        operate.seed(number)
        operate.archive(number, content)
    result = operate("archive", "verify", "--signatures", "--json")
    *findings, numbers = json_lines(result.stdout)
    undetermined = dict.fromkeys((5, 7), "signatures_not_determined")
    problems = {2: "broken_signature", 3: "broken_signature", 6: "not_a_pdf"} | undetermined
    assert sorted(findings, key=lambda finding: str(finding["signatureRequestId"])) == [
        {"problem": problem, "signatureRequestId": signature_id(number), "projectId": "prj_1"}
        for number, problem in sorted(problems.items())
    ]
    counts = {"scanned": 8, "available": 8, "intact": 5, "missing": 0, "damaged": 3, "altered": 0, "broken": 0}
    states = {"signaturesIntact": 2, "signaturesBroken": 2, "signaturesNotDetermined": 2, "unsigned": 1}
    assert (result.exit_code, result.stderr, numbers) == (1, "", counts | states | {"seconds": ANY})


def test_a_certificate_whose_signatures_are_not_determined_is_not_damaged(operate: Operator) -> None:
    operate.seed(1)
    operate.archive(1, signed_pdf.encrypt(unsigned(), "secret"))
    result = operate("archive", "verify", "--signatures")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        f"problem=signatures_not_determined  signatureRequestId={signature_id(1)}  projectId=prj_1\n" in result.stdout
    )
