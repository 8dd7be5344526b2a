"""Makes digitally signed PDFs of each kind, and changes them. Each is made once."""

import asyncio
import hashlib
import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from asn1crypto import cms, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.crypt.pubkey import RecipientEncryptionPolicy
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pyhanko.sign import signers
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm, SigFieldSpec
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation import DocumentSecurityStore
from pyhanko_certvalidator.registry import SimpleCertificateStore

from develop.local.seeds import certificate

SEAL, FORMER, WEB_SITE, TIME_STAMPER = "Craftkit Seal", "Former Seal", "www.example.com", "Time Stamper"
"""Signers. The certificate of FORMER has expired, and that of WEB_SITE is for a web site only."""
AUTHORITY = "Craftkit Authority"

STAMPED_AT = datetime(2026, 6, 5, 11, 42, 10, tzinfo=UTC)

USAGE_RIGHTS = b"/Type/Sig/SubFilter/adbe.pkcs7.detached/Reference[<</TransformMethod/UR3>>]"
OTHER_PAGE = {"/MediaBox": b"[0 0 100 100]"}
_PURPOSES = {WEB_SITE: ExtendedKeyUsageOID.SERVER_AUTH, TIME_STAMPER: ExtendedKeyUsageOID.TIME_STAMPING}
_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")


# ── authorities and signers ──────────────────────────────────────────────────────────────────────────────────────────


@cache
def _make_key(name: str) -> Any:
    # pyHanko's test authority for time stamps has RSA keys only.
    is_stamper = name in {TIME_STAMPER, FORMER}
    return rsa.generate_private_key(65537, 2048) if is_stamper else ec.generate_private_key(ec.SECP256R1())


def _issue(name: str, until: datetime, extension: x509.ExtensionType) -> x509.Certificate:
    subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, AUTHORITY))
    builder = x509.CertificateBuilder(issuer, subject, _make_key(name).public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC)).not_valid_after(until)
    return builder.add_extension(extension, critical=name == AUTHORITY).sign(_make_key(AUTHORITY), hashes.SHA256())


@cache
def authority() -> bytes:
    """The certificate of the authority that has issued those of all signers, in PEM."""
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return _issue(AUTHORITY, datetime.now(UTC) + timedelta(1000), constraints).public_bytes(serialization.Encoding.PEM)


@cache
def signer(name: str) -> signers.SimpleSigner:
    until = datetime(2026, 6, 4, tzinfo=UTC) if name == FORMER else datetime.now(UTC) + timedelta(900)
    issued = _issue(name, until, x509.ExtendedKeyUsage([_PURPOSES.get(name, _DOCUMENT_SIGNING)]))
    der, plain = serialization.Encoding.DER, serialization.NoEncryption()
    key = keys.PrivateKeyInfo.load(_make_key(name).private_bytes(der, serialization.PrivateFormat.PKCS8, plain))
    loaded = asn1_x509.Certificate.load(issued.public_bytes(der))
    store = SimpleCertificateStore.from_certs([loaded])  # type: ignore[no-untyped-call]
    return signers.SimpleSigner(signing_cert=loaded, signing_key=key, cert_registry=store)


def subject(name: str) -> str:
    return f"Common Name: {name}"


ISSUER = subject(AUTHORITY)


def time_stamper(name: str = TIME_STAMPER) -> DummyTimeStamper:
    found = signer(name)
    return DummyTimeStamper(found.signing_cert, found.signing_key, fixed_dt=STAMPED_AT)


# ── signing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def unsigned() -> bytes:
    return certificate("req_signed")


@cache
def with_xref_stream() -> bytes:
    """The same with a cross-reference stream, and most objects in object streams."""
    output = io.BytesIO()
    copy_into_new_writer(read(unsigned())).write(output)  # type: ignore[no-untyped-call]
    return output.getvalue()


