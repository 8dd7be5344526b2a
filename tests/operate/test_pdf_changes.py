"""Genuine PDFs: each change after signing is named, and what is not understood accuses nobody."""

import zlib
from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from pyhanko.sign.fields import FieldMDPAction, MDPPerm

from operate.evidence import pdf_changes, pdf_integrity, pdf_trust, signature_checks
from operate.evidence.checks import contradict, leave_open
from operate.evidence.signature_checks import check_signatures
from tests.support import signed_pdf as pdfs
from tests.support.forged_pdf import change_reason, drop_appearance
from tests.support.pdf_signatures import DOCUMENT_STAMP, FORBIDDEN, OTHER_DIGEST, added, found, inspect, make_trusted  # noqa: F401
from tests.support.signed_pdf import append, fill, form, read, sign, unsigned

NOTE = b"<</Type/Annot/Subtype/FreeText/Rect[1 1 9 9]>>"
DSS = b"<</Type/DSS/VRI<</Type/VRI/%s<<>>>>>>" % (b"A" * 40)
DEFAULTS = {"/Rotate": b"0", "/UserUnit": b"1.0", "/CropBox": b"[0 0 300 300]"}
TREE = "attributes of the page tree were changed"
BEYOND_FILLING = "a form field was changed beyond filling it"
NOT_PERMITTED = "its certification does not permit what was added"


SAME_NAME = {5: pdfs.form_object(5).replace(b"Alice", b"Mallory"), 20: pdfs.form_object(5)}


def fill_name(content: bytes) -> bytes:
    return fill(content, 5, b"(Alice)", b"(Mallory)")


def annotate(content: bytes, shown: bytes = NOTE) -> bytes:
    return append(content, pdfs.replace_page(content, {}, shown))


def change_form(content: bytes, key: str, value: bytes) -> dict[int, bytes]:
    """The form with another value of an entry. An array is added to."""
    entries = pdfs.read_entries(read(content).root["/AcroForm"])
    return {4: pdfs.write_dictionary(entries | {key: entries.get(key, b"").rstrip(b"]") + value})}


