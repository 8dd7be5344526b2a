"""Checks the digital signatures inside a PDF (ISO 32000-2, 12.8), offline. Only this module knows pyHanko.

It takes a second or two to import: only the commands that need it do.
"""

import asyncio
import io
import logging
import os
import signal
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from multiprocessing import get_context
from operator import itemgetter
from types import FrameType
from typing import Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pyhanko.keys import load_certs_from_pemder_data
from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESIndeterminate as Problem
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.fields import SigSeedSubFilter, enumerate_sig_fields
from pyhanko.sign.validation import async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import (
    DocumentTimestampStatus,
    PdfSignatureStatus,
    SignatureCoverageLevel,
    SignatureStatus,
    TimestampSignatureStatus,
)
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleTrustManager

from tools.operate.command_line import CannotRun

SECONDS = 60.0
"""The most time for one PDF: a hostile one may have thousands of signatures or endless structures."""

State = Literal["signaturesIntact", "signaturesBroken", "signaturesUnread", "unsigned"]
"""What is found about all signatures of a PDF."""

Trust = Literal["trusted", "unknown_authority", "expired", "weak_algorithm", "not_established"]
_TRUST: dict[object, Trust] = {
    Problem.NO_CERTIFICATE_CHAIN_FOUND: "unknown_authority",
    **dict.fromkeys((Problem.EXPIRED, Problem.OUT_OF_BOUNDS_NO_POE, Problem.OUT_OF_BOUNDS_NOT_REVOKED), "expired"),
    **dict.fromkeys((Problem.CRYPTO_CONSTRAINTS_FAILURE, Problem.CRYPTO_CONSTRAINTS_FAILURE_NO_POE), "weak_algorithm"),
}
Coverage = Literal["whole_file", "whole_revision", "part"]
_COVERAGE: dict[object, Coverage] = {
    SignatureCoverageLevel.ENTIRE_FILE: "whole_file",
    SignatureCoverageLevel.ENTIRE_REVISION: "whole_revision",
}
_KINDS = {kind.value for kind in SigSeedSubFilter}
# Like other readers, accepts certificates for digital signatures without the usage "non-repudiation".
_KEY_USAGE = KeyUsageConstraints(key_usage={"non_repudiation", "digital_signature"})

# pyHanko's messages repeat texts of the PDF, which would reach the terminal.
for _name in ("pyhanko", "pyhanko_certvalidator"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


class SignaturesUnreadable(Exception):
    """The PDF can't be read far enough to say which signatures it has. The message says why."""


class _OutOfTime(BaseException):
    """No `except Exception` within pyHanko stops it."""


class PdfSignature(BaseModel):
    """One signature or document time stamp."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    field: str = Field(description="Full name of the form field that holds it.")
    kind: Literal["signature", "time_stamp"] = "signature"
    signer: str | None = Field(default=None, description="Subject of the signer's certificate.")
    issuer: str | None = Field(default=None, description="Subject of the authority that issued the certificate.")
    signed_at: datetime | None = None
    time_source: Literal["claim", "time_stamp"] | None = Field(
        default=None, description="Whether signedAt is the signer's own claim, or of a time-stamping authority."
    )
    time_authority: str | None = Field(default=None, description="Subject of the time-stamping authority.")
    time_trust: Trust | None = Field(default=None, description="Trust in the time-stamping authority.")
    is_intact: bool | None = Field(
        default=None,
        description="The covered bytes have the signed digest, and the signature and its time stamp are "
        "cryptographically valid. Null if this kind of signature can't be checked.",
    )
    trust: Trust | None = Field(
        default=None,
        description="Whether an authority that this machine trusts issued the certificate, which is valid now. "
        "Null if the signature is not intact.",
    )
    coverage: Coverage | None = None
    changes: Literal["none", "permitted", "forbidden"] | None = Field(
        default=None, description="What was added to the file after this signature."
    )
    permitted: Literal["no_changes", "fill_forms", "annotate"] | None = Field(
        default=None, description="The changes that the signature itself permits (DocMDP), if it says so."
    )
    problem: str | None = Field(default=None, description="Why it is not intact or can't be checked, if known.")

    @property
    def is_broken(self) -> bool:
        return self.is_intact is False or self.changes == "forbidden"


def inspect_signatures(content: bytes) -> list[PdfSignature]:
    """Returns the signatures of the form's fields, the oldest first. Call it in the main thread of a process only.

    A malformed signature is not intact. Fetches nothing, so revocation is not looked up. Raises SignaturesUnreadable,
    also after SECONDS.
    """
    try:
        return asyncio.run(_inspect(content))
    except _OutOfTime:
        raise SignaturesUnreadable(f"not read within {SECONDS:.0f} seconds") from None


@contextmanager
def judging() -> Iterator[Callable[[bytes], State]]:
    """Yields a function that judges all signatures of a PDF in other processes. For any thread but the main one.

    It raises CannotRun if one of the processes was killed.
    """
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:

        def judge(content: bytes) -> State:
            # The processes inherit this. Ctrl-C is for the main thread; they would print tracebacks.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                return pool.submit(_judge_signatures, content).result()
            except BrokenProcessPool as error:
                raise CannotRun("A process that checked signatures was killed. Is there enough memory?") from error

        yield judge


def _judge_signatures(content: bytes) -> State:
    try:
        signatures = inspect_signatures(content)
    except SignaturesUnreadable:
        return "signaturesUnread"
    if any(one.is_broken for one in signatures):
        return "signaturesBroken"
    if any(one.is_intact is None for one in signatures):
        return "signaturesUnread"
    return "signaturesIntact" if signatures else "unsigned"


@cache
def trusted_authorities() -> list[Any]:
    """The certificates of the authorities that this machine trusts, from OpenSSL's default file or SSL_CERT_FILE.

    Operating systems choose them for web sites; few of them issue certificates that sign documents.
    """
    context = ssl.create_default_context()
    return [one for der in context.get_ca_certs(binary_form=True) for one in load_certs_from_pemder_data(der)]


@cache
def make_trust_manager() -> SimpleTrustManager:
    return SimpleTrustManager.build(trust_roots=trusted_authorities())


async def _inspect(content: bytes) -> list[PdfSignature]:
    with _limiting_time():
        try:
            reader = PdfFileReader(io.BytesIO(content), strict=False)
            is_locked = reader.encrypted and reader.decrypt(b"").status is AuthStatus.FAILED
            # pyHanko's own list leaves out signatures of unknown kinds.
            fields = [] if is_locked else list(enumerate_sig_fields(reader, filled_status=True))
        except Exception as error:  # a hostile PDF raises anything, RecursionError too
            raise SignaturesUnreadable(f"the structure of the PDF is damaged ({type(error).__name__})") from error
        if is_locked:
            raise SignaturesUnreadable("the PDF is encrypted, and needs a password")
        found = [await _check(reader, name, field) for name, _, field in fields]
    return [signature for _, signature in sorted(found, key=itemgetter(0))]


@contextmanager
def _limiting_time() -> Iterator[None]:
    """Raises _OutOfTime after SECONDS, and again each second in case something catches it."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _OutOfTime

    handler = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, SECONDS, 1)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


