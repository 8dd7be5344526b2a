"""Requests to time-stamping authorities: what is refused, and how long one may take."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.sign.general import simple_cms_attribute
from pyhanko.sign.timestamps import dummy_client

from develop.fakes.server import Response, ScriptedServer, chunked, hang, raw, reply, reset
from develop.local.time_stamps import TimeStampAuthority
from operate.command_line import CannotRun
from operate.commands.seal import parse_url
from operate.seals import time_stamp
from tests.support.time_stamp_authority import TimeStampServer, trust

IMPRINT = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": hashlib.sha256(b"").digest()}
OTHER_HASH = {"hash_algorithm": {"algorithm": "sha512"}, "hashed_message": hashlib.sha512(b"").digest()}
STAMPING, SIGNING = ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING
TWO_PURPOSES = {"extensions": (x509.ExtendedKeyUsage([STAMPING, SIGNING]),)}
_USAGE = x509.KeyUsage(True, False, True, False, False, False, False, False, False)  # noqa: FBT003 - as in RFC 5280
TWO_USAGES = {"extensions": (x509.ExtendedKeyUsage([STAMPING]), _USAGE)}
REJECTED = bytes.fromhex("30053003020102")
FAILED = "There is no valid time stamp: {}. Nothing was sealed."
ANOTHER_REQUEST = "it is for another request"
NOT_TRUSTED = "its authority is not trusted, or a certificate has expired"
NOT_ALONE = "its certificate is not for time stamps alone"
NO_TIME_STAMP = "the response contains none"

Answer = Callable[[TimeStampAuthority, bytes], bytes]


def changing(**values: Any) -> Answer:
    """Answers another query than the one that came."""

    def make_body(authority: TimeStampAuthority, query: bytes) -> bytes:
        fields = {name: value for name, value in tsp.TimeStampReq.load(query).native.items() if value is not None}
        fields["message_imprint"] = tsp.TimeStampReq.load(query)["message_imprint"]
        return authority.respond(tsp.TimeStampReq(fields | values).dump())

    return make_body


def replacing(name: str, value: Any) -> Answer:
    """Answers with pyHanko's authority, which uses this in place of its own."""

    def make_body(authority: TimeStampAuthority, query: bytes) -> bytes:
        with mock.patch.object(dummy_client, name, value):
            return authority.respond(query)

    return make_body


def leave_out_the_certificate(kind: str, value: Any) -> cms.CMSAttribute:
    """A token without a signed reference to its signer's certificate (RFC 3161, section 2.4.2)."""
    other = cms.CMSAttribute({"type": "1.2.3.4", "values": [core.Null()]})
    return other if kind == "signing_certificate" else simple_cms_attribute(kind, value)  # type: ignore[no-untyped-call]


OTHER_NAME = SimpleNamespace(
    GeneralName=lambda **_: asn1_x509.GeneralName("directory_name", asn1_x509.Name.build({"common_name": "Other"}))
)


def late(minutes: int) -> Answer:
    return lambda authority, query: authority.respond(query, datetime.now(UTC) + timedelta(minutes=minutes))


def flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def request(url: str, *trusted: TimeStampAuthority) -> str:
    """Returns the error."""
    with pytest.raises(CannotRun) as caught:
        time_stamp.request_time_stamp(parse_url(url), trust(*trusted), hashlib.sha256(b"root").digest())
    return caught.value.message


@pytest.mark.fault("tsa-wrong")
@pytest.mark.parametrize(
    ("options", "make_body", "message"),
    [
        ({}, changing(nonce=1), ANOTHER_REQUEST),
        ({}, changing(message_imprint=IMPRINT), ANOTHER_REQUEST),
        ({}, changing(message_imprint=OTHER_HASH), ANOTHER_REQUEST),
        ({}, late(16), "its time and this machine's are more than 15 minutes apart"),
        ({}, late(-16), "its time and this machine's are more than 15 minutes apart"),
        ({}, lambda one, query: flip(one.respond(query)), "its signature is wrong"),
        ({}, lambda _, query: TimeStampAuthority().respond(query), NOT_TRUSTED),
        ({"days": -1}, TimeStampAuthority.respond, NOT_TRUSTED),
        (TWO_PURPOSES, TimeStampAuthority.respond, NOT_ALONE),
        ({"critical": False}, TimeStampAuthority.respond, NOT_ALONE),
        (TWO_USAGES, TimeStampAuthority.respond, NOT_ALONE),
        ({"root_days": -1}, TimeStampAuthority.respond, NOT_TRUSTED),
        ({}, replacing("simple_cms_attribute", leave_out_the_certificate), "its signature is wrong"),
        ({}, replacing("x509", OTHER_NAME), "it names another authority"),
        ({}, lambda one, query: one.respond(query)[:-1], NO_TIME_STAMP),
        ({}, lambda one, query: one.respond(query) + b"?", NO_TIME_STAMP),
        ({}, lambda *_: REJECTED, NO_TIME_STAMP),
        ({}, lambda *_: b"<html>", NO_TIME_STAMP),
        ({}, lambda *_: b"0" * 100_001, "the request to the authority failed (too_large 200)"),
    ],
)
def test_a_time_stamp_that_is_not_valid_is_refused(options: Any, make_body: Answer, message: str) -> None:
    authority = TimeStampAuthority(**options)
    with TimeStampServer(lambda query: make_body(authority, query)) as server:
        assert request(server.url, authority) == FAILED.format(message)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://tsa.example", ("http", 80, "/")),
        ("http://tsa.example:443/a", ("http", 443, "/a")),
        ("https://tsa.example/?a=http://b.example", ("https", 443, "/?a=http://b.example")),
    ],
)
def test_the_url_of_an_authority_may_be_http(text: str, found: tuple[str, int, str]) -> None:
    url = parse_url(text)
    assert (url.scheme, url.port, url.target) == found


def drip(seconds: float) -> Response:
    return raw(b"HTTP/1.1 200 OK\r\nX: ", *[b"x"] * 100, pause=seconds / 100)


@pytest.mark.fault("tsa-down", "tsa-slow")
@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (hang(), "timed_out"),
        (drip(60), "timed_out"),
        (reset, "unreachable"),
        (reply(500, b"down"), "status 500"),
        (reply(302, b"", {"Location": "http://127.0.0.1:1/"}), "status 302"),
        (chunked([b"0"], end=b""), "broken_answer 200"),
    ],
    ids=["hangs", "drips", "resets", "fails", "redirects", "cuts"],
)
def test_an_authority_that_does_not_answer_in_time_is_given_up(
    monkeypatch: pytest.MonkeyPatch, answer: Response, cause: str
) -> None:
    assert time_stamp.SECONDS <= 55
    monkeypatch.setattr(time_stamp, "SECONDS", 1 if cause == "timed_out" else 50)
    with ScriptedServer(answer) as server:
        assert request(server.url) == FAILED.format(f"the request to the authority failed ({cause})")
