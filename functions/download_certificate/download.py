"""The download of one certificate: who asks for what, and where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto

from certificates.archive import Archive, Part, Stored
from certificates.budgets import ARCHIVE_SECONDS
from certificates.certificate import Certificate
from certificates.errors import ArchiveUnavailable, CertificateError, CertificateTooLarge, NotArchived
from certificates.models import ApiKey, Item, Owned, Signature
from certificates.provider import Provider, fetch_certificate
from certificates.records import Records
from certificates.telemetry import count, describe_error, logger
from functions.download_certificate.conditions import matches_strongly, matches_weakly, parse_range, range_still_applies
from functions.download_certificate.request import Request

INLINE_LIMIT = 4_500_000
"""Bytes. Lambda's reply ends at 6,291,556 bytes of JSON, and base64 takes a third more than the certificate."""


class Unauthorized(CertificateError):
    """No key, or one that is malformed, unknown, revoked or expired."""


class NotFound(CertificateError):
    """The key's project has no such signature request."""


class PreconditionFailed(CertificateError):
    """The certificate is not the one that If-Match names."""


@dataclass(frozen=True)
class Services:
    records: Records
    archive: Archive
    provider: Provider


@dataclass(frozen=True)
class Download:
    """The result: the whole certificate, a part of it, or (no part) that the client's copy is current. `source` is
    archive or provider."""

    stored: Stored
    part: Part | None
    is_range: bool = False
    source: str = "archive"


class Write(Enum):
    """The result of archiving the fetched bytes."""

    WRITTEN = auto()
    OTHER_THERE = auto()
    """Another copy is archived, or just being written."""
    UNKNOWN = auto()
    """S3 failed: the archive may hold these bytes, another copy or none."""


def download_certificate(request: Request, services: Services, seconds_left: Callable[[], float]) -> Download:
    """Serves the archived certificate. One that is not archived is fetched, archived and read back: every client gets
    the bytes that were archived first. The fetched bytes are served only if the archive certainly holds no others.

    Raises Unauthorized, NotFound, NotAvailable, NotAvailableYet, PreconditionFailed, and the errors of
    `certificates.errors` but NotArchived.
    """
    signature = _find(request, services.records)
    try:
        return _read(request, signature, services.archive)
    except NotArchived:
        certificate = fetch_certificate(signature, services.provider, seconds_left() - ARCHIVE_SECONDS)
    write = _write(signature, certificate, services.archive)
    try:
        return _read(request, signature, services.archive, source="provider")
    except NotArchived as error:
        if write is Write.OTHER_THERE:
            raise ArchiveUnavailable("OtherCopyMissing") from error
    except ArchiveUnavailable:
        if write is not Write.WRITTEN:
            raise
    return _serve_unread(request, certificate)


def _find(request: Request, records: Records) -> Signature:
    """The signature request that is asked for, if the key's project owns it and its certificate is available."""
    logger.thread_safe_append_keys(signature_id=request.signature_id)
    if request.key is None:
        raise Unauthorized
    logger.thread_safe_append_keys(key_prefix=request.key.prefix)
    key_item, signature_item = records.lookup(request.key.sha256, request.signature_id)
    key = _accept(key_item)
    logger.thread_safe_append_keys(project_id=key.project_id)
    signature = _own(signature_item, key)
    signature.require_certificate()
    return signature


def _accept(item: Item | None) -> ApiKey:
    if item is None:
        raise Unauthorized
    key = ApiKey.from_item(item)
    if not key.is_accepted_at(datetime.now(UTC)):
        raise Unauthorized
    return key


def _own(item: Item | None, key: ApiKey) -> Signature:
    """Ignores the rest of another project's item: a broken one must not reveal that it exists."""
    if item is None or Owned.from_item(item).project_id != key.project_id:
        raise NotFound
    return Signature.from_item(item)


def _write(signature: Signature, certificate: Certificate, archive: Archive) -> Write:
    try:
        is_created = archive.create(signature, certificate)
    except ArchiveUnavailable as error:
        logger.error("archive_write_failed", extra={"detail": describe_error(error)})
        count("ArchiveWriteFailures")
        return Write.UNKNOWN
    return Write.WRITTEN if is_created else Write.OTHER_THERE


def _read(request: Request, signature: Signature, archive: Archive, source: str = "archive") -> Download:
    try:
        return _read_once(request, signature, archive, source)
    except ArchiveUnavailable as error:
        if error.cause != "PreconditionFailed":
            raise
    # The object was replaced after the conditions were decided.
    return _read_once(request, signature, archive, source)


def _read_once(request: Request, signature: Signature, archive: Archive, source: str) -> Download:
    """Conditions come before ranges (RFC 9110 section 13.2.2). They cost an S3 request of their own, which no other
    request makes; its entity tag ties the bytes that are read to the conditions."""
    byte_range = parse_range(request.range) if request.range else None
    etag = None
    is_conditional = request.if_match is not None or request.if_none_match is not None
    if is_conditional or (request.if_range is not None and byte_range):
        stored = archive.describe(signature.object_key)
        if _is_current(request, stored):
            return Download(stored, None, source=source)
        if request.if_range is not None and not range_still_applies(request.if_range, stored.etag):
            byte_range = None
        etag = stored.etag
    part = archive.read(signature.object_key, limit=INLINE_LIMIT, byte_range=byte_range, etag=etag)
    return Download(part.stored, part, is_range=byte_range is not None, source=source)


def _is_current(request: Request, stored: Stored) -> bool:
    """A header without any tag is a condition too: one that nothing matches."""
    if request.if_match is not None and not matches_strongly(request.if_match, stored.etag):
        raise PreconditionFailed
    return request.if_none_match is not None and matches_weakly(request.if_none_match, stored.etag)


def _serve_unread(request: Request, certificate: Certificate) -> Download:
    """The fetched bytes, whole or not at all: the archive may not hold them, and parts of two renderings would make a
    third certificate."""
    stored = Stored(f'"{certificate.sha256}"', len(certificate.content))
    if stored.size > INLINE_LIMIT:
        raise ArchiveUnavailable("TooLargeToServeWhole") if request.range else CertificateTooLarge(stored.size)
    if _is_current(request, stored):
        return Download(stored, None, source="provider")
    return Download(stored, Part(stored, certificate.content), source="provider")
