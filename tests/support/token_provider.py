"""A stand-in for a provider whose access tokens expire. It enforces what the provider documents."""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from develop.fakes.server import Request, Response, ScriptedServer, reply
from tests.support.pdf import pdf

PDF = pdf(5000)
HOUR = 3600
FILE = "/d/1/9f86d081/download"
"""Where a provider that redirects has its files."""


@dataclass(frozen=True)
class Documented:
    """What a provider documents. `target` is that of the request for the certificate `a/1`; `form` has the fields of a
    request for a token except the assertion and the refresh token, `basic` the client in HTTP Basic, `claims` those of
    the assertion."""

    target: str
    token_target: str
    form: dict[str, str]
    basic: str | None = None
    claims: dict[str, str] = field(default_factory=dict)
    scheme: str = "Bearer"
    lifetime: int = HOUR
    rotates: bool = False
    redirects: bool = False


class StandIn(ScriptedServer):
    """The provider's token endpoint and its certificates. Its time is `now`, in seconds."""

    def __init__(self, documented: Documented, public_key: bytes) -> None:
        super().__init__()
        self.documented = documented
        self.now = 1_790_000_000
        self.refresh_token = "REFRESH_TOKEN"  # noqa: S105
        self.issued: dict[str, int] = {}
        """When each access token was issued."""
        self._uploaded = load_der_public_key(public_key)

    def find_response(self, request: Request) -> Response:
        authorization = request.headers.get("authorization")
        if (request.method, request.target) == ("POST", self.documented.token_target):
            return self._answer_token(request, authorization)
        if request.target == FILE and authorization is None:
            return reply(body=PDF)
        if request.target != self.documented.target:
            return reply(404)
        return self._answer_certificate(authorization or "")

    def _answer_certificate(self, authorization: str) -> Response:
        scheme, _, token = authorization.partition(" ")
        ends = self.issued.get(token, 0) + self.documented.lifetime
        if scheme != self.documented.scheme or self.now >= ends:
            return reply(401)
        if self.documented.redirects:
            return reply(302, headers={"Location": f"http://localhost:{self.port}{FILE}"})
        return reply(body=PDF, headers={"Content-Type": "application/pdf"})

    def _answer_token(self, request: Request, authorization: str | None) -> Response:
        form = dict(parse_qsl(request.body.decode(), strict_parsing=True))
        assertion = form.pop("assertion", "")
        expected = self.documented.form
        if expected["grant_type"] == "refresh_token":
            expected = expected | {"refresh_token": self.refresh_token}
        is_form = request.headers["content-type"] == "application/x-www-form-urlencoded"
        is_right = is_form and (authorization, form) == (self.documented.basic, expected)
        if is_right and (self._accepts(assertion) if self.documented.claims else not assertion):
            return self._issue()
        return reply(400, b'{"error": "invalid_grant"}')

    def _issue(self) -> Response:
        number = len(self.issued) + 1
        self.issued[f"access-{number}"] = self.now
        tokens: dict[str, object] = {"access_token": f"access-{number}", "expires_in": self.documented.lifetime}
        if self.documented.rotates:
            self.refresh_token = tokens["refresh_token"] = f"refresh-{number}"
        return reply(body=json.dumps(tokens).encode())

    def _accepts(self, assertion: str) -> bool:
        """RFC 7523, section 3, with at most an hour between the times."""
        signed, _, signature = assertion.rpartition(".")
        header, claims = (json.loads(urlsafe_b64decode(part + "==")) for part in signed.split("."))
        issued, ends = claims.pop("iat"), claims.pop("exp")
        assert isinstance(self._uploaded, RSAPublicKey)
        try:
            self._uploaded.verify(urlsafe_b64decode(signature + "=="), signed.encode(), padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        is_timely = issued <= self.now < ends <= issued + HOUR
        return is_timely and (header["alg"], claims) == ("RS256", self.documented.claims)