def unexplained(reason: str, *additions: Any) -> dict[str, Any]:
    return added(*additions, changes="not_explained", changes_reason=reason)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (fill_name, added(("form_field", ["Name"]))),
        (lambda c: fill(c, 6, b"/Kids", b"/V(Street)/Kids"), added(("form_field", ["Address"]))),
        (lambda c: fill(c, 8, b"/Opt", b"/V(blue)/I[1]/Opt"), added(("form_field", ["Color"]))),
        (lambda c: fill(c, 9, b"/Type", b"/V(5)/Type"), added(("form_field", ["Amount.1"]))),
        (lambda c: append(c, {}, free=[10]), {"coverage": "whole_revision"}),
        (lambda c: pdfs.change_page(c, {"/PieceInfo": b"<<>>"}), added("metadata")),
        (lambda c: append(c, {}, trailer=b"/Info 99 0 R"), {"coverage": "whole_revision"}),
        (lambda c: pdfs.change_page(c, DEFAULTS), {"coverage": "whole_revision"}),
        (lambda c: append(c, change_form(c, "/Fields", b" 20 0 R]") | SAME_NAME), added(("form_field", ["Name"]))),
        (
            lambda c: fill(c, 6, b"/Kids[7 0 R]", b"/V(Street)/Kids[7 0 R<</V null>>]"),
            added(("form_field", ["Address"])),
        ),
        (lambda c: append(c, pdfs.replace_entry(c, "/DSS", DSS)), added("validation_data")),
        (lambda c: append(c, pdfs.replace_entry(c, "/StructTreeRoot", b"<<>>")), added("structure")),
        (pdfs.change_page, FORBIDDEN),
        (
            lambda c: fill(c, 2, b"/Kids[3 0 R]", b"/Kids[3 0 R 3 0 R]"),
            FORBIDDEN | {"changes_reason": "pages were added or removed"},
        ),
        (
            lambda c: fill(c, 5, b"/T(Name)", b"/T(Other)"),
            unexplained("a form field was removed", ("form_field", ["Other"])),
        ),
        (
            lambda c: append(c, pdfs.replace_entry(c, "/OpenAction", b"<</S/JavaScript/JS(1)>>")),
            unexplained("attributes of the document were changed"),
        ),
        (lambda c: fill(c, 8, b"(blue)", b"(green)"), unexplained(BEYOND_FILLING)),
        (change_reason, unexplained(BEYOND_FILLING)),
        (lambda c: append(c, change_form(c, "/DA", b"(/Helv 0 Tf 1 g)")), unexplained(BEYOND_FILLING)),
        (
            lambda c: append(c, {7: pdfs.form_object(7).replace(b"6 0 R", b"20 0 R"), 20: pdfs.form_object(6)}),
            unexplained(BEYOND_FILLING),
        ),
        (
            lambda c: add_text_field(c, b"/AA<</PO<</S/JavaScript/JS(1)>>>>"),
            unexplained("an action of a form field was added or changed", ("form_field", ["New"])),
        ),
        (
            lambda c: pdfs.change_page(c, {"/Annots": b"[7 0 R 5 0 R 8 0 R 9 0 R 12 0 R]"}),
            unexplained("the order of annotations was changed"),
        ),
        (lambda c: fill(c, 2, b"/Count 1", b"/Count 2"), unexplained(TREE)),
        (
            lambda c: append(c, pdfs.replace_page(c, {"/Parent": b"20 0 R"}) | {20: pdfs.form_object(2)}),
            unexplained("attributes of page 1 were changed"),
        ),
        (
            lambda c: append(c, change_form(c, "/NeedAppearances", b"true")),
            unexplained("attributes of the form were changed"),
        ),
    ],
)
def test_each_change_after_a_signature_is_named(change: Callable[[bytes], bytes], expected: dict[str, Any]) -> None:
    (one,) = inspect(change(sign(form())))
    assert one.model_dump() == found(**expected)


def two_pages(*objects: bytes, first: bytes = b"") -> bytes:
    """A signed PDF, whose objects from number 5 on are these."""
    page, pages = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]%s>>", b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>"
    return sign(pdfs.assemble(b"<</Type/Catalog/Pages 2 0 R>>", pages, page % first, page % b"", *objects))