@cache
def sign(content: bytes, field: str = "Seal", name: str = SEAL, *, stamper: str = "", **options: Any) -> bytes:
    """Adds a signature, which permits later ones. `stamper` makes a time stamp. With a `box`, it shows something on the
    page. `lock` is an action and the names of form fields. Other options are pyHanko's."""
    box, lock = options.pop("box", None), options.pop("lock", ())
    metadata = signers.PdfSignatureMetadata(field, **{"md_algorithm": "sha256"} | options)
    locked = FieldMDPSpec(lock[0], list(lock[1:])) if lock else None
    spec = SigFieldSpec(field, box=box, field_mdp_spec=locked) if box or lock else None
    stamps = time_stamper(stamper) if stamper else None
    pdf_signer = signers.PdfSigner(metadata, signer(name), timestamper=stamps, new_field_spec=spec)
    writer = IncrementalPdfFileWriter(io.BytesIO(content), strict=False)
    if writer.prev.encrypted:
        writer.encrypt("")  # type: ignore[no-untyped-call]
    return bytes(pdf_signer.sign_pdf(writer).getvalue())


def certify(content: bytes) -> bytes:
    """Adds a signature that permits no later change."""
    return sign(content, certify=True, docmdp_permissions=MDPPerm.NO_CHANGES)


@cache
def stamp(content: bytes) -> bytes:
    pdf_stamper = signers.PdfTimeStamper(time_stamper(), field_name="Stamp")
    return bytes(pdf_stamper.timestamp_pdf(IncrementalPdfFileWriter(io.BytesIO(content)), "sha256").getvalue())


def sign_bytes(covered: bytes) -> bytes:
    return bytes(asyncio.run(signer(SEAL).async_sign(hashlib.sha256(covered).digest(), "sha256")).dump())


def stamp_bytes(covered: bytes) -> bytes:
    return bytes(asyncio.run(time_stamper().async_timestamp(hashlib.sha256(covered).digest(), "sha256")).dump())


def enclose_sha1(covered: bytes) -> bytes:
    """Signs the SHA-1 of the covered bytes with SHA-256."""
    return _enclose(SEAL, hashlib.sha1(covered, usedforsecurity=False).digest())


def stamp_sha1(covered: bytes) -> bytes:
    """Makes a time stamp with SHA-256 over the SHA-1 of the covered bytes."""
    info = cms.ContentInfo.load(stamp_bytes(covered))["content"]["encap_content_info"]["content"].parsed
    info["message_imprint"]["hash_algorithm"]["algorithm"] = "sha1"
    info["message_imprint"]["hashed_message"] = hashlib.sha1(covered, usedforsecurity=False).digest()
    content = cms.ParsableOctetString(info.dump(force=True))
    return _enclose(TIME_STAMPER, cms.EncapsulatedContentInfo({"content_type": "tst_info", "content": content}))


def _enclose(name: str, content: Any) -> bytes:
    made = signer(name).async_sign_general_data(content, "sha256", detached=False)
    return bytes(asyncio.run(made).dump())


