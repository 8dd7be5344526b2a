"""What the template must tell this function."""

from signing.settings import NonEmpty, ProviderSettings, StoreSettings


class DownloadSettings(StoreSettings, ProviderSettings):
    api_keys_table: NonEmpty
