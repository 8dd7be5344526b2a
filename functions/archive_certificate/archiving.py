"""Archives one certificate ahead of its first download: the same fetch, checks and create-only write."""

from collections.abc import Callable
from dataclasses import dataclass

from functions.archive_certificate.delays import Pace
from signing.archive import ARCHIVE_SECONDS, Archive
from signing.errors import NotArchived, SigningError
from signing.models import Signature
from signing.provider import PROVIDER_SECONDS, Provider, fetch_certificate
from signing.records import Records


class UnknownSignature(SigningError):
    """There is no such signature request."""


@dataclass(frozen=True)
class Services:
    records: Records
    archive: Archive
    provider: Provider
    pace: Pace


def archive_certificate(signature_id: str, services: Services, seconds_left: Callable[[], float]) -> int | None:
    """The bytes archived, or None if the certificate is archived already.

    Raises UnknownSignature, NoTurn, and the errors of `signing.errors`.
    """
    item = services.records.signature(signature_id)
    if item is None:
        raise UnknownSignature
    signature = Signature.parse(item)
    signature.require_certificate()
    try:
        services.archive.describe(signature.project_id, signature.id)
    except NotArchived:
        services.pace.wait_for_turn(seconds_left() - PROVIDER_SECONDS - ARCHIVE_SECONDS)
        # The queue is the second try: it waits for nothing, and keeps to the pace.
        seconds = seconds_left() - ARCHIVE_SECONDS
        certificate = fetch_certificate(signature, services.provider, seconds, second_try=False)
        if services.archive.create(signature.project_id, signature.id, certificate):
            return len(certificate.content)
    return None
