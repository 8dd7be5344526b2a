"""Question one: are the digest and the cryptographic signature right? (RFC 5652, 5.4 to 5.6; ISO 32000-2, 12.8.1)

"Broken" needs proof: other bytes than the signed ones, another digest, or a value that the signer's key did not make.
Whatever is not understood is "not determined".
"""

import io
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.hazmat.primitives.hashes import Hash
from pyhanko.pdf_utils import generic
from pyhanko.sign.general import extract_certificate_info
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.utils import extract_message_digest
from pyhanko_certvalidator.errors import AlgorithmNotSupported, DSAParametersUnavailable, PSSParameterMismatch
from pyhanko_certvalidator.sig_validate import DefaultSignatureValidator
from pyhanko_certvalidator.util import get_pyca_cryptography_hash

from operate.evidence.pdf_objects import attempt, resolve
from operate.evidence.pdf_revisions import Signature, is_cms, read_gap
from operate.evidence.record import Integrity

_CMS_KINDS = {"/adbe.pkcs7.detached", "/adbe.pkcs7.sha1", "/ETSI.CAdES.detached", "/ETSI.RFC3161"}

Verdict = tuple[Integrity, str | None]
"""With the reason, if it is not intact."""


class _NotIntact(Exception):
    """Its arguments are the verdict."""


class _Validator(DefaultSignatureValidator):
    """Distinguishes what pyHanko can't check, which it reports by subclasses of InvalidSignature."""

    def validate_signature(self, *arguments: Any, **options: Any) -> None:
        try:
            super().validate_signature(*arguments, **options)
        except (AlgorithmNotSupported, DSAParametersUnavailable, PSSParameterMismatch) as error:
            raise _NotIntact("not_determined", "its signature algorithm is not supported") from error


def check_signature(document: bytes, signature: Signature) -> Verdict:
    return _judge(_check_signature, document, signature)


def check_time_stamp(token: cms.SignedData, value: bytes) -> Verdict:
    """Checks a time stamp over the value of a signature (RFC 3161, appendix A)."""
    return _judge(_check_cms, token, value)


def _judge[**P](check: Callable[P, None], *arguments: P.args, **options: P.kwargs) -> Verdict:
    try:
        check(*arguments, **options)
    except MemoryError:
        raise
    except _NotIntact as error:
        integrity, reason = error.args
        return integrity, reason
    except Exception as error:  # noqa: BLE001 - a hostile signature raises anything
        return "not_determined", f"its structure is not understood ({type(error).__name__})"
    return "intact", None


def read_signed_data(contents: bytes) -> cms.SignedData | None:
    return cms.ContentInfo.load(contents)["content"] if is_cms(contents) else None


def read_tst_info(signed_data: cms.SignedData) -> tsp.TSTInfo | None:
    """Returns what a time-stamping authority has signed, or None if it is another kind of signature (RFC 3161)."""
    enclosed = signed_data["encap_content_info"]
    return enclosed["content"].parsed if enclosed["content_type"].native == "tst_info" else None


def _check_signature(document: bytes, signature: Signature) -> None:
    """Nothing but the signature's own value may lie between the signed ranges, whatever lengths it states."""
    byte_range = signature.byte_range
    if not byte_range or min(byte_range) < 0 or sum(byte_range[:2]) > byte_range[2]:
        raise _NotIntact("broken", "its byte range is malformed")
    if signature.end > len(document):
        raise _NotIntact("broken", "its byte range ends beyond the file")
    start, stop = sum(byte_range[:2]), byte_range[2]
    gap = read_gap(document, byte_range)
    if gap is None and not attempt(partial(_is_literal, document[start:stop], signature.contents)):
        raise _NotIntact("broken", "something else than its value lies between the signed ranges")
    if gap not in {None, signature.contents}:
        raise _NotIntact("broken", "another value lies between the signed ranges")
    signed_data = read_signed_data(signature.contents)
    if signed_data is None:
        if attempt(partial(resolve, signature.dictionary, "/SubFilter")) in _CMS_KINDS:
            raise _NotIntact("broken", "its value is not a CMS signature")
        raise _NotIntact("not_determined", "signatures of its kind are not supported")
    _check_cms(signed_data, memoryview(document)[byte_range[0] : start], memoryview(document)[stop : signature.end])
    if byte_range[0] != 0:
        raise _NotIntact("not_determined", "it does not cover the beginning of the file")
    if gap is None:
        raise _NotIntact("not_determined", "its value is not written in hexadecimal digits, as ISO 32000-2 requires")


