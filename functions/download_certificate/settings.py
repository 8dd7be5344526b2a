"""The settings of this function, from its environment."""

from pydantic import Field

from certificates.settings import ProviderSettings, StoreSettings


class DownloadSettings(StoreSettings, ProviderSettings):
    api_keys_table: str = Field(min_length=1)
