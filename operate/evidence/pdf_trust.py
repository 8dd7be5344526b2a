"""Question three: who signed, and when? (RFC 5280, 6; RFC 9336)"""

import asyncio
import ssl
from functools import cache

from asn1crypto import cms, x509
from pyhanko.keys import load_certs_from_pemder_data
from pyhanko.sign.general import SignedDataCerts
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import DisallowedAlgorithmError, ExpiredError, NotYetValidError, PathBuildingError
from pyhanko_certvalidator.registry import SimpleTrustManager

from operate.evidence.record import Trust

# The purpose of RFC 9336, and those that readers accept: Adobe's, Microsoft's and e-mail protection.
_DOCUMENTS = {
    *("1.3.6.1.5.5.7.3.36", "adobe_authentic_documents_trust", "1.2.840.113583.1.1.5", "microsoft_document_signing"),
    *("1.3.6.1.4.1.311.10.3.12", "email_protection", "any_extended_key_usage"),
}
_WEAK = {"md2", "md5", "sha1"}


def trusted_authorities() -> list[x509.Certificate]:
    """The authorities that this machine trusts, from OpenSSL's default file or SSL_CERT_FILE.

    Operating systems choose them for web sites; few of them issue certificates that sign documents.
    """
    authorities = ssl.create_default_context().get_ca_certs(binary_form=True)
    return [one for der in authorities for one in load_certs_from_pemder_data(der)]


@cache
def make_trust_manager() -> SimpleTrustManager:
    return SimpleTrustManager.build(trust_roots=trusted_authorities())


def find_trust(signed_data: cms.SignedData, certificates: SignedDataCerts) -> Trust:
    """Says whether an authority that this machine trusts issued the certificate, which is valid now, and for what.

    Fetches nothing, so revocation is not looked up. Raises anything for a hostile certificate.
    """
    (signer,) = signed_data["signer_infos"]
    enclosed = signed_data["encap_content_info"]
    is_time_stamp = enclosed["content_type"].native == "tst_info"
    used = {signer["digest_algorithm"]["algorithm"].native}
    if is_time_stamp:
        used.add(enclosed["content"].parsed["message_imprint"]["hash_algorithm"]["algorithm"].native)
    if used & _WEAK or len(enclosed["content"].native or b"") == 20:  # SHA-1 (adbe.pkcs7.sha1)
        return "weak_algorithm"
    # Each has its own context, to which the certificates that it holds are added.
    context = ValidationContext(trust_manager=make_trust_manager(), allow_fetching=False)
    validator = CertificateValidator(certificates.signer_cert, certificates.other_certs, context)
    try:
        asyncio.run(validator.async_validate_path())
    except PathBuildingError:
        return "unknown_authority"
    except (ExpiredError, NotYetValidError):
        return "expired"
    except DisallowedAlgorithmError:
        return "weak_algorithm"
    return _find_purpose(certificates.signer_cert, {"time_stamping"} if is_time_stamp else _DOCUMENTS)


def _find_purpose(certificate: x509.Certificate, wanted: set[str]) -> Trust:
    extended, usage = certificate.extended_key_usage_value, certificate.key_usage_value
    purposes = set(extended.native) if extended is not None else _DOCUMENTS
    if usage is not None and not usage.native & {"digital_signature", "non_repudiation"}:
        return "other_purpose"
    if purposes & wanted:
        return "trusted"
    return "web_site_only" if "server_auth" in purposes else "other_purpose"
