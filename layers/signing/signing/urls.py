"""URLs of the provider. One strict grammar, parsed once: what is checked here is what is connected to. URL libraries
normalise paths and queries, which breaks signed links."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

# scheme://host[:port][/path][?query] of RFC 3986 in ASCII. No user information and no fragment, and no backslash,
# control character, quote or bracket that another parser could read in another way.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:[/?](?-i:[A-Za-z0-9._~!$&'()*+,;=:@%/?|-]*))?)",
    re.ASCII | re.IGNORECASE,
)
_AUTHORITY = re.compile(r"[^:/?#]+://[^/?#]*")
# What browsers percent-encode in a path or a query, and brackets. What is encoded already stays as it is.
_UNENCODED = re.compile(r"[ \"<>\[\]^`{}\x80-\U0010ffff]+")
_MAX_LINK_CHARACTERS = 8192
_DEFAULT_PORTS = {"https": 443, "http": 80}
_PLACEHOLDER = "{providerRequestId}"


@dataclass(frozen=True)
class Url:
    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, whose text never holds the URL."""
        match = _URL.fullmatch(text)
        if match is None:
            raise ValueError("is not a plain https URL")
        # Case-insensitive (RFC 3986 section 6.2.2.1), unlike path and query.
        scheme, host = match["scheme"].lower(), match["host"].strip("[]").lower()
        port = int(match["port"] or _DEFAULT_PORTS[scheme])
        if not 0 < port < 65536:
            raise ValueError("has an invalid port")
        if scheme == "http" and not is_loopback(host):
            raise ValueError("is http to another machine; only https is allowed")
        target = match["target"] if match["target"].startswith("/") else "/" + match["target"]
        return cls(scheme, host, port, target)

    @classmethod
    def parse_link(cls, text: str) -> Self:
        """A URL as services write it, with blanks, quotes, brackets or letters beyond ASCII in its path or query, and a
        fragment, which is never sent. Its authority is as strict as any other's. Raises ValueError, as `parse` does."""
        if len(text) > _MAX_LINK_CHARACTERS:
            raise ValueError("is too long")
        text = text.strip(" \t\r\n")
        authority = _AUTHORITY.match(text)
        if authority is None:
            raise ValueError("is not a plain https URL")
        target = text[authority.end() :]
        if target.startswith(("/", "?")):
            target = target.partition("#")[0]
        return cls.parse(authority[0] + _UNENCODED.sub(lambda characters: quote(characters[0], safe=""), target))

    @property
    def has_default_port(self) -> bool:
        return self.port == _DEFAULT_PORTS[self.scheme]


def is_loopback(host: str) -> bool:
    """127.0.0.0/8, ::1 and localhost. Shorthands such as `127.1` are not addresses here."""
    address = _address(host)
    return address.is_loopback if address else host == "localhost"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@dataclass(frozen=True)
class UrlTemplate:
    """A URL with `{providerRequestId}` in its path or query."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, whose text never holds the URL."""
        authority = _AUTHORITY.match(text)
        if _PLACEHOLDER not in text or (authority and _PLACEHOLDER in authority[0]):
            raise ValueError("must have {providerRequestId} in its path or query")
        template = cls(text)
        template.expand("id")
        return template

    def expand(self, provider_request_id: str) -> Url:
        return Url.parse(self.text.replace(_PLACEHOLDER, quote(provider_request_id, safe="")))


@dataclass(frozen=True)
class HostRule:
    """A host that a link may point to: `files.example.com`, or `*.example.com` for every name below it.

    The port is the scheme's own, unless the rule names one (`files.example.com:8443`); any port of a loopback host.
    """

    host: str
    port: int | None
    is_suffix: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        is_suffix = text.startswith("*.")
        host = text.removeprefix("*.")
        try:
            url = Url.parse(f"https://{host}")
        except ValueError:
            raise ValueError("must be host names, with * only as a whole first label") from None
        if url.target != "/":
            raise ValueError("must be host names without a path")
        return cls(url.host, url.port if re.search(r":[0-9]+$", host) else None, is_suffix)

    def allows(self, url: Url) -> bool:
        is_below = self.is_suffix and url.host.endswith("." + self.host) and not _address(url.host)
        if not is_below and (self.is_suffix or url.host != self.host):
            return False
        return url.port == self.port if self.port else url.has_default_port or is_loopback(url.host)
