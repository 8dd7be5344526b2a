"""A time-stamping authority of the tests' own: `openssl ts` behind a small server."""

import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from asn1crypto import tsp
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.keys import load_certs_from_pemder_data

from develop.fakes.server import Request, Response, ScriptedServer, reply
from develop.local.time_stamps import TimeStampAuthority
from operate.seals.time_stamp import Certificates, TimeStamp

_CONFIG = """[tsa]
default_tsa = t
[t]
serial = serial
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
"""


def respond_by_openssl(authority: TimeStampAuthority, query: bytes) -> bytes:
    """Works in the current folder."""
    key = authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files = {"query": query, "key.pem": key, "tsa.pem": authority.certificate.public_bytes(Encoding.PEM)}
    for name, content in (files | {"tsa.cnf": _CONFIG.encode()}).items():
        Path(name).write_bytes(content)
    arguments = "openssl ts -reply -config tsa.cnf -queryfile query -signer tsa.pem -inkey key.pem -out response"
    subprocess.run(arguments.split(), check=True, capture_output=True)
    return Path("response").read_bytes()


class TimeStampServer(ScriptedServer):
    """Answers each query with the body that `make_body` makes of it."""

    def __init__(self, make_body: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self.make_body = make_body

    def find_response(self, request: Request) -> Response:
        self.requests.append(request)
        return reply(200, self.make_body(request.body))


def trust(*authorities: TimeStampAuthority) -> Certificates:
    return [one for authority in authorities for one in load_certs_from_pemder_data(authority.root)]


def stamp(imprint: bytes, authority: TimeStampAuthority, time: datetime | None = None) -> TimeStamp:
    """Makes a time stamp of a SHA-256."""
    hashed = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint}
    response = authority.respond(tsp.TimeStampReq({"version": 1, "message_imprint": hashed}).dump(), time)
    return TimeStamp.read(tsp.TimeStampResp.load(response)["time_stamp_token"].dump(), trust(authority))
