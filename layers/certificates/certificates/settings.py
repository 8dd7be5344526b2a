"""Settings from the environment, read once at start; errors name the variable."""

import os
import re
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, PositiveInt, ValidationError, model_validator

from certificates.urls import HostRule, UrlTemplate

_SECRET = "{secret}"  # noqa: S105
_HEADER = re.compile(r"(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]+): *(?P<value>[ -~]+)")


class SettingsError(Exception):
    """Environment variables are missing or wrong. The text names each, but none of their values."""


class Settings(BaseModel):
    """Reads `provider_link_field` from the variable PROVIDER_LINK_FIELD."""

    model_config = ConfigDict(alias_generator=str.upper, frozen=True)

    @classmethod
    def from_environment(cls) -> Self:
        try:
            return cls.model_validate(dict(os.environ))
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise SettingsError("; ".join(problems)) from None


@dataclass(frozen=True)
class HeaderTemplate:
    """The header that authenticates at the provider, with `{secret}` in its value."""

    name: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _HEADER.fullmatch(text)
        if match is None or _SECRET not in match["value"]:
            raise ValueError('must have the form "Name: value" with {secret} in the value')
        return cls(match["name"], match["value"])

    def fill(self, secret: str) -> dict[str, str]:
        return {self.name: self.value.replace(_SECRET, secret)}


SecretName = Annotated[str, Field(pattern=r"^[A-Za-z0-9/_+=.@-]{1,512}$")]


def _parse_hosts(text: str) -> tuple[HostRule, ...]:
    return tuple(HostRule.parse(host.strip(" ")) for host in text.split(",")) if text else ()


class ProviderSettings(Settings):
    provider_certificate_url: Annotated[UrlTemplate, PlainValidator(UrlTemplate.parse)]
    provider_auth_header: Annotated[HeaderTemplate, PlainValidator(HeaderTemplate.parse)]
    provider_secret_name: SecretName
    provider_link_field: str = Field(pattern=r"^([ -\-/-~]+(\.[ -\-/-~]+)*)?$")
    provider_link_hosts: Annotated[tuple[HostRule, ...], PlainValidator(_parse_hosts)]
    max_certificate_bytes: PositiveInt

    @model_validator(mode="after")
    def _check_link_hosts(self) -> Self:
        if self.provider_link_field and not self.provider_link_hosts:
            raise ValueError("PROVIDER_LINK_FIELD needs PROVIDER_LINK_HOSTS")
        return self


class StoreSettings(Settings):
    signatures_table: str = Field(min_length=1)
    certificates_bucket: str = Field(min_length=1)
