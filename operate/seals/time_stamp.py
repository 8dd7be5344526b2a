"""Requests time stamps, and verifies them (RFC 3161)."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Self

import click
from asn1crypto import cms, tsp, x509
from pyhanko.keys import load_certs_from_pemder_data
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext

from certificates.errors import ProviderFailed
from certificates.https import run_within
from certificates.urls import Url
from operate.command_line import CannotRun
from operate.evidence.pdf_trust import trusted_authorities
from operate.stack import DeployedStack

SECONDS = 50.0
"""The longest that an authority may take, whatever it does."""

_MAX_BYTES = 100_000
_CLOCK_DIFFERENCE = timedelta(minutes=15)
_HEADERS = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}

for _name in ("pyhanko", "pyhanko_certvalidator"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)  # they warn of what is an error here

_SIGNING_CERTIFICATE = {"signing_certificate", "signing_certificate_v2"}
_NOT_TRUSTED = "its authority is not trusted, or a certificate has expired"

Certificates = Sequence[x509.Certificate]


@dataclass(frozen=True)
class TimeStamp:
    """A token (DER), and what it says. `imprint` is the SHA-256 that it stamps, `signer` the certificate of its key,
    `path` those from a trusted authority to it. `problem` says why the time stamp can't be trusted, or is None."""

    token: bytes
    imprint: bytes
    nonce: int | None
    time: datetime
    signer: x509.Certificate
    path: Certificates
    problem: str | None

    @classmethod
    def read(cls, token: bytes, trusted: Certificates, moment: datetime | None = None) -> Self:
        """Verifies a token at a moment, by default its own time. Raises ValueError if it is malformed."""
        try:
            signed = cms.ContentInfo.load(token)["content"]
            info = signed["encap_content_info"]["content"].parsed
            imprint, nonce, time = (info[name].native for name in ("message_imprint", "nonce", "gen_time"))
            sha256 = imprint["hashed_message"] if imprint["hash_algorithm"]["algorithm"] == "sha256" else b""
            context = ValidationContext(trust_roots=list(trusted), allow_fetching=False, moment=moment or time)
            found = asyncio.run(validate_tst_signed_data(signed, context, lambda _: sha256))
            path = list(found["validation_path"].iter_certs(include_root=True)) if found["validation_path"] else []
            (signer,) = signed["signer_infos"]
            problem = _find_problem(found, info, {one["type"].native for one in signer["signed_attrs"]})
            if path and min(one.not_valid_after for one in path) < (moment or time):  # pyHanko trusts a root for ever
                problem = _NOT_TRUSTED
            return cls(token, sha256, nonce, time, found["signing_cert"], path, problem)
        except Exception as error:  # a hostile token makes the libraries raise anything
            raise ValueError("not a time stamp") from error

    @property
    def ends(self) -> datetime:
        """When the first certificate of the path ends."""
        return min((one.not_valid_after for one in self.path), default=self.time)

    @property
    def authority(self) -> str:
        return str(self.signer.subject.native.get("common_name") or self.signer.subject.human_friendly)


def request_time_stamp(url: Url, trusted: Certificates, imprint: bytes) -> TimeStamp:
    """Raises CannotRun unless a valid time stamp of the imprint arrives in time."""
    hashed, nonce = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint}, secrets.randbits(63)
    query = tsp.TimeStampReq({"version": 1, "message_imprint": hashed, "nonce": nonce, "cert_req": True}).dump()
    try:
        response = run_within(SECONDS, lambda exchange: exchange.send(url, _HEADERS, _MAX_BYTES, {200}, query).content)
        token = tsp.TimeStampResp.load(response, strict=True)["time_stamp_token"].dump()
        stamp = TimeStamp.read(token, trusted, datetime.now(UTC))
        problem = stamp.problem
        if (stamp.imprint, stamp.nonce) != (imprint, nonce):
            problem = "it is for another request"
        elif abs(stamp.time - datetime.now(UTC)) > _CLOCK_DIFFERENCE:
            problem = "its time and this machine's are more than 15 minutes apart"
    except ProviderFailed as error:
        problem = f"the request to the authority failed ({error.reason} {error.upstream_status or ''}".rstrip() + ")"
    except ValueError:
        problem = "the response contains none"
    if problem:
        raise CannotRun(f"There is no valid time stamp: {problem}. Nothing was sealed.")
    return stamp


def find_trusted(stack: DeployedStack, file: BinaryIO | None) -> Certificates:
    """Returns the authorities of a file (PEM) or, without one, those that this machine trusts, and the local stack's
    own. Raises BadParameter."""
    own = file.read() if file else stack.outputs.get("TimeStampRoot", "").encode()
    try:
        found = list(load_certs_from_pemder_data(own)) if own or file else []
    except ValueError:
        raise click.BadParameter("It has no certificates in PEM.", param_hint="--tsa-ca") from None
    return found if file else found + trusted_authorities()


def _find_problem(found: dict[str, Any], info: tsp.TSTInfo, attributes: set[str]) -> str | None:
    """OpenSSL requires all of it, too. Sources: RFC 3161, sections 2.3 and 2.4.2; RFC 5816, section 2.2"""
    signer, authority = found["signing_cert"], info["tsa"]
    if not (found["intact"] and found["valid"]) or attributes.isdisjoint(_SIGNING_CERTIFICATE):
        return "its signature is wrong"
    if found["trust_problem_indic"]:
        return _NOT_TRUSTED
    usage, purposes = signer.key_usage_value, signer.extended_key_usage_value.native
    if purposes != ["time_stamping"] or "extended_key_usage" not in signer.critical_extensions:
        return "its certificate is not for time stamps alone"
    if usage is not None and not usage.native <= {"digital_signature", "non_repudiation"}:
        return "its certificate is not for time stamps alone"
    return None if authority.native is None or authority.chosen == signer.subject else "it names another authority"
