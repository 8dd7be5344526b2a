"""The digital signatures of a PDF: what is found about each, and hostile PDFs."""

import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import ANY

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from tests.support import signed_pdf
from tests.support.operator import Operator, json_lines, signature_id
from tests.support.signed_pdf import (
    FORMER,
    SEAL,
    STAMPED_AT,
    TIME_STAMPER,
    assemble,
    certify,
    issuer,
    sign,
    subject,
    unsigned,
)
from tools.operate.evidence import pdf_signatures
from tools.operate.evidence.pdf_signatures import SignaturesUnreadable, inspect_signatures, trusted_authorities


def trust(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the machine trust the authorities in this file only."""
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", "none")
    monkeypatch.setattr(pdf_signatures, "trusted_authorities", cache(trusted_authorities.__wrapped__))
    monkeypatch.setattr(pdf_signatures, "make_trust_manager", cache(pdf_signatures.make_trust_manager.__wrapped__))


@pytest.fixture(autouse=True)
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine trusts the signers' authority, and no other."""
    file = tmp_path / "authorities.pem"
    file.write_bytes(signed_pdf.authority().cert_pem.bytes())
    trust(file, monkeypatch)


def found(**changes: Any) -> dict[str, Any]:
    """A signature as `sign` makes it, except for the changes."""
    return {
        "field": "Seal",
        "kind": "signature",
        "signer": subject(SEAL),
        "issuer": issuer(),
        "signed_at": ANY,
        "time_source": "claim",
        "time_authority": None,
        "time_trust": None,
        "is_intact": True,
        "trust": "trusted",
        "coverage": "whole_file",
        "changes": "none",
        "permitted": None,
        "problem": None,
    } | changes


STAMPED = {
    "signed_at": STAMPED_AT,
    "time_source": "time_stamp",
    "time_trust": "not_established",  # its certificate is not for time stamps
}


def stamped() -> dict[str, Any]:
    return STAMPED | {"time_authority": subject(TIME_STAMPER)}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (unsigned, list),
        (lambda: sign(unsigned()), lambda: [found()]),
        (lambda: sign(unsigned(), is_stamped=True), lambda: [found(**stamped())]),
        (lambda: certify(unsigned()), lambda: [found(permitted="no_changes")]),
        (
            lambda: signed_pdf.change_byte(sign(unsigned())),
            lambda: [found(is_intact=False, trust=None)],
        ),
        (
            lambda: signed_pdf.add_validation_data(sign(unsigned())),
            lambda: [found(coverage="whole_revision", changes="permitted")],
        ),
        (
            lambda: signed_pdf.change_page(sign(unsigned())),
            lambda: [found(coverage="whole_revision", changes="forbidden")],
        ),
        (
            lambda: signed_pdf.change_page(certify(unsigned())),
            lambda: [found(coverage="whole_revision", changes="forbidden", permitted="no_changes")],
        ),
        (
            lambda: sign(sign(unsigned()), "Second", "Ada Byron"),
            lambda: [
                found(coverage="whole_revision", changes="permitted"),
                found(field="Second", signer=subject("Ada Byron")),
            ],
        ),
        (
            lambda: signed_pdf.stamp(sign(unsigned())),
            lambda: [
                found(coverage="whole_revision", changes="permitted"),
                found(field="Stamp", kind="time_stamp", signer=subject(TIME_STAMPER), trust="not_established")
                | stamped(),
            ],
        ),
        (lambda: sign(unsigned()) + b"\n", lambda: [found(coverage="whole_revision")]),
        (lambda: sign(unsigned(), md_algorithm="sha1"), lambda: [found(trust="weak_algorithm")]),
    ],
    ids=[
        *("unsigned", "signed", "with a time stamp", "final", "altered", "permitted addition", "forbidden change"),
        *("change of a final one", "two signatures", "document time stamp", "bytes after the end", "weak digest"),
    ],
)
def test_each_signature_is_described(make: Callable[[], bytes], expected: Callable[[], list[dict[str, Any]]]) -> None:
    assert [one.model_dump() for one in inspect_signatures(make())] == expected()


def test_a_signature_by_an_authority_that_is_not_trusted_is_intact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(tmp_path / "none", monkeypatch)
    assert pdf_signatures.trusted_authorities() == []
    assert [one.model_dump() for one in inspect_signatures(sign(unsigned()))] == [found(trust="unknown_authority")]


def test_a_signature_with_a_certificate_that_has_expired_is_intact() -> None:
    (one,) = inspect_signatures(sign(unsigned(), name=FORMER))
    assert (one.is_intact, one.trust, one.is_broken) == (True, "expired", False)


def test_a_signature_of_an_unknown_kind_is_neither_intact_nor_broken() -> None:
    old = sign(unsigned()).replace(b"/adbe.pkcs7.detached", b"/adbe.x509.rsa_sha1 ")
    (one,) = inspect_signatures(old)
    assert (one.is_intact, one.is_broken) == (None, False)
    assert one.problem == "signatures of the kind /adbe.x509.rsa_sha1 are not supported"


def test_a_signature_whose_time_stamp_is_broken_is_broken() -> None:
    (one,) = inspect_signatures(signed_pdf.break_stamp(sign(unsigned(), is_stamped=True)))
    assert one.model_dump() == found(is_intact=False, problem="its time stamp is broken")


def test_a_signature_with_an_unknown_algorithm_is_neither_intact_nor_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise UnsupportedAlgorithm("")

    monkeypatch.setattr(pdf_signatures, "async_validate_pdf_signature", fail)
    (one,) = inspect_signatures(sign(unsigned()))
    assert (one.is_intact, one.is_broken, one.problem) == (None, False, "its algorithm is not supported")


