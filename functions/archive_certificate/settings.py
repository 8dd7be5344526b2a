"""The settings of this function, from its environment."""

from pydantic import Field, PositiveInt

from certificates.settings import ProviderSettings, StoreSettings


class ArchiveSettings(StoreSettings, ProviderSettings):
    archive_queue_url: str = Field(min_length=1)
    archive_maximum_concurrency: PositiveInt
    archive_fetches_per_minute: PositiveInt