LINK = b"<</Type/Annot/Subtype/Link/Dest[%d 0 R/Fit]>>"
LINKED = two_pages(LINK % 3, first=b"/Annots[5 0 R]")
FONTS = two_pages(b"<</Type/Font/Name/A>>", b"<</F 5 0 R>>", first=b"/Resources<</Font 6 0 R>>")
STREAM = b"<</Length %d%s>>\nstream\n%s\nendstream"
PACKED = zlib.compress(b"q Q")
ROWS = zlib.compress(b"\1q\xaf1")  # "q Q" as a row of the kind "Sub", as its difference from the left
PREDICTED = b"/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 3>>"
UNCOMPARED = {
    "coverage": "whole_revision",
    "changes": "not_determined",
    "changes_reason": "the revisions can't be compared (UnknownData)",
}
CONTENT = two_pages(STREAM % (3, b"", b"q Q"), first=b"/Contents 5 0 R")
TYPED = two_pages(STREAM % (3, b"/Type/Page", b"q Q"), first=b"/Contents 5 0 R")
GLYPHS = two_pages(b"<</CharProcs<</P 7 0 R>>>>", b"<</F 5 0 R>>", b"(A)", first=b"/Resources<</Font 6 0 R>>")
KID = b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 9 9]/Contents 5 0 R%s>>"
WITH_KIDS = {3: KID % (2, b"/Kids[20 0 R]"), 20: KID % (3, b"")}
CONTENT_AS_PAGE = {2: b"<</Type/Pages/Kids[5 0 R 4 0 R]/Count 2>>", 5: KID % (2, b"")}
STREAM_PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 3 0 R/Length 3>>\nstream\n%s\nendstream"
SHOWS_ITSELF = sign(pdfs.assemble(b"<</Type/Catalog/Pages 2 0 R>>", pdfs.form_object(2), STREAM_PAGE % b"q Q"))
NESTED = sign(
    pdfs.assemble(
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]>>>>",
        *(b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>"),
        *(b"<</FT/Tx/T(A)/V(1)/Kids[5 0 R]>>", b"<</T(B)/Parent 4 0 R/Kids[6 0 R]>>", b"<</T(C)/Parent 5 0 R>>"),
    )
)
OTHER_PARENT = {5: b"<</T(B)/Parent 20 0 R/Kids[6 0 R]>>", 20: b"<</FT/Tx/T(A)/V(2)/Kids[5 0 R]>>"}
WITHOUT_WIDGET = sign(form().replace(b" 9 0 R]/Piece", b"      ]/Piece"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (append(LINKED, {5: LINK % 4}), added("annotation")),
        (append(CONTENT, {5: STREAM % (3, b"", b"q q")}), FORBIDDEN),
        (append(CONTENT, {5: STREAM % (len(PACKED), b"/Filter/FlateDecode", PACKED)}), {"coverage": "whole_revision"}),
        (append(CONTENT, {5: STREAM % (len(ROWS), PREDICTED, ROWS)}), UNCOMPARED),
        (append(CONTENT, {5: STREAM % (4, b"/Filter/RunLengthDecode", b"\2q Q")}), UNCOMPARED),
        (append(FONTS, {5: b"<</Type/Font/Name/B>>"}), FORBIDDEN),
        (append(FONTS, {6: b"<</F 5 0 R/G 5 0 R>>"}), unexplained("resources of page 1 were added")),
        (pdfs.change_page(CONTENT, {"/Contents": b"[5 0 R]"}), {"coverage": "whole_revision"}),
        (append(TYPED, {5: STREAM % (3, b"/Type/Page", b"q q")}), FORBIDDEN),
        (append(GLYPHS, {7: b"(\xfe\xff\0A)"}), FORBIDDEN),
        (append(CONTENT, WITH_KIDS), unexplained(TREE, ("signature", ["Seal"]))),
        (append(CONTENT, CONTENT_AS_PAGE), FORBIDDEN),
        (append(SHOWS_ITSELF, {3: STREAM_PAGE % b"q q"}), FORBIDDEN),
        (append(NESTED, OTHER_PARENT), unexplained(BEYOND_FILLING)),
        (drop_appearance(sign(unsigned(), box=(0, 0, 99, 99))), added(("visible_signature", ["Seal"]))),
        (annotate(WITHOUT_WIDGET, b"9 0 R"), added(("form_field", ["Amount.1"]))),
    ],
)
def test_each_change_of_what_a_page_refers_to_is_named(content: bytes, expected: dict[str, Any]) -> None:
    (one,) = inspect(content)
    assert one.model_dump() == found(**expected)


def add_field(content: bytes, number: int, entries: bytes, shown: bytes) -> bytes:
    """Adds a signature field that a later revision claims to show nothing, and shows something on the page."""
    field = {number: b"<</FT/Sig/T(X)/V<</Type/Sig>>%s>>" % entries}
    objects = change_form(content, "/Fields", b" %d 0 R]" % number) | field
    return append(content, objects | pdfs.replace_page(content, {}, shown))


@pytest.mark.parametrize(
    ("number", "entries", "shown", "kind"),
    [
        (20, b"/Subtype/FreeText/Rect[0 0 9 9]", b" 20 0 R", "visible_signature"),
        (20, b"/Kids[<</Subtype/Widget>>]", NOTE, "annotation"),
        (10, b"/Subtype/Widget", b"", "annotation"),
        (20, b"/Subtype/Widget/Rect[0 0 9 9]/MK<</BG[1]>>", b" 20 0 R", "visible_signature"),
    ],
    ids=["the field is an annotation", "neither has a reference", "it has the number of an annotation", "background"],
)
def test_a_field_hides_no_annotation(number: int, entries: bytes, shown: bytes, kind: str) -> None:
    signed = sign(append(form(), {10: NOTE} | pdfs.replace_page(form(), {}, b" 10 0 R")))
    one = next(one for one in inspect(add_field(signed, number, entries, shown)) if one.field == "Seal")
    assert kind in {addition.kind for addition in one.additions}