def _is_literal(gap: bytes, contents: bytes) -> bool:
    """Whether a literal string of exactly this value, and nothing but zeros after the CMS in it, is in the gap."""
    stream = io.BytesIO(gap)
    value: Any = generic.read_object(stream, generic.Reference(0))
    exact = cms.ContentInfo.load(contents).dump()
    return not stream.read() and value.original_bytes == contents and contents.rstrip(b"\0") == exact.rstrip(b"\0")


def _check_cms(signed_data: cms.SignedData, *covered: bytes | memoryview) -> None:
    """Compares the digest first: that it differs is known even if nothing else is understood."""
    signers = list(signed_data["signer_infos"])
    if len(signers) != 1:
        raise _NotIntact("not_determined", f"it has {len(signers)} signers, not one")
    (signer,) = signers
    computed = _digest_content(signed_data, signer["digest_algorithm"]["algorithm"].native, covered)
    attributes = signer["signed_attrs"]
    if attributes is not core.VOID and extract_message_digest(signer) != computed:
        raise _NotIntact("broken", "the digest of the covered bytes is not the signed one")
    certificates = attempt(lambda: extract_certificate_info(signed_data))
    if certificates is None:
        raise _NotIntact("not_determined", "the signer's certificate is not in it")
    x509.load_der_x509_certificate(certificates.signer_cert.dump())  # asn1crypto accepts a malformed one
    kind = signed_data["encap_content_info"]["content_type"].native
    _, is_valid = validate_sig_integrity(signer, certificates.signer_cert, kind, computed, _Validator())
    encodings = [] if attributes is core.VOID else [one.dump() for one in attributes]
    if encodings != sorted(encodings):
        # RFC 5652, 5.4, asks for a digest of the DER encoding, in which they are sorted. Readers take either order.
        raise _NotIntact("not_determined", "its signed attributes are not in the order of RFC 5652")
    if not is_valid:
        raise _NotIntact("broken", "the cryptographic signature is not valid")


def _digest_content(signed_data: cms.SignedData, algorithm: str, covered: Iterable[bytes | memoryview]) -> bytes:
    """Returns the digest of the signed content, which is the covered bytes or holds a digest of them."""
    content = signed_data["encap_content_info"]["content"]
    if content is core.VOID:
        return _digest(algorithm, *covered)
    tst_info = read_tst_info(signed_data)
    if tst_info is not None:
        imprint = tst_info["message_imprint"]
        if _digest(imprint["hash_algorithm"]["algorithm"].native, *covered) != imprint["hashed_message"].native:
            raise _NotIntact("broken", "the digest of the covered bytes is not the time-stamped one")
    elif bytes(content) not in {_digest("sha1", *covered), b"".join(covered)}:
        # It may enclose the covered bytes themselves, or their SHA-1 (adbe.pkcs7.sha1: ISO 32000-1, 12.8.3.3.1).
        raise _NotIntact("broken", "it encloses other content than the covered bytes")
    return _digest(algorithm, bytes(content))


def _digest(algorithm: str, *parts: bytes | memoryview) -> bytes:
    try:
        computed = Hash(get_pyca_cryptography_hash(algorithm))
    except (AttributeError, TypeError) as error:
        raise _NotIntact("not_determined", "its digest algorithm is not supported") from error
    for part in parts:
        computed.update(part)
    return computed.finalize()