async def _check(reader: PdfFileReader, name: str, field: Any) -> tuple[int, PdfSignature]:
    """Returns the revision of a signature, and what is found about it."""
    revision = 0
    try:
        embedded = EmbeddedPdfSignature(reader, field, name)
        revision = embedded.signed_revision
        kind = embedded.sig_object.get("/SubFilter")
        if kind not in _KINDS:
            return revision, PdfSignature(field=name, problem=f"signatures of the kind {kind} are not supported")
        # Each has its own context, to which the certificates that it holds are added.
        context = ValidationContext(trust_manager=make_trust_manager(), allow_fetching=False)
        if embedded.sig_object_type == "/DocTimeStamp":
            stamp = await async_validate_pdf_timestamp(embedded, context)
            return revision, _describe(embedded, stamp, stamp)
        status = await async_validate_pdf_signature(embedded, context, key_usage_settings=_KEY_USAGE)
        return revision, _describe(embedded, status, status.timestamp_validity)
    except (NotImplementedError, UnsupportedAlgorithm):
        return revision, PdfSignature(field=name, problem="its algorithm is not supported")
    except Exception as error:  # noqa: BLE001 - a hostile signature raises anything
        return revision, PdfSignature(field=name, is_intact=False, problem=f"it is malformed ({type(error).__name__})")


def _describe(
    embedded: EmbeddedPdfSignature,
    status: PdfSignatureStatus | DocumentTimestampStatus,
    stamp: TimestampSignatureStatus | None,
) -> PdfSignature:
    claim = getattr(status, "signer_reported_dt", None)
    is_forbidden = status.modification_level is ModificationLevel.OTHER or status.docmdp_ok is False
    is_unchanged = status.modification_level is ModificationLevel.NONE
    found = PdfSignature(
        field=embedded.field_name,
        kind="time_stamp" if status is stamp else "signature",
        signer=status.signing_cert.subject.human_friendly,
        issuer=status.signing_cert.issuer.human_friendly,
        signed_at=claim,
        time_source="claim" if claim else None,
        is_intact=status.intact and status.valid,
        trust=_find_trust(status),
        coverage=_COVERAGE.get(status.coverage, "part"),
        changes="forbidden" if is_forbidden else "none" if is_unchanged else "permitted",
        permitted=embedded.docmdp_level.name.lower() if embedded.docmdp_level else None,
    )
    if stamp is None:
        return found
    if not (stamp.intact and stamp.valid):
        return found.model_copy(update={"is_intact": False, "problem": "its time stamp is broken"})
    authority = stamp.signing_cert.subject.human_friendly
    time = {"signed_at": stamp.timestamp, "time_source": "time_stamp", "time_authority": authority}
    return found.model_copy(update=time | {"time_trust": _find_trust(stamp)})


def _find_trust(status: SignatureStatus) -> Trust | None:
    if not (status.intact and status.valid):
        return None
    return "trusted" if status.trusted else _TRUST.get(status.trust_problem_indic, "not_established")
