"""Genuine PDFs: each change after signing is named, and what is not understood accuses nobody."""

from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm

from operate.evidence import pdf_changes, pdf_integrity, pdf_trust
from operate.evidence.checks import Check
from operate.evidence.signature_checks import check_signatures
from tests.support import signed_pdf
from tests.support.pdf_signatures import DOCUMENT_STAMP, FORBIDDEN, OTHER_DIGEST, added, found, inspect, make_trusted  # noqa: F401
from tests.support.signed_pdf import (
    add_validation_data,
    append,
    assemble,
    change_byte,
    change_cms,
    fill,
    form,
    replace_entry,
    sign,
    sign_by_hand,
    sign_bytes,
    stamp,
    unsigned,
)


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
    (one,) = inspect(change(sign(form())))
    assert one.model_dump() == found(**expected)


def test_a_page_that_was_added_is_forbidden() -> None:
    signed = sign(form())
    (one,) = inspect(fill(signed, 2, b"/Kids[3 0 R]", b"/Kids[3 0 R 3 0 R]"))
    assert (one.changes, one.changes_reason) == ("forbidden", "pages were added or removed")


@pytest.mark.parametrize(
    ("objects", "changes", "reason"),
    [
        ({4: b"<</Type/Font/Name/B>>"}, "forbidden", "the content of page 1 was changed"),
        ({5: b"<</F 4 0 R/G 4 0 R>>"}, "not_explained", "resources of page 1 were added"),
    ],
)
def test_resources_may_be_added_but_not_changed(objects: dict[int, bytes], changes: str, reason: str) -> None:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</Font 5 0 R>>>>"
    fonts = (b"<</Type/Font/Name/A>>", b"<</F 4 0 R>>")
    signed = sign(assemble(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, *fonts))
    (one,) = inspect(append(signed, objects))
    assert (one.changes, one.changes_reason) == (changes, reason)


def test_a_widget_that_a_page_shows_only_later_is_named() -> None:
    shown = b"/Annots[5 0 R 7 0 R 8 0 R 9 0 R]"
    signed = sign(form().replace(shown, b"/Annots[5 0 R 7 0 R 8 0 R      ]"))
    (one,) = inspect(fill(signed, 3, shown, shown))
    assert one.model_dump() == found(**added(("form_field", ["Amount.1"])))


def test_an_object_that_only_repairs_would_find_is_not_explained() -> None:
    signed = sign(form()) + b"\n3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 1 1]>>\nendobj\n"
    (one,) = inspect(append(signed, {}))
    reason = "objects were added that no cross-reference table lists"
    assert (one.changes, one.changes_reason) == ("not_explained", reason)


def test_a_link_that_leads_to_another_page_is_a_changed_annotation() -> None:
    page, link = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]%s>>", b"<</Type/Annot/Subtype/Link/Dest[%d 0 R/Fit]>>"
    pages = b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>"
    signed = sign(assemble(b"<</Type/Catalog/Pages 2 0 R>>", pages, page % b"/Annots[5 0 R]", page % b"", link % 3))
    (one,) = inspect(append(signed, {5: link % 4}))
    assert one.model_dump() == found(**added("annotation"))


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
    one = inspect(changes[change](certified))[0]
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
    (one,) = inspect(fill(locked, 5, b"(Alice)", b"(Mallory)"))
    assert one.changes == changes


def use_other_algorithm(signed: Any) -> None:
    """The signed attributes name another one."""
    signed["signer_infos"][0]["signature_algorithm"]["algorithm"] = "sha384_ecdsa"


def use_unknown_digest(signed: Any) -> None:
    signed["signer_infos"][0]["digest_algorithm"]["algorithm"] = "1.2.3.4"


