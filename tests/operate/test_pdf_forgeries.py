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
from tests.support.forged_pdf import OTHER, append_stream, simple, update
from tests.support.pdf_signatures import OTHER_DIGEST, SOMETHING_ELSE, found, inspect, make_trusted  # noqa: F401
from tests.support.signed_pdf import append, change_byte, sign, stamp, unsigned


@pytest.mark.parametrize(
    ("forge", "reason"),
    [(forged_pdf.pad_value, "another value lies between the signed ranges"), (forged_pdf.wrap, SOMETHING_ELSE)],
)
def test_lengths_that_the_file_states_prove_nothing(forge: Callable[[bytes], bytes], reason: str) -> None:
    forged = forge(pdfs.certify(unsigned()))
    shown = next(one for one in inspect(forged) if not one.is_hidden)
    assert (shown.integrity, shown.integrity_reason, shown.changes) == ("broken", reason, "not_determined")
    assert judge_signatures(forged) == "signaturesBroken"


DELETED = "readers may not agree on whether an object was deleted"
ELSEWHERE = "a cross-reference leads to something else"
FOLLOWED = "something follows the last end of the PDF"
REPEATED = "a dictionary has two values for a key"
TABLE = "a cross-reference table is malformed"
PACKED = "an object stream is malformed"
UNLISTED = "it has objects that no cross-reference table lists"
PAGE = pdfs.write_dictionary(pdfs.read_entries(pdfs.read(simple()).root["/Pages"]["/Kids"][0]))
SHADOW = b"2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (update(objects={3: PAGE[:-2] + b"/MediaBox[0 0 9 9]>>"}), REPEATED),
        (update(trailer=b"/Root 1 0 R"), REPEATED),
        (update(b"00001 f", b"00002 f", free=[3]), DELETED),
        (update(b"00001 f", b"00000 f", free=[3]), DELETED),
        (
            update(b"00000 n", b"00001 n", {3: OTHER}).replace(b"\n3 0 obj\n%s" % OTHER, b"\n3 1 obj\n%s" % OTHER),
            DELETED,
        ),
        (update(b"%%EOF\n", b"", {3: OTHER}), FOLLOWED),
        (simple() + b"<!-- generated in 0.2 s -->", FOLLOWED),
        (update(b"3 1\n", b"9 1\n", {3: OTHER}), ELSEWHERE),
        (update(b"obj\n<<", b"abc\n<<", {3: PAGE}), ELSEWHERE),
        (update(b"0 1\n0000000000 65535 f", b"0 1\n0000000000 65535 f \n0 1\n0000000000 65535 f"), TABLE),
        (update(b"/Root", b"/Boot"), "its trailer is malformed"),
        (append(simple(SHADOW), {}), UNLISTED),
        (simple(SHADOW) + b"\0" * 1100, UNLISTED),
        (append(simple() + SHADOW.replace(b" ", b" %\n", 2), {}), UNLISTED),
        (append_stream(b"3 0 4 0 " + PAGE, {3: b"\2\0\x14\1"}), PACKED),
        (append_stream(b"3 0 3 0 " + PAGE, {3: b"\2\0\x14\0"}), PACKED),
        (append_stream(b"9 0 " + OTHER, {3: b"\0\0\0\2"}), DELETED),
    ],
)
def test_what_readers_may_read_in_another_way_is_not_explained(content: bytes, reason: str) -> None:
    (one,) = inspect(content)
    assert (one.integrity, one.changes, one.changes_reason) == ("intact", "not_explained", reason)


@pytest.mark.parametrize("is_hybrid", [True, False])
def test_an_update_by_a_cross_reference_stream_changes_nothing(*, is_hybrid: bool) -> None:
    (one,) = inspect(append_stream(b"3 0 " + PAGE, {3: b"\2\0\x14\0"}, is_hybrid=is_hybrid))
    assert (one.changes, one.coverage) == ("none", "whole_revision")


def test_rows_that_pyhanko_decodes_wrongly_are_not_read() -> None:
    (one,) = inspect(append_stream(b"3 0 " + OTHER, {3: b"\2\0\x14\0"}, kind=0))
    assert (one.changes, one.changes_reason) == ("not_determined", "the last revision of the PDF can't be read")


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
    signatures = inspect(forged_pdf.share_value(sign(unsigned())))
    assert [(one.field, one.integrity, one.integrity_reason) for one in signatures] == [
        ("Seal", "intact", None),
        ("Chairman", "not_determined", "it was made for another form field"),
    ]


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
