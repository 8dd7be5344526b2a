"""Question one: are the digest and the cryptographic signature right? (RFC 5652, 5.4 to 5.6; ISO 32000-2, 12.8.1)

"Broken" needs proof: other bytes than the signed ones, another digest, or a value that the signer's key did not make.
Whatever is not understood is "not determined".
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from asn1crypto import algos, cms, core, tsp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pyhanko.pdf_utils import generic
from pyhanko_certvalidator.sig_validate import DefaultSignatureValidator, SignatureValidationContext

from operate.evidence.digital_signature import Integrity
from operate.evidence.pdf_objects import attempt
from operate.evidence.pdf_revisions import SignatureField, is_cms, read_gap

_BITS = (224, 256, 384, 512)
# BSI TR-03111, 5.2.1.1: r and s as numbers of equal length, not in DER.
_PLAIN_ECDSA = {f"0.4.0.127.0.7.1.1.4.1.{number}": f"SHA{bits}" for number, bits in enumerate(_BITS, 2)}
# RSA (PKCS #1 v1.5) with SHA-3, as NIST has registered it.
_SHA3_RSA = {f"2.16.840.1.101.3.4.3.{number}": f"sha3_{bits}" for number, bits in enumerate(_BITS, 13)}
_CMS_KINDS = {"/adbe.pkcs7.detached", "/adbe.pkcs7.sha1", "/ETSI.CAdES.detached", "/ETSI.RFC3161"}

Digest = Callable[[str], bytes]
"""Takes hashlib's name of an algorithm and returns the digest of what is signed."""


@dataclass(frozen=True)
class Verdict:
    """`reason` is None if it is intact."""

    integrity: Integrity
    reason: str | None = None


class _Broken(Exception):
    """The message says why."""


class _Undetermined(Exception):
    """The message says why."""


def check_signature(document: bytes, signature: SignatureField) -> Verdict:
    """Compares what a signature of this document says with the bytes that it covers."""
    return _judge(partial(_check_signature, document, signature))


def check_time_stamp(token: cms.SignedData, value: bytes) -> Verdict:
    """Checks a time stamp over the value of a signature (RFC 3161, appendix A)."""
    return _judge(partial(_check_cms, token, lambda algorithm: _compute(algorithm, value)))


def _judge(check: Callable[[], None]) -> Verdict:
    try:
        check()
    except MemoryError:
        raise
    except _Broken as error:
        return Verdict("broken", str(error))
    except _Undetermined as error:
        return Verdict("not_determined", str(error))
    except Exception as error:  # noqa: BLE001 - a hostile signature raises anything
        return Verdict("not_determined", f"its structure is not understood ({type(error).__name__})")
    return Verdict("intact")


def read_signed_data(contents: bytes) -> cms.SignedData | None:
    return cms.ContentInfo.load(contents)["content"] if is_cms(contents) else None


def read_tst_info(signed_data: cms.SignedData) -> tsp.TSTInfo | None:
    """Returns what a time-stamping authority has signed, or None if it is another kind of signature (RFC 3161)."""
    enclosed = signed_data["encap_content_info"]
    return enclosed["content"].parsed if enclosed["content_type"].native == "tst_info" else None


def find_signer(signed_data: cms.SignedData) -> Any:
    """Returns the certificate that the only signer names, or None if the signature does not hold it."""
    (signer,) = signed_data["signer_infos"]
    wanted = signer["sid"].chosen
    for one in signed_data["certificates"]:
        certificate = one.chosen
        if one.name != "certificate":
            continue
        if isinstance(wanted, cms.IssuerAndSerialNumber):
            if (certificate.serial_number, certificate.issuer) == (wanted["serial_number"].native, wanted["issuer"]):
                return certificate
        elif certificate.key_identifier == wanted.native:
            return certificate
    return None


def _check_signature(document: bytes, signature: SignatureField) -> None:
    is_hexadecimal = _check_range(document, signature)
    signed_data = read_signed_data(signature.contents)
    if signed_data is None:
        if signature.sub_filter in _CMS_KINDS:
            raise _Broken("its value is not a CMS signature")
        raise _Undetermined("signatures of its kind are not supported")
    first, length, second, second_length = signature.byte_range or ()
    covered = [memoryview(document)[first : first + length], memoryview(document)[second : second + second_length]]
    _check_cms(signed_data, lambda algorithm: _compute(algorithm, *covered))
    if first != 0:
        raise _Undetermined("it does not cover the beginning of the file")
    if not is_hexadecimal:
        raise _Undetermined("its value is not written in hexadecimal digits, as ISO 32000-2 requires")


def _check_range(document: bytes, signature: SignatureField) -> bool:
    """Checks that nothing but the signature's own value lies between the signed ranges, whatever lengths it states.

    Returns whether the value is written in hexadecimal digits, which can hold nothing else.
    """
    byte_range = signature.byte_range
    if byte_range is None or len(byte_range) != 4 or min(byte_range) < 0 or sum(byte_range[:2]) > byte_range[2]:
        raise _Broken("its byte range is malformed")
    if byte_range[2] + byte_range[3] > len(document):
        raise _Broken("its byte range ends beyond the file")
    gap = read_gap(document, byte_range)
    if gap is None:
        if not attempt(partial(_is_literal, document[byte_range[1] : byte_range[2]], signature.contents)):
            raise _Broken("something else than its value lies between the signed ranges")
        return False
    if gap != signature.contents:
        raise _Broken("another value lies between the signed ranges")
    return True


