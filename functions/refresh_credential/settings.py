"""The settings of this function, from its environment."""

from typing import Annotated

from pydantic import Field, PlainValidator

from certificates.settings import SecretName, Settings
from certificates.urls import Url


class RefreshSettings(Settings):
    provider_token_url: Annotated[Url, PlainValidator(Url.parse)]
    provider_oauth_secret_name: SecretName
    provider_secret_name: SecretName
    provider_signing_key_arn: str = Field(pattern=r"^(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$")
    provider_token_minutes: int = Field(ge=10, le=720)
