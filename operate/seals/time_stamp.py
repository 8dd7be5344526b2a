"""Requests time stamps, and verifies them (RFC 3161)."""

import asyncio
import dataclasses
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from asn1crypto import cms, tsp, x509
from pyhanko.keys import load_certs_from_pemder_data
from pyhanko.sign.general import extract_certificate_info
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext

from certificates.errors import ProviderFailed
from certificates.https import run_within
from certificates.urls import Url
from operate.command_line import CannotRun

SECONDS = 50.0
"""The longest that an authority may take, whatever it does."""

_MAX_RESPONSE_BYTES = 100_000
_CLOCK_DIFFERENCE = timedelta(minutes=15)
_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}

for _name in ("pyhanko", "pyhanko_certvalidator"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # they warn of what is an error here

Certificates = Sequence[x509.Certificate]


class InvalidTimeStamp(Exception):
    """The text says why, in words of our own."""


@dataclass(frozen=True)
class TimeStamp:
    """What a token (DER) says, not verified. `imprint` is the SHA-256 that it stamps, `expires` the end of its signer's
    certificate, and `authority` the name in it."""

    token: bytes
    imprint: bytes
    nonce: int | None
    time: datetime
    authority: str
    expires: datetime

    @classmethod
    def parse(cls, token: bytes) -> Self:
        """Raises InvalidTimeStamp."""
        try:
            signed = cms.ContentInfo.load(token, strict=True)["content"]
            info = signed["encap_content_info"]["content"].parsed
            imprint, nonce, time = (info[name].native for name in ("message_imprint", "nonce", "gen_time"))
            signer = extract_certificate_info(signed).signer_cert
            name = signer.subject.native.get("common_name") or signer.subject.human_friendly
            if imprint["hash_algorithm"]["algorithm"] != "sha256":
                raise InvalidTimeStamp("it stamps no SHA-256")  # noqa: TRY301
            return cls(token, imprint["hashed_message"], nonce, time, str(name), signer.not_valid_after)
        except InvalidTimeStamp:
            raise
        except Exception as error:
            raise InvalidTimeStamp("it is malformed") from error

    def verify(self, trusted: Certificates, moment: datetime | None = None) -> list[x509.Certificate]:
        """Returns the path from a trusted authority to the signer's certificate, which is for time stamps alone. Raises
        InvalidTimeStamp unless all of it is valid at the moment, by default now."""
        context = ValidationContext(trust_roots=list(trusted), allow_fetching=False, moment=moment)
        try:
            signed = cms.ContentInfo.load(self.token, strict=True)["content"]
            found = asyncio.run(validate_tst_signed_data(signed, context, lambda _: self.imprint))
            signer: Any = found["signing_cert"]
            purposes, critical = signer.extended_key_usage_value, signer.critical_extensions
        except Exception as error:
            raise InvalidTimeStamp("it can't be verified") from error
        if not (found["intact"] and found["valid"]):
            raise InvalidTimeStamp("its signature is wrong")
        if problem := found["trust_problem_indic"]:
            raise InvalidTimeStamp(f"its authority is not trusted ({problem.name.replace('_', ' ').lower()})")
        # RFC 3161, section 2.3. OpenSSL requires the same.
        if purposes is None or purposes.native != ["time_stamping"] or "extended_key_usage" not in critical:
            raise InvalidTimeStamp("its signer's certificate is not for time stamps alone")
        return list(found["validation_path"].iter_certs(include_root=True))


@dataclass(frozen=True)
class Authority:
    """A time-stamping authority. `trusted` are the certificates that may have issued its own."""

    url: Url
    trusted: Certificates

    def stamp(self, imprint: bytes) -> TimeStamp:
        """Raises CannotRun unless the authority answers in time with a valid time stamp of the imprint."""
        hashed = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint}
        request = {"version": 1, "message_imprint": hashed, "nonce": secrets.randbits(63), "cert_req": True}
        query = tsp.TimeStampReq(request).dump()
        try:
            response = run_within(
                SECONDS, lambda exchange: exchange.send(self.url, _HEADERS, _MAX_RESPONSE_BYTES, {200}, query).content
            )
            stamp = TimeStamp.parse(_find_token(response))
            if (stamp.imprint, stamp.nonce) != (imprint, request["nonce"]):
                raise InvalidTimeStamp("it answers another request")  # noqa: TRY301
            stamp.verify(self.trusted)
            if abs(stamp.time - datetime.now(UTC)) > _CLOCK_DIFFERENCE:
                raise InvalidTimeStamp("its time and this machine's are over 15 minutes apart")  # noqa: TRY301
        except ProviderFailed as error:
            cause = f"{error.reason} {error.upstream_status or ''}".strip()
            raise CannotRun(f"The time-stamping authority gave no response: {cause}. Nothing was sealed.") from error
        except InvalidTimeStamp as error:
            raise CannotRun(f"The time stamp is refused: {error}. Nothing was sealed.") from error
        return stamp


def load_certificates(content: bytes) -> Certificates:
    """Raises CannotRun unless the content is certificates in PEM or one in DER."""
    try:
        return list(load_certs_from_pemder_data(content))
    except ValueError as error:
        raise CannotRun("The file of trusted authorities has something else than certificates.") from error


def parse_url(text: str) -> Url:
    """Plain http is allowed: the response is signed. Raises ValueError."""
    url = Url.parse(text.replace("http://", "https://", 1))
    if text.startswith("https://"):
        return url
    return dataclasses.replace(url, scheme="http", port=80 if url.has_default_port else url.port)


def _find_token(response: bytes) -> bytes:
    try:
        parsed = tsp.TimeStampResp.load(response, strict=True)
        status, token = parsed["status"]["status"].native, parsed["time_stamp_token"]
        if status in {"granted", "granted_with_mods"}:
            return bytes(token.dump())
    except Exception as error:
        raise InvalidTimeStamp("the response is malformed") from error
    raise InvalidTimeStamp(f"the authority answers {status}")
