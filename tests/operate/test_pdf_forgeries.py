"""PDFs that were changed after signing, or whose signatures an update hides."""

from collections.abc import Callable
from unittest.mock import ANY

import pytest
from hypothesis import strategies as st

from operate.evidence.checks import contradict
from operate.evidence.pdf_signatures import inspect_signatures
from operate.evidence.signature_checks import check_signatures, judge_signatures
from tests.support import forged_pdf
from tests.support import signed_pdf as pdfs
from tests.support.examples import given
from tests.support.pdf_signatures import OTHER_DIGEST, SOMETHING_ELSE, found, inspect, make_trusted  # noqa: F401
from tests.support.signed_pdf import change_byte, sign, stamp, unsigned


@pytest.mark.parametrize(
    ("forge", "reason"),
    [(forged_pdf.pad_value, "another value lies between the signed ranges"), (forged_pdf.wrap, SOMETHING_ELSE)],
)
def test_lengths_that_the_file_states_prove_nothing(forge: Callable[[bytes], bytes], reason: str) -> None:
    forged = forge(pdfs.certify(unsigned()))
    shown = next(one for one in inspect(forged) if not one.is_hidden)
    assert (shown.integrity, shown.integrity_reason, shown.changes) == ("broken", reason, "not_determined")
    assert judge_signatures(forged) == "signaturesBroken"


@pytest.mark.parametrize("is_broken", [True, False])
@pytest.mark.parametrize(
    "hide",
    [
        *(forged_pdf.drop_form, forged_pdf.empty_fields, forged_pdf.drop_value, forged_pdf.rename),
        *(forged_pdf.append_unsigned, forged_pdf.sign_again),
    ],
)
def test_a_signature_that_the_last_revision_hides_is_found(hide: Callable[[bytes], bytes], *, is_broken: bool) -> None:
    signed = sign(unsigned())
    hidden = [one for one in inspect(hide(change_byte(signed) if is_broken else signed)) if one.is_hidden]
    assert [(one.field, one.integrity) for one in hidden] == [("Seal", "broken" if is_broken else "intact")]


def test_a_field_with_the_value_of_another_one_is_not_signed() -> None:
    seal, chairman = inspect(forged_pdf.share_value(sign(unsigned())))
    assert (seal.field, seal.integrity, chairman.field, chairman.integrity) == (
        "Seal",
        "intact",
        "Chairman",
        "not_determined",
    )
    assert chairman.integrity_reason == "it was made for another form field"


def test_a_hidden_signature_is_found_by_its_bytes_alone() -> None:
    """The first revision can't be read any more, and the last one does not refer to it."""
    signed = sign(unsigned())
    start = signed.rindex(b"startxref")
    content = forged_pdf.append_unsigned(signed[:start] + b"startxref\n1\n%%EOF\n")
    signatures, (_, check) = check_signatures(content)
    assert [(one.field, one.is_hidden, one.integrity) for one in signatures or []] == [(None, True, "broken")]
    name = "the signature (not known)"
    sentence = f"An earlier revision of the PDF has {name}. The last one hides, renames or replaces it."
    assert check == contradict("signature", sentence)


@pytest.mark.parametrize(
    "forge",
    [
        change_byte,
        lambda content: content.replace(b"/adbe.pkcs7.detached", b"/adbe.x509.rsa_sha1 "),
        lambda content: content.replace(b"/Type /Sig\n", b"/Type /Cat\n"),
        lambda content: content.replace(b"%PDF-1.3", b"%PDF-1.4"),
    ],
)
def test_a_byte_that_was_changed_breaks_the_signature(forge: Callable[[bytes], bytes]) -> None:
    signed = sign(unsigned())
    assert forge(signed) != signed
    (one,) = inspect(forge(signed))
    assert one.model_dump() | {"coverage": "whole_file", "changes": "none"} == found(**OTHER_DIGEST, changes_reason=ANY)


@given(position=st.integers(0, len(sign(unsigned())) - 1), byte=st.integers(0, 255))
def test_no_byte_outside_the_value_can_be_changed(position: int, byte: int) -> None:
    signed = sign(unsigned())
    start, stop = signed.index(b"/Contents <") + len(b"/Contents "), signed.index(b">", signed.index(b"/Contents <"))
    if signed[position] != byte and not start < position < stop:
        forged = signed[:position] + bytes([byte]) + signed[position + 1 :]
        assert not is_confirmed(forged)


@given(
    page=st.fixed_dictionaries(
        {},
        optional={
            "/Contents": st.sampled_from([b"null", b"99 0 R"]),
            "/MediaBox": st.integers(1, 500).map(lambda width: b"[0 0 %d 100]" % width),
            "/Rotate": st.sampled_from([b"90", b"180"]),
            "/Resources": st.sampled_from([b"<<>>", b"<</Font<<>>>>"]),
            "/Annots": st.just(b"[<</Type/Annot/Subtype/FreeText/Rect[0 0 500 800]/DA(/Helv 9 Tf)/Contents(x)>>]"),
            "/UserUnit": st.just(b"2.0"),
        },
    ).filter(bool),
    base=st.sampled_from([unsigned, pdfs.with_xref_stream]),
    then=st.sampled_from([lambda content: content, pdfs.add_validation_data, stamp]),
)
def test_no_update_that_changes_a_page_leaves_it_confirmed(
    page: dict[str, bytes], base: Callable[[], bytes], then: Callable[[bytes], bytes]
) -> None:
    assert not is_confirmed(then(pdfs.change_page(sign(base()), page)))


def is_confirmed(content: bytes) -> bool:
    """Whether it has signatures, and all are said to be intact, with nothing added that a reader sees."""
    signatures, problem = inspect_signatures(content)
    kinds = {addition.kind for one in signatures for addition in one.additions}
    verdicts = {(one.integrity, one.is_hidden, one.changes) for one in signatures}
    confirmed = {("intact", False, changes) for changes in ("none", "explained")}
    unseen = {"validation_data", "metadata", "time_stamp"}
    return bool(signatures) and problem is None and verdicts <= confirmed and kinds <= unseen