def _is_literal(gap: bytes, contents: bytes) -> bool:
    """Whether a literal string of exactly this value, and nothing but zeros behind the CMS in it, is in the gap."""
    stream = io.BytesIO(gap)
    value: Any = generic.read_object(stream, generic.Reference(0))
    exact = cms.ContentInfo.load(contents).dump()
    return not stream.read() and value.original_bytes == contents and contents.rstrip(b"\0") == exact.rstrip(b"\0")


def _check_cms(signed_data: cms.SignedData, digest: Digest) -> None:
    signers = list(signed_data["signer_infos"])
    if len(signers) != 1:
        raise _Undetermined(f"it has {len(signers)} signers, not one")
    (signer,) = signers
    computed = _compute_content_digest(signed_data, digest, _name_digest(signer["digest_algorithm"]))
    attributes = signer["signed_attrs"]
    has_attributes = attributes is not core.VOID and len(attributes) > 0
    signed = computed
    if has_attributes:
        _check_attributes(attributes, computed, signed_data["encap_content_info"]["content_type"].native)
        signed = attributes.untag().dump()
    certificate = find_signer(signed_data)
    if certificate is None:
        raise _Undetermined("the signer's certificate is not in it")
    algorithms = (None, _name_digest(signer["digest_algorithm"]))
    if not any(_verify(certificate, signer, signed, one, is_digest=not has_attributes) for one in algorithms):
        raise _Broken("the cryptographic signature is not valid")
    encodings = [one.dump() for one in attributes] if has_attributes else []
    if encodings != sorted(encodings):
        # Readers accept it; RFC 5652, 5.4, asks for a digest of the DER encoding, in which they are sorted.
        raise _Undetermined("it is valid, but its attributes are not in the order in which RFC 5652 has them signed")


def _check_attributes(attributes: cms.CMSAttributes, computed: bytes, content_type: str) -> None:
    stated = _find(attributes, "message_digest")
    if len(stated) != 1:
        raise _Undetermined("it does not state one digest")
    if stated[0] != computed:
        raise _Broken("the digest of the covered bytes is not the signed one")
    if _find(attributes, "content_type") != [content_type]:
        raise _Undetermined("its signed attributes do not name the type of its content")


def _compute_content_digest(signed_data: cms.SignedData, digest: Digest, algorithm: str) -> bytes:
    """Returns the digest of the signed content, which is the covered bytes or holds a digest of them."""
    content = signed_data["encap_content_info"]["content"]
    if content is core.VOID:
        return digest(algorithm)
    tst_info = read_tst_info(signed_data)
    if tst_info is not None:
        imprint = tst_info["message_imprint"]
        if digest(_name_digest(imprint["hash_algorithm"])) != imprint["hashed_message"].native:
            raise _Broken("the digest of the covered bytes is not the time-stamped one")
    elif bytes(content) != digest("sha1") and _compute("sha256", bytes(content)) != digest("sha256"):
        # It may enclose the covered bytes themselves, or their SHA-1 (adbe.pkcs7.sha1: ISO 32000-1, 12.8.3.3.1).
        raise _Broken("it encloses other content than the covered bytes")
    return _compute(algorithm, bytes(content))


def _verify(
    certificate: Any, signer: cms.SignerInfo, content: bytes, algorithm: str | None, *, is_digest: bool
) -> bool:
    """Verifies with the digest algorithm that the signature algorithm names, or with another one."""
    try:
        x509.load_der_x509_certificate(certificate.dump())
        _verify_value(certificate.public_key, signer, content, algorithm, is_digest=is_digest)
    except InvalidSignature:
        return False
    except MemoryError:
        raise
    except Exception as error:
        raise _Undetermined("its signature algorithm is not supported, or its certificate is malformed") from error
    return True


def _verify_value(key: Any, signer: cms.SignerInfo, content: bytes, algorithm: str | None, *, is_digest: bool) -> None:
    """Raises InvalidSignature, and anything if it does not know how."""
    value, identifier = signer["signature"].native, signer["signature_algorithm"]
    oid, name = identifier["algorithm"].dotted, identifier["algorithm"].native
    if oid in _PLAIN_ECDSA:
        half = len(value) // 2
        r, s = (int.from_bytes(number) for number in (value[:half], value[half:]))
        public: Any = serialization.load_der_public_key(key.dump())
        public.verify(encode_dss_signature(r, s), content, ec.ECDSA(getattr(hashes, _PLAIN_ECDSA[oid])()))
        return
    if oid in _SHA3_RSA:
        algorithm, family = _SHA3_RSA[oid], "rsassa_pkcs1v15"
    else:
        family = identifier.signature_algo
    if algorithm and name != "rsassa_pss":
        identifier = algos.SignedDigestAlgorithm({"algorithm": family})
    context = SignatureValidationContext(
        contextual_md_algorithm=algorithm or _name_digest(signer["digest_algorithm"]), prehashed=is_digest
    )
    DefaultSignatureValidator().validate_signature(value, content, key, identifier, context)


def _name_digest(identifier: Any) -> str:
    """Returns hashlib's name."""
    name = str(identifier["algorithm"].native)
    name = "shake_256" if name.startswith("shake256") else name
    if name not in hashlib.algorithms_available:
        raise _Undetermined("its digest algorithm is not supported")
    return name


def _compute(algorithm: str, *parts: bytes | memoryview) -> bytes:
    computed: Any = hashlib.new(algorithm)
    for part in parts:
        computed.update(part)
    # SHAKE256 in CMS has 512 bits (RFC 8702, 3.1).
    return bytes(computed.digest(64) if algorithm == "shake_256" else computed.digest())


def _find(attributes: Any, name: str) -> list[Any]:
    return [value.native for one in attributes if one["type"].native == name for value in one["values"]]