def break_certificate(signed: Any) -> None:
    version = bytes.fromhex("a003020102")
    malformed = signed["certificates"][0].dump().replace(version, version[:-1] + b"\x04")
    signed["certificates"][0] = cms.CertificateChoices.load(malformed)


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
        (use_other_algorithm, ("not_determined", "its structure is not understood (SignatureValidationError)")),
        (use_unknown_digest, ("not_determined", "its digest algorithm is not supported")),
        (break_certificate, ("not_determined", "its structure is not understood (InvalidVersion)")),
        (drop_certificates, ("not_determined", "the signer's certificate is not in it")),
        (drop_signers, ("not_determined", "it has 0 signers, not one")),
        (change_value, ("broken", "the cryptographic signature is not valid")),
    ],
)
def test_what_is_not_understood_is_neither_intact_nor_broken(
    change: Callable[[Any], None], verdict: tuple[str, str | None]
) -> None:
    (one,) = inspect(change_cms(sign(unsigned()), change))
    assert (one.integrity, one.integrity_reason, one.changes) == (*verdict, "none")


def test_an_unknown_algorithm_is_neither_intact_nor_broken() -> None:
    """As plain ECDSA, which German authorities use. No attribute that is signed names it, too."""

    def use_unknown_algorithm(covered: bytes) -> bytes:
        found = cms.ContentInfo.load(sign_bytes(covered))
        signer = found["content"]["signer_infos"][0]
        signer["signed_attrs"] = [
            one for one in signer["signed_attrs"] if one["type"].native != "cms_algorithm_protection"
        ]
        signer["signature_algorithm"]["algorithm"] = "0.4.0.127.0.7.1.1.4.1.3"
        return bytes(found.dump(force=True))

    (one,) = inspect(sign_by_hand(unsigned(), make_cms=use_unknown_algorithm))
    assert (one.integrity, one.integrity_reason) == ("not_determined", "its signature algorithm is not supported")


@pytest.mark.parametrize("change", [use_other_algorithm, drop_certificates])
def test_a_digest_that_differs_is_broken_whatever_else_is_not_understood(change: Callable[[Any], None]) -> None:
    (one,) = inspect(change_byte(change_cms(sign(unsigned()), change)))
    assert (one.integrity, one.integrity_reason) == ("broken", OTHER_DIGEST["integrity_reason"])


@pytest.mark.parametrize("entries", [b"/Type/Sig", b"", b"/Type/DocTimeStamp"])
def test_a_time_stamp_is_checked_as_what_it_is(entries: bytes) -> None:
    stamped = sign_by_hand(unsigned(), entries=entries + b"/SubFilter/ETSI.RFC3161", make_cms=signed_pdf.stamp_bytes)
    (one,) = inspect(stamped)
    assert one.model_dump() == found(**DOCUMENT_STAMP | {"field": "Seal"})
    (one,) = inspect(change_byte(stamped))
    assert one.integrity_reason == "the digest of the covered bytes is not the time-stamped one"


def test_a_broken_time_stamp_leaves_the_signature_intact() -> None:
    content = signed_pdf.break_stamp(sign(unsigned(), is_stamped=True))
    (one,) = inspect(content)
    assert one.model_dump() == found(time_integrity="broken")
    sentence = 'The time stamp within the signature "Seal" is broken.'
    assert Check(subject="time", outcome="contradicted", sentence=sentence) in check_signatures(content)[1]


def test_a_value_that_is_not_in_hexadecimal_digits_is_not_confirmed() -> None:
    (one,) = inspect(sign_by_hand(unsigned(), delimiters=b"()"))
    reason = "its value is not written in hexadecimal digits, as ISO 32000-2 requires"
    assert (one.integrity, one.integrity_reason) == ("not_determined", reason)
    (one,) = inspect(change_byte(sign_by_hand(unsigned(), delimiters=b"()")))
    assert one.integrity == "broken"


@pytest.mark.parametrize("module", [pdf_integrity, pdf_changes, pdf_trust])
def test_a_failure_in_one_question_does_not_answer_another(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = {pdf_integrity: "_check_cms", pdf_changes: "walk_fields", pdf_trust: "_find_purpose"}[module]
    monkeypatch.setattr(module, name, lambda *_: 1 / 0)
    (one,) = inspect(add_validation_data(sign(unsigned())))
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
        inspect(add_validation_data(sign(unsigned())))
