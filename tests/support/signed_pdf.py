"""Makes digitally signed PDFs of each kind, and changes them. Each is made once."""

import io
from datetime import UTC, datetime
from functools import cache
from typing import Any

import trustme
from pyhanko.keys import load_certs_from_pemder_data, load_private_key_from_pemder_data
from pyhanko.pdf_utils.generic import StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation import DocumentSecurityStore
from pyhanko_certvalidator.registry import SimpleCertificateStore
from pypdf import PdfReader, PdfWriter

from tools.local.seeds import certificate

SEAL, FORMER, TIME_STAMPER = "Craftkit Seal", "Former Seal", "Time Stamper"
"""Signers. The certificate of FORMER has expired."""

STAMPED_AT = datetime(2026, 6, 5, 11, 42, 10, tzinfo=UTC)

authority = cache(trustme.CA)


@cache
def unsigned() -> bytes:
    return certificate("req_signed")


@cache
def signer(name: str) -> signers.SimpleSigner:
    """A signer whose certificate `authority` has issued."""
    issued = authority().issue_cert(
        "signer.example",
        common_name=name,
        organization_name="Provider GmbH",
        key_type=trustme.KeyType.RSA if name == TIME_STAMPER else trustme.KeyType.ECDSA,  # pyHanko's has no other keys
        not_after=datetime(2026, 6, 4, tzinfo=UTC) if name == FORMER else None,
    )
    chain = list(load_certs_from_pemder_data(issued.cert_chain_pems[0].bytes()))
    store = SimpleCertificateStore.from_certs(chain)  # type: ignore[no-untyped-call]
    key = load_private_key_from_pemder_data(issued.private_key_pem.bytes(), passphrase=None)
    return signers.SimpleSigner(signing_cert=chain[0], signing_key=key, cert_registry=store)


def subject(name: str) -> str:
    certificate: Any = signer(name).signing_cert
    return str(certificate.subject.human_friendly)


def issuer() -> str:
    certificate: Any = signer(SEAL).signing_cert
    return str(certificate.issuer.human_friendly)


def time_stamper() -> DummyTimeStamper:
    found = signer(TIME_STAMPER)
    return DummyTimeStamper(found.signing_cert, found.signing_key, fixed_dt=STAMPED_AT)


@cache
def sign(content: bytes, field: str = "Seal", name: str = SEAL, *, is_stamped: bool = False, **options: Any) -> bytes:
    """Adds a signature, which permits later ones."""
    metadata = signers.PdfSignatureMetadata(field, **{"md_algorithm": "sha256"} | options)
    pdf_signer = signers.PdfSigner(metadata, signer(name), timestamper=time_stamper() if is_stamped else None)
    return bytes(pdf_signer.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(content))).getvalue())


def certify(content: bytes) -> bytes:
    """Adds a signature that forbids changes."""
    return sign(content, certify=True, docmdp_permissions=MDPPerm.NO_CHANGES)


@cache
def stamp(content: bytes) -> bytes:
    """Adds a document time stamp."""
    pdf_stamper = signers.PdfTimeStamper(time_stamper(), field_name="Stamp")
    return bytes(pdf_stamper.timestamp_pdf(IncrementalPdfFileWriter(io.BytesIO(content)), "sha256").getvalue())


def add_validation_data(content: bytes) -> bytes:
    """Adds what keeps signatures verifiable in the long term, which every signature allows."""
    output = io.BytesIO(content)
    signature = PdfFileReader(io.BytesIO(content)).embedded_signatures[0]
    DocumentSecurityStore.add_dss(output, signature.pkcs7_content, certs=[signer(SEAL).signing_cert])
    return output.getvalue()


def change_page(content: bytes) -> bytes:
    """Draws over the page in an incremental update, which no signature allows."""
    writer = IncrementalPdfFileWriter(io.BytesIO(content))
    drawing = StreamObject(stream_data=b"0 0 500 500 re f")
    writer.add_stream_to_page(0, writer.add_object(drawing))  # type: ignore[no-untyped-call]
    output = io.BytesIO()
    writer.write(output)  # type: ignore[no-untyped-call]
    return output.getvalue()


def change_byte(content: bytes) -> bytes:
    """Changes one byte of the page that the first signature covers."""
    position = content.index(b"/MediaBox [0 0 595") + len(b"/MediaBox [0 0 ")
    return content[:position] + b"4" + content[position + 1 :]


def break_stamp(content: bytes) -> bytes:
    """Changes the last digit of the time stamp's own signature, which is the last value in that of the PDF."""
    start = content.index(b"/Contents <")
    last = len(content[: content.index(b">", start)].rstrip(b"0")) - 1
    return content[:last] + (b"1" if content[last : last + 1] != b"1" else b"2") + content[last + 1 :]


def assemble(*objects: bytes) -> bytes:
    """A PDF of these objects. The first is the catalogue."""
    whole, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(whole))
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, entries)
    trailer = b"trailer\n<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(whole))
    return whole + table + trailer


def encrypt(content: bytes, password: str) -> bytes:
    writer, output = PdfWriter(PdfReader(io.BytesIO(content))), io.BytesIO()
    writer.encrypt(password, "owner", algorithm="RC4-128")
    writer.write(output)
    return output.getvalue()
