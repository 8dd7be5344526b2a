"""The provider: the external e-signature service that issues certificates. Only the settings know which one it is."""

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from certificates.budgets import PROVIDER_SECONDS, SHORTEST_TRY_SECONDS
from certificates.certificate import Certificate, is_whole_pdf
from certificates.errors import InvalidRecord, ProviderFailed
from certificates.https import REDIRECTS, Exchange, Response, is_header_value, run_within
from certificates.json_document import parse_json
from certificates.models import SignatureRequest
from certificates.settings import ProviderSettings
from certificates.telemetry import measure, milliseconds_since
from certificates.urls import HostRule, Url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_LINK_ANSWER_BYTES = 8 * 1024 * 1024
# Parsed, such an answer may take 25 times its size. Memory holds one, and the interpreter parses no two at once anyway.
_PARSING = threading.Lock()
RETRY_PAUSE = 0.5


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
        """Whether it has changed since it was used. Reads it again, unless another thread has done so already."""
        with self._lock:
            return self._value != used or self._read() != used

    def _read(self) -> str:
        try:
            answer = self._connect().get_secret_value(SecretId=self._name)
        except Exception as error:
            raise ProviderFailed("secret_unavailable") from error
        value = answer.get("SecretString")
        if not is_header_value(value):
            raise ProviderFailed("secret_malformed")
        self._value = value
        return value


class Observer:
    """Is told each step of a fetch. This one ignores them."""

    def on_request(self, url: Url, *, is_link: bool) -> None: ...

    def on_response(self, content: bytes) -> None: ...

    def on_failure(self, failure: ProviderFailed) -> None:
        """The request failed."""

    def on_link(self, link: str, status: int, *, is_allowed: bool) -> None:
        """The response with this status holds a link: a 200 in a field, a redirect in a header."""


class Provider:
    def __init__(self, settings: ProviderSettings, secret: Secret, observer: Observer | None = None) -> None:
        self._settings = settings
        self._secret = secret
        self._observer = observer or Observer()

    def fetch(self, provider_request_id: str, seconds: float, *, second_try: bool = True) -> Certificate:
        """One certificate, within `seconds` with links, pauses and, after a transient fault, a second try. Without
        `second_try` only a rotated secret is tried again.

        Raises ProviderFailed: timed_out, unreachable, status, too_large, broken_answer, secret_unavailable,
        secret_malformed, request_id_refused, link_missing, link_refused, link_status, not_a_pdf.
        """
        return run_within(seconds, partial(self._fetch, provider_request_id, second_try=second_try))

    def _fetch(self, provider_request_id: str, exchange: Exchange, *, second_try: bool) -> Certificate:
        secret = self._secret.value()
        try:
            return self._try(provider_request_id, exchange)
        except ProviderFailed as failure:
            if failure.reason == "status" and failure.upstream_status in {401, 403}:
                if not self._secret.reload_if_unchanged(secret):
                    raise
            elif failure.transient and second_try:
                pause = failure.retry_after or RETRY_PAUSE
                if pause + SHORTEST_TRY_SECONDS > exchange.remaining():
                    raise
                time.sleep(pause)
            else:
                raise
        return self._try(provider_request_id, exchange)

    def _try(self, provider_request_id: str, exchange: Exchange) -> Certificate:
        settings = self._settings
        try:
            url = settings.provider_certificate_url.expand(provider_request_id)
        except ValueError:
            raise ProviderFailed("request_id_refused") from None
        secret = settings.provider_auth_header.fill(self._secret.value())
        self._observer.on_request(url, is_link=False)
        if settings.provider_link_field:
            accept, max_bytes = "application/json", MAX_LINK_ANSWER_BYTES
        else:
            accept, max_bytes = "application/pdf, */*;q=0.8", settings.max_certificate_bytes
        answer = self._get(exchange, url, secret | {"Accept": accept}, max_bytes, {200} | REDIRECTS)
        content = answer.content
        if answer.status != 200:
            content = self._follow(exchange, answer.location, answer.status)
        elif settings.provider_link_field:
            content = self._follow(exchange, find_link(content, settings.provider_link_field), 200)
        if not is_whole_pdf(content):
            raise ProviderFailed("not_a_pdf", 200)
        return Certificate(content)

    def _follow(self, exchange: Exchange, link: str, status: int) -> bytes:
        """Sends no secret: it must not reach another host, and storage hosts refuse two authentications. `status` is
        that of the response with the link."""
        url = find_url(link, self._settings.provider_link_hosts)
        self._observer.on_link(link, status, is_allowed=url is not None)
        if url is None:
            raise ProviderFailed("link_refused" if status == 200 else "status", status)
        self._observer.on_request(url, is_link=True)
        try:
            return self._get(exchange, url, {"Accept": "*/*"}, self._settings.max_certificate_bytes, {200}).content
        except ProviderFailed as failure:
            if failure.reason == "status":
                failure.reason = "link_status"
            raise

    def _get(
        self, exchange: Exchange, url: Url, headers: dict[str, str], max_bytes: int, expected: set[int]
    ) -> Response:
        try:
            answer = exchange.send(url, headers, max_bytes, expected)
        except ProviderFailed as failure:
            self._observer.on_failure(failure)
            raise
        if answer.status == 200:
            self._observer.on_response(answer.content)
        return answer


def find_link(document: bytes, field: str) -> str:
    """The text in a field of JSON; a number in the field's name is an array's index. Raises ProviderFailed:
    link_missing."""
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


def find_url(link: str, hosts: "Iterable[HostRule]") -> Url | None:
    """The URL of a link, or None if it is malformed or leads to no listed host."""
    try:
        url = Url.parse_link(link)
    except ValueError:
        return None
    return url if any(host.allows(url) for host in hosts) else None


def fetch_certificate(
    signature: SignatureRequest, provider: Provider, seconds: float, *, second_try: bool = True
) -> Certificate:
    """Within PROVIDER_SECONDS, or less if `seconds` are less. Raises InvalidRecord, ProviderFailed."""
    if signature.provider_request_id is None:
        raise InvalidRecord(SignatureRequest.table, {"providerRequestId": "missing"})
    started = time.perf_counter()
    try:
        return provider.fetch(signature.provider_request_id, min(PROVIDER_SECONDS, seconds), second_try=second_try)
    finally:
        measure("ProviderMilliseconds", milliseconds_since(started))