def claim_to_stamp(content: bytes) -> bytes:
    return pdfs.sign_by_hand(content, entries=b"/Type/DocTimeStamp/SubFilter/ETSI.RFC3161")


def add_text_field(content: bytes, entries: bytes = b"") -> bytes:
    return append(content, change_form(content, "/Fields", b" 20 0 R]") | {20: b"<</FT/Tx/T(New)%s>>" % entries})


@pytest.mark.parametrize(
    ("permission", "change", "kind", "outcome"),
    [
        (MDPPerm.ANNOTATE, annotate, "annotation", ("explained", None)),
        (MDPPerm.FILL_FORMS, annotate, "annotation", ("forbidden", NOT_PERMITTED)),
        (MDPPerm.FILL_FORMS, fill_name, "form_field", ("explained", None)),
        (MDPPerm.NO_CHANGES, fill_name, "form_field", ("forbidden", NOT_PERMITTED)),
        (MDPPerm.NO_CHANGES, pdfs.sign_by_hand, "signature", ("forbidden", NOT_PERMITTED)),  # pyHanko would refuse
        (MDPPerm.NO_CHANGES, claim_to_stamp, "signature", ("forbidden", NOT_PERMITTED)),
        (MDPPerm.FILL_FORMS, add_text_field, "form_field", ("forbidden", NOT_PERMITTED)),
        (MDPPerm.NO_CHANGES, pdfs.stamp, "time_stamp", ("explained", None)),
        (MDPPerm.NO_CHANGES, pdfs.add_validation_data, "validation_data", ("explained", None)),
    ],
)
def test_a_certification_permits_what_it_says(
    permission: MDPPerm, change: Callable[[bytes], bytes], kind: str, outcome: tuple[str, str | None]
) -> None:
    one = inspect(change(sign(form(), "Certification", certify=True, docmdp_permissions=permission)))[0]
    assert (one.changes, one.changes_reason) == outcome
    assert kind in {addition.kind for addition in one.additions}


@pytest.mark.parametrize(
    ("lock", "changes"),
    [
        ((FieldMDPAction.INCLUDE, "Name"), "forbidden"),
        ((FieldMDPAction.INCLUDE, "Color"), "explained"),
        ((FieldMDPAction.EXCLUDE, "Name"), "explained"),
        ((FieldMDPAction.ALL,), "forbidden"),
    ],
)
def test_a_locked_field_may_not_be_changed(lock: tuple[Any, ...], changes: str) -> None:
    (one,) = inspect(fill_name(sign(form(), lock=lock)))
    assert one.changes == changes


def break_certificate(signed: Any) -> None:
    version = bytes.fromhex("a003020102")
    malformed = signed["certificates"][0].dump().replace(version, version[:-1] + b"\x04")
    signed["certificates"][0] = cms.CertificateChoices.load(malformed)


def change_signer(key: str, value: str) -> Callable[[Any], object]:
    return lambda signed: signed["signer_infos"][0][key].__setitem__("algorithm", value)


def change_value(signed: Any) -> None:
    signer = signed["signer_infos"][0]
    r, s = decode_dss_signature(signer["signature"].native)
    signer["signature"] = encode_dss_signature(r, s + 1)


def use_plain_ecdsa(signed: Any) -> None:
    """German authorities use it. No signed attribute names the algorithm."""
    signer = signed["signer_infos"][0]
    kept = [one for one in signer["signed_attrs"] if one["type"].native != "cms_algorithm_protection"]
    signer["signed_attrs"] = kept
    signer["signature_algorithm"]["algorithm"] = "0.4.0.127.0.7.1.1.4.1.3"