# ── hostile PDFs ─────────────────────────────────────────────────────────────────────────────────────────────────────

PAGES = b"<</Type/Pages/Kids[]/Count 0>>"
SIGNATURE = b"<</Type/Sig/SubFilter/adbe.pkcs7.detached/ByteRange[0 1 2 3]/Contents<00>>>"


def form(*objects: bytes, fields: bytes = b"[3 0 R]") -> bytes:
    """A PDF whose form has these fields, which refer to objects from number 3 on."""
    return assemble(b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields %s>>>>" % fields, PAGES, *objects)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"%PDF-1.7",
        unsigned()[:1000],
        unsigned().replace(b"startxref\n", b"startxref\n9"),
        form(fields=b"[" * 100_000),
        form(b"<</FT/Sig/T(a)/Kids[3 0 R]>>"),
        form(b"3 0 R"),
        form().replace(b"/Size", b"/Prev %d/Size" % form().index(b"xref\n0")),
        signed_pdf.encrypt(unsigned(), "secret"),
    ],
    ids=[
        *("empty", "header", "cut", "no cross-references", "deep array", "field within itself", "endless reference"),
        *("endless revisions", "encrypted"),
    ],
)
def test_a_pdf_that_can_not_be_read_is_neither_signed_nor_unsigned(content: bytes) -> None:
    with pytest.raises(SignaturesUnreadable) as caught:
        inspect_signatures(content)
    assert str(caught.value).startswith(("the structure of the PDF is damaged (", "the PDF is encrypted, and needs a "))


@pytest.mark.parametrize(
    "content",
    [form(b"<</FT/Sig/T(a)/V 4 0 R>>", SIGNATURE), form(b"<</FT/Sig/T(a)/V 3 0 R/SubFilter/ETSI.CAdES.detached>>")],
)
def test_a_signature_that_is_malformed_is_broken(content: bytes) -> None:
    (one,) = inspect_signatures(content)
    assert (one.field, one.is_intact, one.is_broken) == ("a", False, True)
    assert (one.problem or "").startswith("it is malformed (")


def test_a_pdf_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    content = sign(unsigned())
    monkeypatch.setattr(pdf_signatures, "SECONDS", 1e-6)
    for _ in range(100):  # the signal comes at another instruction each time
        with pytest.raises(SignaturesUnreadable, match="not read within 0 seconds"):
            inspect_signatures(content)
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    monkeypatch.undo()
    assert len(inspect_signatures(content)) == 1


def test_nothing_about_a_hostile_pdf_is_written_to_the_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # without pytest's, Python writes warnings itself
    inspect_signatures(form(b"<</FT/Sig/T(a)/V 4 0 R>>", SIGNATURE.replace(b"adbe.pkcs7.detached", b"#1b[2J")))
    inspect_signatures(sign(unsigned(), md_algorithm="sha1"))
    assert capfd.readouterr() == ("", "")


# ── archive verify --signatures ──────────────────────────────────────────────────────────────────────────────────────


class ObservedPool(ProcessPoolExecutor):
    """Notes which signals its processes block."""

    blocked: ClassVar[list[int]] = []

    def shutdown(self, *arguments: Any, **options: Any) -> None:
        for pid in self._processes or ():
            status = Path(f"/proc/{pid}/status").read_text()
            self.blocked.append(int(status.partition("SigBlk:")[2].split()[0], 16))
        super().shutdown(*arguments, **options)


def test_verify_counts_certificates_by_their_signatures(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # each process takes a second of CPU to start
    monkeypatch.setattr(pdf_signatures, "ProcessPoolExecutor", ObservedPool)
    contents = {
        1: sign(unsigned()),
        2: signed_pdf.change_byte(sign(unsigned())),
        3: signed_pdf.change_page(sign(unsigned())),
        4: unsigned(),
        5: signed_pdf.encrypt(unsigned(), "secret"),
        6: b"no PDF",
    }
    for number, content in contents.items():
        operate.seed(number)
        operate.archive(number, content)
    result = operate("archive", "verify", "--signatures", "--json")
    *findings, numbers = json_lines(result.stdout)
    problems = {2: "broken_signature", 3: "broken_signature", 5: "signatures_unread", 6: "not_a_pdf"}
    assert sorted(findings, key=lambda finding: str(finding["signatureRequestId"])) == [
        {"problem": problem, "signatureRequestId": signature_id(number), "projectId": "prj_1"}
        for number, problem in problems.items()
    ]
    counts = {"scanned": 6, "available": 6, "intact": 3, "missing": 0, "damaged": 3, "altered": 0, "broken": 0}
    states = {"signaturesIntact": 1, "signaturesBroken": 2, "signaturesUnread": 1, "unsigned": 1}
    assert (result.exit_code, result.stderr, numbers) == (1, "", counts | states | {"seconds": ANY})
    # Ctrl-C reaches all processes of a terminal, and these would print tracebacks.
    assert [mask >> (signal.SIGINT - 1) & 1 for mask in ObservedPool.blocked] == [1]


def test_a_certificate_whose_signatures_can_not_be_read_is_not_damaged(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf_signatures, "judging", lambda: nullcontext(lambda _: "signaturesUnread"))
    operate.seed(1)
    operate.archive(1)
    result = operate("archive", "verify", "--signatures")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"problem=signatures_unread  signatureRequestId={signature_id(1)}  projectId=prj_1\n" in result.stdout


def test_a_process_that_is_killed_ends_the_command(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    def submit(*_: object) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(pdf_signatures, "ProcessPoolExecutor", lambda *_: nullcontext(SimpleNamespace(submit=submit)))
    operate.seed(1)
    operate.archive(1)
    result = operate("archive", "verify", "--signatures")
    message = "Error: A process that checked signatures was killed. Is there enough memory?\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)
