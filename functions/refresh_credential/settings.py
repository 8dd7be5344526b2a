"""The settings of this function, from its environment."""

from typing import Annotated, Self

from pydantic import Field, PlainValidator, model_validator

from certificates.settings import SecretName, Settings
from certificates.urls import Url


class RefreshSettings(Settings):
    provider_token_url: Annotated[Url, PlainValidator(Url.parse)]
    provider_oauth_secret_name: Annotated[SecretName, Field(max_length=200)]
    provider_secret_name: SecretName
    provider_signing_key_arn: str = Field(pattern=r"^(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$")
    provider_token_minutes: int = Field(ge=10, le=720)

    @model_validator(mode="after")
    def _check_secrets(self) -> Self:
        if self.provider_oauth_secret_name == self.provider_secret_name:
            raise ValueError("PROVIDER_OAUTH_SECRET_NAME and PROVIDER_SECRET_NAME must be two secrets")
        return self