@pytest.mark.parametrize(
    ("change", "integrity", "reason", "is_digest_known"),
    [
        (
            *(change_signer("signature_algorithm", "sha384_ecdsa"), "not_determined"),  # the signed attributes differ
            *("its structure is not understood (SignatureValidationError)", True),
        ),
        (use_plain_ecdsa, "not_determined", "its signature algorithm is not supported", True),
        (
            *(change_signer("digest_algorithm", "1.2.3.4"), "not_determined"),
            *("its digest algorithm is not supported", False),
        ),
        (break_certificate, "not_determined", "its structure is not understood (InvalidVersion)", True),
        (lambda c: c.__setitem__("certificates", []), "not_determined", "the signer's certificate is not in it", True),
        (lambda c: c.__setitem__("signer_infos", []), "not_determined", "it has 0 signers, not one", False),
        (change_value, "broken", "the cryptographic signature is not valid", True),
    ],
)
def test_a_signature_is_broken_only_by_proof_and_another_digest_is_one(
    change: Callable[[Any], object], integrity: str, reason: str, *, is_digest_known: bool
) -> None:
    signed = pdfs.change_cms(sign(unsigned()), change)
    (one,) = inspect(signed)
    assert (one.integrity, one.integrity_reason, one.changes) == (integrity, reason, "none")
    (one,) = inspect(pdfs.change_byte(signed))
    assert (one.integrity_reason == OTHER_DIGEST["integrity_reason"]) == is_digest_known


@pytest.mark.parametrize("entries", [b"/Type/Sig", b"", b"/Type/DocTimeStamp"])
def test_a_time_stamp_is_checked_as_what_it_is(entries: bytes) -> None:
    stamped = pdfs.sign_by_hand(unsigned(), entries=entries + b"/SubFilter/ETSI.RFC3161", make_cms=pdfs.stamp_bytes)
    (one,) = inspect(stamped)
    assert one.model_dump() == found(**DOCUMENT_STAMP | {"field": "Seal"})
    (one,) = inspect(pdfs.change_byte(stamped))
    assert one.integrity_reason == "the digest of the covered bytes is not the time-stamped one"


def test_a_broken_time_stamp_leaves_the_signature_intact() -> None:
    content = pdfs.break_stamp(sign(unsigned(), stamper=pdfs.TIME_STAMPER))
    (one,) = inspect(content)
    assert one.model_dump() == found(time_integrity="broken")
    assert contradict("time", 'The time stamp within the signature "Seal" is broken.') in check_signatures(content)[1]


def test_a_time_stamp_by_an_authority_that_is_not_trusted_confirms_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature_checks, "run_within_limits", lambda inspect, content: inspect(content))
    checks = check_signatures(sign(unsigned(), stamper=pdfs.FORMER))[1]
    stamper, seal, issuer = (f'"{name}"' for name in (pdfs.subject(pdfs.FORMER), pdfs.subject(pdfs.SEAL), pdfs.ISSUER))
    time = f"2026-06-05 11:42:10 UTC, as a time stamp of {stamper}, whose certificate is not valid at present, says"
    trust = "issued for signing by an authority that this machine trusts"
    sentence = f'{seal} made the signature "Seal" at {time}. Their certificate, issued by {issuer}, is {trust}.'
    assert leave_open("signer", sentence) in checks


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        (pdf_integrity, "_check_cms", ("not_determined", "explained", None)),
        (pdf_changes, "walk_fields", ("intact", "not_determined", "trusted")),
        (pdf_trust, "_find_purpose", ("intact", "explained", "not_established")),
    ],
)
def test_a_failure_in_one_question_does_not_answer_another_and_too_little_memory_answers_none(
    module: Any, name: str, expected: tuple[str | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pdfs.add_validation_data(sign(unsigned()))
    monkeypatch.setattr(module, name, lambda *_: 1 / 0)
    (one,) = inspect(content)
    assert (one.integrity, one.changes, one.trust) == expected
    monkeypatch.setattr(module, name, lambda *_: bytearray(2**62))
    with pytest.raises(MemoryError):
        inspect(content)
