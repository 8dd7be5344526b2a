"""The download of one certificate: checks the key, then reads the archive or fetches from the provider."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from certificates.archive import Archive, Part, Stored
from certificates.budgets import ARCHIVE_SECONDS, PROVIDER_SECONDS
from certificates.certificate import Certificate
from certificates.errors import ArchiveUnavailable, CertificateError, NotArchived, ProviderFailed
from certificates.models import ApiKey, Owned, SignatureRequest
from certificates.provider import Provider
from certificates.ranges import ByteRange, find_positions
from certificates.records import Records
from certificates.telemetry import count, describe_error, logger, measured
from functions.download_certificate.conditions import matches_strongly, matches_weakly, parse_range, range_still_applies
from functions.download_certificate.failures import Failures
from functions.download_certificate.request import Request

INLINE_LIMIT = 4_500_000
"""Bytes. Lambda's reply may have 6,291,556 bytes of JSON, and base64 takes a third more than the certificate."""


class Unauthorized(CertificateError):
    """The key is missing, malformed, unknown, revoked or expired."""


class NotFound(CertificateError):
    """The key's project has no such signature request."""


class PreconditionFailed(CertificateError):
    """If-Match does not match the certificate."""


@dataclass(frozen=True)
class Services:
    records: Records
    archive: Archive
    provider: Provider
    failures: Failures


@dataclass(frozen=True)
class Download:
    """The whole certificate or a part of it; `part` is None if the client's copy is current. `source` is archive or
    provider."""

    stored: Stored
    part: Part | None
    is_range: bool = False
    source: str = "archive"


def download_certificate(request: Request, services: Services, seconds_left: Callable[[], float]) -> Download:
    """Serves the archived certificate, and first fetches and archives it if necessary. Every client gets the bytes that
    were archived first. The fetched bytes are served if S3 confirms that write, or that nothing else is archived.

    Raises Unauthorized, NotFound, NotAvailable, NotAvailableYet, PreconditionFailed, RecentlyFailed, and the errors of
    `certificates.errors` but NotArchived.
    """
    signature = _find(request, services.records)
    try:
        return _read(request, signature, services.archive)
    except NotArchived:
        certificate = _fetch(signature, services, seconds_left() - ARCHIVE_SECONDS)
    try:
        stored = services.archive.create(signature, certificate)
    except ArchiveUnavailable as error:
        logger.error("archive_write_failed", extra={"detail": describe_error(error)})
        count("ArchiveWriteFailures")
        try:
            return _read(request, signature, services.archive, source="provider")
        except NotArchived:
            return _serve_unarchived(request, certificate)
    if stored:
        return _serve(request, certificate, stored)
    try:
        return _read(request, signature, services.archive, source="provider")
    except NotArchived as error:
        raise ArchiveUnavailable("OtherCopyMissing") from error


def _find(request: Request, records: Records) -> SignatureRequest:
    """Finds the requested signature request, if the key's project owns it and its certificate is available."""
    logger.thread_safe_append_keys(signature_id=request.signature_id)
    if request.key is None:
        raise Unauthorized
    logger.thread_safe_append_keys(key_prefix=request.key.prefix)
    key_item, item = records.lookup(request.key.sha256, request.signature_id)
    key = None if key_item is None else ApiKey.from_item(key_item)
    if key is None or not key.is_accepted_at(datetime.now(UTC)):
        raise Unauthorized
    logger.thread_safe_append_keys(project_id=key.project_id)
    # Validates only the owner of another project's item: an error in the rest would reveal that it exists.
    if item is None or Owned.from_item(item).project_id != key.project_id:
        raise NotFound
    signature = SignatureRequest.from_item(item)
    signature.require_certificate()
    return signature


def _fetch(signature: SignatureRequest, services: Services, seconds: float) -> Certificate:
    services.failures.check(signature)
    try:
        request_id = signature.require_provider_request_id()
        with measured("ProviderMilliseconds"):
            return services.provider.fetch(request_id, min(PROVIDER_SECONDS, seconds))
    except ProviderFailed:
        services.failures.remember(signature)
        raise


def _read(request: Request, signature: SignatureRequest, archive: Archive, source: str = "archive") -> Download:
    try:
        return _read_once(request, signature, archive, source)
    except ArchiveUnavailable as error:
        if error.cause != "PreconditionFailed":
            raise
    # The object was replaced after the conditions were evaluated.
    return _read_once(request, signature, archive, source)


def _read_once(request: Request, signature: SignatureRequest, archive: Archive, source: str) -> Download:
    """Evaluates conditions before ranges (RFC 9110 section 13.2.2), in an S3 request of its own, whose entity tag ties
    the bytes to them."""
    byte_range, etag = _find_range(request), None
    conditions = (request.if_match, request.if_none_match, request.if_range if byte_range else None)
    if conditions != (None, None, None):
        stored = archive.describe(signature.object_key)
        if _is_current(request, stored):
            return Download(stored, None, source=source)
        byte_range, etag = _find_range(request, stored.etag), stored.etag
    part = archive.read(signature.object_key, limit=INLINE_LIMIT, byte_range=byte_range, etag=etag)
    return Download(part.stored, part, is_range=byte_range is not None, source=source)


def _find_range(request: Request, etag: str | None = None) -> ByteRange | None:
    """Returns the range to send. If-Range counts once the entity tag is known."""
    is_stale = etag and request.if_range is not None and not range_still_applies(request.if_range, etag)
    return parse_range(request.range) if request.range and not is_stale else None


def _is_current(request: Request, stored: Stored) -> bool:
    """A header without a valid tag is still a condition; it never matches."""
    if request.if_match is not None and not matches_strongly(request.if_match, stored.etag):
        raise PreconditionFailed
    return request.if_none_match is not None and matches_weakly(request.if_none_match, stored.etag)


def _serve(request: Request, certificate: Certificate, stored: Stored) -> Download:
    """Serves the fetched bytes as S3 would."""
    if _is_current(request, stored):
        return Download(stored, None, source="provider")
    byte_range = _find_range(request, stored.etag)
    positions = find_positions(byte_range, stored.size, INLINE_LIMIT)
    content = certificate.content[positions.start : positions.stop]
    part = Part(stored, content, certificate.sha256, positions.start)
    return Download(stored, part, is_range=byte_range is not None, source="provider")


def _serve_unarchived(request: Request, certificate: Certificate) -> Download:
    """Serves the fetched bytes only as a whole: they are not archived, and parts of two renderings would not fit."""
    stored = Stored(f'"{certificate.sha256}"', len(certificate.content))
    if request.range and stored.size > INLINE_LIMIT:
        raise ArchiveUnavailable("TooLargeToServeWhole")
    return _serve(replace(request, range=None), certificate, stored)
