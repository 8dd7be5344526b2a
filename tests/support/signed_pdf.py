"""Digitally signed PDFs of each kind, and what may happen to them afterwards. Each is made once."""

import io
from datetime import UTC, datetime
from functools import cache

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

STAMPED_AT = datetime(2026, 6, 5, 11, 42, 10, tzinfo=UTC)

authority = cache(trustme.CA)


@cache
def unsigned() -> bytes:
    return certificate("req_signed")


@cache
def signer(name: str, key_type: trustme.KeyType = trustme.KeyType.ECDSA) -> signers.SimpleSigner:
    """A signer whose certificate `authority` has issued."""
    issued = authority().issue_cert(
        "signer.example", common_name=name, organization_name="Provider GmbH", key_type=key_type
    )
    chain = list(load_certs_from_pemder_data(issued.cert_chain_pems[0].bytes()))
    store = SimpleCertificateStore.from_certs(chain)  # type: ignore[no-untyped-call]
    key = load_private_key_from_pemder_data(issued.private_key_pem.bytes(), passphrase=None)
    return signers.SimpleSigner(signing_cert=chain[0], signing_key=key, cert_registry=store)


def time_stamper() -> DummyTimeStamper:
    found = signer("Time Stamper", trustme.KeyType.RSA)  # it has no other keys
    return DummyTimeStamper(found.signing_cert, found.signing_key, fixed_dt=STAMPED_AT)


@cache
def sign(
    content: bytes,
    field: str = "Seal",
    name: str = "Craftkit Seal",
    *,
    is_stamped: bool = False,
    is_final: bool = False,
) -> bytes:
    """Adds a signature; with a time stamp, or so that nothing may be added to the PDF afterwards."""
    metadata = signers.PdfSignatureMetadata(
        field_name=field, certify=is_final, docmdp_permissions=MDPPerm.NO_CHANGES if is_final else MDPPerm.FILL_FORMS
    )
    pdf_signer = signers.PdfSigner(metadata, signer(name), timestamper=time_stamper() if is_stamped else None)
    return bytes(pdf_signer.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(content))).getvalue())


@cache
def stamp(content: bytes) -> bytes:
    """Adds a document time stamp."""
    pdf_stamper = signers.PdfTimeStamper(time_stamper(), field_name="Stamp")
    return bytes(pdf_stamper.timestamp_pdf(IncrementalPdfFileWriter(io.BytesIO(content)), "sha256").getvalue())


def add_validation_data(content: bytes) -> bytes:
    """Adds what keeps signatures verifiable in the long term, which every signature allows."""
    output = io.BytesIO(content)
    signature = PdfFileReader(io.BytesIO(content)).embedded_signatures[0]
    DocumentSecurityStore.add_dss(output, signature.pkcs7_content, certs=[signer("Craftkit Seal").signing_cert])
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


def encrypt(content: bytes, password: str) -> bytes:
    writer, output = PdfWriter(PdfReader(io.BytesIO(content))), io.BytesIO()
    writer.encrypt(password, "owner", algorithm="RC4-128")
    writer.write(output)
    return output.getvalue()
