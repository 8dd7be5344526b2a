"""What the template must tell this function."""

from typing import Annotated

from pydantic import Field

from signing.settings import NonEmpty, ProviderSettings, StoreSettings


class ArchiveSettings(StoreSettings, ProviderSettings):
    archive_queue_url: NonEmpty
    archive_maximum_concurrency: Annotated[int, Field(gt=0)]
    archive_fetches_per_minute: Annotated[int, Field(gt=0)]
