"""Settings from the environment: read once at start, and a wrong one names itself."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic_core import ValidationError

from certificates.rules import POSITIVE, TEXT, check, parsed, text
from certificates.urls import HostRule, UrlTemplate

_SECRET = "{secret}"  # noqa: S105
_HEADER = re.compile(r"(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]+): *(?P<value>[ -~]+)")


class SettingsError(Exception):
    """One or more environment variables are missing or wrong: the text names each, and none of their values."""


@dataclass(frozen=True)
class Settings:
    """Field `provider_link_field` is read from the variable PROVIDER_LINK_FIELD."""

    @classmethod
    def parse(cls, variables: Mapping[str, object]) -> Self:
        """Raises pydantic_core.ValidationError."""
        return check(cls, variables, alias=str.upper)

    @classmethod
    def from_environment(cls) -> Self:
        try:
            return cls.parse(dict(os.environ))
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise SettingsError("; ".join(problems)) from None


@dataclass(frozen=True)
class HeaderTemplate:
    """The header that authenticates at the provider, `{secret}` in its value."""

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


def _split(text: str) -> tuple[HostRule, ...]:
    return tuple(HostRule.parse(host.strip(" ")) for host in text.split(",")) if text else ()


@dataclass(frozen=True)
class ProviderSettings(Settings):
    provider_certificate_url: Annotated[UrlTemplate, parsed(UrlTemplate.parse)]
    provider_auth_header: Annotated[HeaderTemplate, parsed(HeaderTemplate.parse)]
    provider_secret_name: Annotated[str, text(r"^[A-Za-z0-9/_+=.@-]{1,512}$")]
    provider_link_field: Annotated[str, text("")]
    provider_link_hosts: Annotated[tuple[HostRule, ...], parsed(_split)]
    max_certificate_bytes: Annotated[int, POSITIVE]

    def __post_init__(self) -> None:
        if self.provider_link_field and not self.provider_link_hosts:
            raise ValueError("PROVIDER_LINK_FIELD needs PROVIDER_LINK_HOSTS")


@dataclass(frozen=True)
class StoreSettings(Settings):
    signatures_table: Annotated[str, TEXT]
    certificates_bucket: Annotated[str, TEXT]
