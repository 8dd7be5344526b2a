"""Archives one certificate ahead of its first download, with the same fetch, checks and create-only write."""

from collections.abc import Callable
from dataclasses import dataclass

from certificates.archive import Archive
from certificates.budgets import ARCHIVE_SECONDS, PROVIDER_SECONDS
from certificates.errors import CertificateError, NotArchived
from certificates.models import SignatureRequest
from certificates.provider import Provider
from certificates.records import Records
from certificates.telemetry import measured
from functions.archive_certificate.delays import Pace


class UnknownSignature(CertificateError):
    """There is no such signature request."""


@dataclass(frozen=True)
class Services:
    records: Records
    archive: Archive
    provider: Provider
    pace: Pace


def archive_certificate(signature_id: str, services: Services, seconds_left: Callable[[], float]) -> int | None:
    """Returns how many bytes were archived, or None if the certificate is archived already.

    Raises UnknownSignature, PaceExceeded, and the errors of `certificates.errors`.
    """
    item = services.records.signature(signature_id)
    if item is None:
        raise UnknownSignature
    signature = SignatureRequest.from_item(item)
    signature.require_certificate()
    try:
        services.archive.describe(signature.object_key)
    except NotArchived:
        request_id = signature.require_provider_request_id()
        services.pace.wait_for_turn(seconds_left() - PROVIDER_SECONDS - ARCHIVE_SECONDS)
        seconds = min(PROVIDER_SECONDS, seconds_left() - ARCHIVE_SECONDS)
        with measured("ProviderMilliseconds"):
            # The queue retries instead: a second try here would ignore the pace.
            certificate = services.provider.fetch(request_id, seconds, second_try=False)
        if services.archive.create(signature, certificate):
            return len(certificate.content)
    return None