def sign_by_hand(
    content: bytes,
    *,
    entries: bytes = b"/Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached",
    delimiters: bytes = b"<>",
    edges: tuple[int, int] = (0, 0),
    make_cms: Callable[[bytes], bytes] = sign_bytes,
) -> bytes:
    """Adds a signature with these entries in its dictionary, in a form field unless it gives usage rights.

    `edges` are the first byte that it covers, and the bytes of each delimiter. `make_cms` gets what is covered.
    """
    value, size, (first, included) = next_number(content), 20_000, edges
    placeholder = delimiters[:1] + b"0" * size + delimiters[1:]
    dictionary = b"<<%s/ByteRange[%d %s]/Contents %s>>" % (entries, first, b" ".join([b"0" * 10] * 3), placeholder)
    field = b"<</FT/Sig/T(Seal)/V %d 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132>>" % value
    root = replace_entry(content, "/AcroForm", b"<</Fields[%d 0 R]/SigFlags 3>>" % (value + 1))
    if entries == USAGE_RIGHTS:
        root = replace_entry(content, "/Perms", b"<</UR3 %d 0 R>>" % value)
    whole = append(content, {value: dictionary, value + 1: field} | root)
    start = whole.rindex(placeholder) + included
    stop = start + len(placeholder) - 2 * included
    numbers = b"%010d %010d %010d" % (start - first, stop, len(whole) - stop)
    whole = whole.replace(b" ".join([b"0" * 10] * 3), numbers)
    made = make_cms(whole[first:start] + whole[stop:])
    if delimiters == b"<>":
        return whole.replace(b"0" * size, made.hex().encode().ljust(size, b"0"))
    literal = b"".join(b"\\%03o" % byte for byte in made)
    return whole.replace(b"0" * size, literal + b"\\000" * ((size - len(literal)) // 4))


# ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def append(content: bytes, objects: dict[int, bytes], free: Iterable[int] = (), trailer: bytes = b"") -> bytes:
    """Appends a revision with these objects by their numbers, and a cross-reference table."""
    reader = read(content)
    whole, entries = content + b"\n", []
    for number, text in sorted(objects.items()):
        entries.append(b"%d 1\n%010d 00000 n \n" % (number, len(whole)))
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    entries += [b"%d 1\n0000000000 00001 f \n" % number for number in free]
    root, last = reader.root_ref.idnum, max([next_number(content) - 1, *objects])
    return (
        b"%sxref\n0 1\n0000000000 65535 f \n%strailer\n<</Root %d 0 R/Size %d/Prev %d%s>>\nstartxref\n%d\n%%%%EOF\n"
        % (*(whole, b"".join(entries), root, last + 1, reader.last_startxref, trailer, len(whole)),)
    )


def read(content: bytes) -> Any:
    return PdfFileReader(io.BytesIO(content), strict=False)


def next_number(content: bytes) -> int:
    """The first number that no object has."""
    return int(read(content).trailer_view["/Size"])


def write_object(value: Any) -> bytes:
    output = io.BytesIO()
    value.write_to_stream(output, None)
    return output.getvalue()


def read_entries(dictionary: Any) -> dict[str, bytes]:
    """The entries as they are written."""
    return {key: write_object(dictionary.raw_get(key)) for key in dictionary}


def write_dictionary(entries: dict[str, bytes]) -> bytes:
    return b"<<%s>>" % b"".join(b"%s %s" % (key.encode(), value) for key, value in entries.items())


def replace_entry(content: bytes, key: str, value: bytes) -> dict[int, bytes]:
    """The catalogue with another value of this entry."""
    reader = read(content)
    return {reader.root_ref.idnum: write_dictionary(read_entries(reader.root) | {key: value})}


def replace_page(content: bytes, changed: dict[str, bytes] = OTHER_PAGE, shown: bytes = b"") -> dict[int, bytes]:
    """The first page with other values of these entries, and another annotation."""
    page = read(content).root["/Pages"]["/Kids"].raw_get(0)
    entries = read_entries(page.get_object()) | changed
    if shown:
        entries["/Annots"] = entries["/Annots"].rstrip(b"]") + shown + b"]"
    return {page.idnum: write_dictionary(entries)}


def change_page(content: bytes, changed: dict[str, bytes] = OTHER_PAGE) -> bytes:
    """Overrides the page in an incremental update, which no signature allows."""
    return append(content, replace_page(content, changed))


def add_validation_data(content: bytes) -> bytes:
    """Adds what keeps signatures verifiable in the long term, which every signature allows."""
    output = io.BytesIO(content)
    signature = read(content).embedded_signatures[0]
    DocumentSecurityStore.add_dss(output, signature.pkcs7_content, certs=[signer(SEAL).signing_cert])
    return output.getvalue()


def change_byte(content: bytes) -> bytes:
    """Changes one byte of the page that the first signature covers."""
    position = content.index(b"/MediaBox [0 0 595") + len(b"/MediaBox [0 0 ")
    return content[:position] + b"4" + content[position + 1 :]


def change_cms(content: bytes, change: Callable[[Any], object]) -> bytes:
    """Changes the last signature's CMS in place, which its digest does not cover."""
    start = content.rindex(b"/Contents <") + len(b"/Contents <")
    stop = content.index(b">", start)
    found = cms.ContentInfo.load(bytes.fromhex(content[start:stop].decode()))
    change(found["content"])
    changed = bytes(found.dump(force=True)).hex().encode()
    return content[:start] + changed.ljust(stop - start, b"0") + content[stop:]


def reverse_attributes(content: bytes) -> bytes:
    """Stores the attributes of the signature in another order than they were signed in."""
    signed_data = read(content).embedded_signatures[0].signed_data
    attributes = [one.dump().hex().upper().encode() for one in signed_data["signer_infos"][0]["signed_attrs"]]
    return content.replace(b"".join(attributes), b"".join(reversed(attributes)))


def break_stamp(content: bytes) -> bytes:
    """Changes the last digit of the time stamp's own signature, which is the last value in that of the PDF."""
    start = content.index(b"/Contents <")
    last = len(content[: content.index(b">", start)].rstrip(b"0")) - 1
    return content[:last] + (b"1" if content[last : last + 1] != b"1" else b"2") + content[last + 1 :]


def assemble(*objects: bytes, origin: int = 0) -> bytes:
    """A PDF of these objects, the first of which is the catalogue. Its offsets count from `origin`."""
    whole, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(origin + len(whole))
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, entries)
    trailer = b"trailer\n<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, origin + len(whole))
    return whole + table + trailer


def encrypt(content: bytes, user: str = "user", *, is_for_recipients: bool = False) -> bytes:
    writer, output = copy_into_new_writer(read(content)), io.BytesIO()
    if is_for_recipients:
        policy = RecipientEncryptionPolicy(ignore_key_usage=True)
        writer.encrypt_pubkey([signer(TIME_STAMPER).signing_cert], policy=policy)
    else:
        writer.encrypt("owner", user)  # type: ignore[no-untyped-call]
    writer.write(output)  # type: ignore[no-untyped-call]
    return output.getvalue()


# ── a form ─────────────────────────────────────────────────────────────────────────────────────────────────────────

PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Annots[5 0 R 7 0 R 8 0 R 9 0 R]/PieceInfo<</A<</B 1>>>>>>"


@cache
def form() -> bytes:
    """A PDF with a text field, one whose widget is a field's kid, a choice, a field whose name has a point, and an
    object that nothing refers to."""
    return assemble(
        b"<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        PAGE,
        b"<</Fields[5 0 R 6 0 R 8 0 R 9 0 R]>>",
        b"<</FT/Tx/T(Name)/V(Alice)/Type/Annot/Subtype/Widget/Rect[0 0 9 9]>>",
        b"<</FT/Tx/T(Address)/Kids[7 0 R]>>",
        b"<</Parent 6 0 R/Type/Annot/Subtype/Widget/Rect[0 9 9 18]>>",
        b"<</FT/Ch/T(Color)/Opt[(red)(blue)]/Type/Annot/Subtype/Widget/Rect[0 18 9 27]>>",
        b"<</FT/Tx/T(Amount.1)/Type/Annot/Subtype/Widget/Rect[0 27 9 36]>>",
        b"<</Unused true>>",
    )


def form_object(number: int) -> bytes:
    return form().partition(b"%d 0 obj\n" % number)[2].partition(b"\nendobj")[0]


def fill(content: bytes, number: int, old: bytes, new: bytes) -> bytes:
    return append(content, {number: form_object(number).replace(old, new)})
