"""URLs of the provider, parsed once by one strict grammar, so that what is checked is what is connected to. URL
libraries normalize paths and queries, which breaks signed links."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

# scheme://host[:port][/path][?query] of RFC 3986 in ASCII. No user information and no fragment, and no backslash,
# control character, quote or bracket that another parser could read differently. A host is a name, whose last label
# begins with a letter, since resolvers read `127.1` and `0x7f.1` as addresses; or, for development, a loopback address.
_NAME = r"(?:[A-Za-z0-9_-]+\.)*[A-Za-z][A-Za-z0-9_-]*"
_LOOPBACK = r"127(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}"
_HOST = rf"(?P<host>{_NAME}|{_LOOPBACK}|\[::1\])"
_PORT = r"(?::(?P<port>6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?"
_URL = re.compile(rf"(?P<scheme>https?)://{_HOST}{_PORT}(?P<target>(?:[/?][A-Za-z0-9._~!$&'()*+,;=:@%/?|-]*)?)")
_HOST_RULE = re.compile(rf"(?:\*\.(?P<suffix>{_NAME})|{_HOST}){_PORT}")
_AUTHORITY = re.compile(r"[^:/?#]+://[^/?#]*")
# Browsers percent-encode these in a path or a query; we encode brackets too. Encoded text stays as it is.
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
        scheme, host = match["scheme"], match["host"].strip("[]")
        if scheme == "http" and not is_loopback(host):
            raise ValueError("is http to another machine; only https is allowed")
        target = match["target"] if match["target"].startswith("/") else "/" + match["target"]
        return cls(scheme, host.lower(), int(match["port"] or _DEFAULT_PORTS[scheme]), target)

    @classmethod
    def parse_link(cls, text: str) -> Self:
        """Parses a URL with blanks, quotes, brackets or letters beyond ASCII in its path or query, as services write.
        A byte that is not UTF-8, here a lone surrogate, is sent unchanged, and a fragment never. The authority is as
        strict as in `parse`. Raises ValueError, as `parse` does."""
        if len(text) > _MAX_LINK_CHARACTERS:
            raise ValueError("is too long")
        text = text.strip(" \t\r\n")
        authority = _AUTHORITY.match(text)
        if authority is None:
            raise ValueError("is not a plain https URL")
        target = text[authority.end() :]
        if target.startswith(("/", "?")):
            target = target.partition("#")[0]
        # Scheme and host are case-insensitive (RFC 3986 section 6.2.2.1).
        target = _UNENCODED.sub(lambda match: quote(match[0], safe="", errors="surrogateescape"), target)
        return cls.parse(authority[0].lower() + target)


def is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or re.fullmatch(_LOOPBACK, host) is not None


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
        """Raises ValueError if the id makes a dot segment (RFC 3986 section 3.3): percent-encoding leaves it alone."""
        id_ = quote(provider_request_id, safe="")
        segments = self.text.partition("?")[0].split("/")
        filled = (segment.replace(_PLACEHOLDER, id_) for segment in segments if _PLACEHOLDER in segment)
        if any(segment.lower().replace("%2e", ".") in {".", ".."} for segment in filled):
            raise ValueError("has a dot segment")
        return Url.parse(self.text.replace(_PLACEHOLDER, id_))


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
        match = _HOST_RULE.fullmatch(text)
        if match is None:
            raise ValueError("must be host names, with * only as a whole first label")
        host = (match["suffix"] or match["host"]).strip("[]").lower()
        return cls(host, int(match["port"]) if match["port"] else None, is_suffix=bool(match["suffix"]))

    def allows(self, url: Url) -> bool:
        if not (url.host.endswith("." + self.host) if self.is_suffix else url.host == self.host):
            return False
        return url.port == self.port if self.port else url.port == _DEFAULT_PORTS[url.scheme] or is_loopback(url.host)
