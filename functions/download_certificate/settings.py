"""What the template must tell this function."""

from signing.settings import ProviderSettings, StoreSettings


class DownloadSettings(StoreSettings, ProviderSettings):
    pass
