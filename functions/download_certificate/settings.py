"""What the template must tell this function."""

from dataclasses import dataclass
from typing import Annotated

from certificates.rules import TEXT
from certificates.settings import ProviderSettings, StoreSettings


@dataclass(frozen=True)
class DownloadSettings(StoreSettings, ProviderSettings):
    api_keys_table: Annotated[str, TEXT]
