"""A time-stamping authority (RFC 3161) for `certificates archive seal --local`. No machine trusts it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "Test Time Stamps"


class TimeStampAuthority:
    """`root` is its root certificate, in PEM. It and the certificate of its signer end in so many days."""

    def __init__(
        self,
        days: float = 2000,
        extensions: Sequence[x509.ExtensionType] = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]),),
        *,
        root_days: float = 4000,
        critical: bool = True,
    ) -> None:
        now = datetime.now(UTC)
        root_key = ec.generate_private_key(ec.SECP256R1())
        self.key = rsa.generate_private_key(65537, 2048)

        def issue(name: str, days: float, *extensions: x509.ExtensionType) -> x509.Certificate:
            issuer, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("Test Root", name))
            public_key = (self.key if name == NAME else root_key).public_key()
            builder = x509.CertificateBuilder(issuer, subject, public_key, x509.random_serial_number())
            builder = builder.not_valid_before(now - timedelta(400)).not_valid_after(now + timedelta(days))
            for extension in extensions:
                builder = builder.add_extension(extension, critical)
            return builder.sign(root_key, hashes.SHA256())

        root = issue("Test Root", root_days, x509.BasicConstraints(ca=True, path_length=None))
        self.root, self.certificate = root.public_bytes(Encoding.PEM), issue(NAME, days, *extensions)

    def respond(self, query: bytes, time: datetime | None = None) -> bytes:
        """Answers a query with a time stamp of now, or another time."""
        # These take a second to import.
        from asn1crypto import keys, tsp  # noqa: PLC0415
        from asn1crypto.x509 import Certificate  # noqa: PLC0415
        from pyhanko.sign.timestamps import DummyTimeStamper  # noqa: PLC0415

        certificate = Certificate.load(self.certificate.public_bytes(Encoding.DER))
        key = keys.PrivateKeyInfo.load(self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        stamper = DummyTimeStamper(certificate, key, fixed_dt=time or datetime.now(UTC))
        return bytes(stamper.request_tsa_response(tsp.TimeStampReq.load(query)).dump())
