"""The provider: the external e-signature service that issues certificates. Only the settings know which one it is."""

import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from certificates import budgets
from certificates.certificate import Certificate, is_whole_pdf
from certificates.errors import ProviderFailed
from certificates.https import REDIRECTS, Exchange, Response, is_header_value, run_within
from certificates.json_document import parse_json
from certificates.settings import ProviderSettings
from certificates.urls import Url

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_LINK_RESPONSE_BYTES = 8 * 1024 * 1024
# A parsed response may take 25 times its size. Memory holds one, and the interpreter parses no two at once anyway.
_PARSING = threading.Lock()


class Secret:
    """The provider's secret, read from Secrets Manager on first use and kept as long as the execution environment."""

    def __init__(self, connect: "Callable[[], SecretsManagerClient]", name: str) -> None:
        self._connect = connect
        self._name = name
        self._value = ""
        self._lock = threading.Lock()

    def value(self) -> str:
        """Raises ProviderFailed: secret_unavailable, secret_malformed."""
        return self._value or self._read()

    def reload_if_unchanged(self, used: str) -> bool:
        """Returns whether the secret differs from the one that was used. Reads it again unless another thread did."""
        with self._lock:
            return self._value != used or self._read() != used

    def _read(self) -> str:
        try:
            response = self._connect().get_secret_value(SecretId=self._name)
        except Exception as error:
            raise ProviderFailed("secret_unavailable") from error
        value = response.get("SecretString")
        if not is_header_value(value):
            raise ProviderFailed("secret_malformed")
        self._value = value
        return value


class Provider:
    def __init__(self, settings: ProviderSettings, secret: Secret) -> None:
        self._settings = settings
        self._secret = secret

    def fetch(self, request_id: str, seconds: float, *, second_try: bool = True) -> Certificate:
        """Fetches one certificate within `seconds`, including links, pauses and, after a transient fault, a second try.
        Without `second_try`, only a rotated secret is tried again.

        Raises ProviderFailed: timed_out, unreachable, status, too_large, broken_answer, secret_unavailable,
        secret_malformed, request_id_refused, link_missing, link_refused, link_status, not_a_pdf.
        """
        return run_within(seconds, partial(self._fetch, request_id, second_try))

    def _fetch(self, request_id: str, second_try: bool, exchange: Exchange) -> Certificate:  # noqa: FBT001
        secret = self._secret.value()
        try:
            return self._try(request_id, exchange)
        except ProviderFailed as failure:
            if failure.reason == "status" and failure.upstream_status in {401, 403}:
                if not self._secret.reload_if_unchanged(secret):
                    raise
            elif failure.transient and second_try:
                pause = failure.retry_after or budgets.PROVIDER_PAUSE
                if pause + budgets.SHORTEST_TRY_SECONDS > exchange.remaining():
                    raise
                time.sleep(pause)
            else:
                raise
        return self._try(request_id, exchange)

    def _try(self, request_id: str, exchange: Exchange) -> Certificate:
        """Makes one or two requests: the second follows a link or redirect, without the secret, which must not reach
        another host; storage hosts also refuse two authentications."""
        settings = self._settings
        try:
            url = settings.provider_certificate_url.expand(request_id)
        except ValueError:
            raise ProviderFailed("request_id_refused") from None
        headers = settings.provider_auth_header.fill(self._secret.value())
        if settings.provider_link_field:
            accept, max_bytes = "application/json", MAX_LINK_RESPONSE_BYTES
        else:
            accept, max_bytes = "application/pdf, */*;q=0.8", settings.max_certificate_bytes
        response = self._send(exchange, url, headers | {"Accept": accept}, max_bytes, {200} | REDIRECTS)
        link: str | None = None
        if response.status != 200:
            link = response.location
        elif settings.provider_link_field:
            link = find_link(response.content, settings.provider_link_field)
        if link is not None:
            url = self._check_link(link, response.status)
            try:
                response = self._send(exchange, url, {"Accept": "*/*"}, settings.max_certificate_bytes, {200})
            except ProviderFailed as failure:
                if failure.reason == "status":
                    failure.reason = "link_status"
                raise
        if not is_whole_pdf(response.content):
            raise ProviderFailed("not_a_pdf", 200)
        return Certificate(response.content)

    def _send(
        self, exchange: Exchange, url: Url, headers: dict[str, str], max_bytes: int, expected: set[int]
    ) -> Response:
        return exchange.send(url, headers, max_bytes, expected)

    def _check_link(self, link: str, status: int) -> Url:
        """Returns the URL that the response with this status links to. Raises ProviderFailed: link_refused, status."""
        with suppress(ValueError):
            url = Url.parse_link(link)
            if any(host.allows(url) for host in self._settings.provider_link_hosts):
                return url
        raise ProviderFailed("link_refused" if status == 200 else "status", status)


def find_link(document: bytes, field: str) -> str:
    """Returns the text in a field of JSON; a number in the field's name is an array's index.

    Raises ProviderFailed: link_missing.
    """
    try:
        with _PARSING:
            value = parse_json(document)
        for name in field.split("."):
            value = value[int(name) if isinstance(value, list) and name.isdigit() else name]
    except (ValueError, LookupError, TypeError):
        value = None
    if not isinstance(value, str) or not value:
        raise ProviderFailed("link_missing", 200)
    return value
