"""What the template must tell this function."""

from dataclasses import dataclass
from typing import Annotated

from certificates.rules import POSITIVE, TEXT
from certificates.settings import ProviderSettings, StoreSettings


@dataclass(frozen=True)
class ArchiveSettings(StoreSettings, ProviderSettings):
    archive_queue_url: Annotated[str, TEXT]
    archive_maximum_concurrency: Annotated[int, POSITIVE]
    archive_fetches_per_minute: Annotated[int, POSITIVE]
