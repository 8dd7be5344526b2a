"""One fault, what the client gets while it lasts, and what is there afterwards."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.cloud import Cloud, Script
from tests.support.log import Line
from tests.support.pdf import pdf
from tests.support.sandboxes import Outcome, Sandboxes, ask, download

PDF = pdf()
SERVICE = {"service": "download_certificate"}


def signature_id(name: str) -> str:
    """Of the signature request that a fault befalls."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


@dataclass(frozen=True)
class Fault:
    """Befalls a request for a certificate that is archived already, or not. `asked` are all operations that it may
    cost, `settings` those of a sandbox that is not like the others."""

    asked: str
    script: Script
    is_archived: bool = True
    detail: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> tuple[tuple[str, Any], ...]:
        """The same for faults that may share a sandbox."""
        return tuple(self.settings.items())


@dataclass(frozen=True)
class Ran:
    """`archived` is what the archive holds while the fault lasts; `after` the sandbox's reply to the next request once
    it is over, and `kept` what the archive holds then."""

    signature_id: str
    outcome: Outcome
    asked: str
    archived: bytes | None
    after: dict[str, Any]
    kept: bytes

    @property
    def lines(self) -> list[Line]:
        """Without what differs from one to the next."""
        names = ("level", "message", "status", "signature_id", "source", "code", "detail")
        return [{name: line[name] for name in names if name in line} for line in self.outcome.lines]


Faults = dict[str, Fault]
"""By name."""

Run = Callable[[str], Ran]
"""What became of a fault, by its name."""


def run(name: str, fault: Fault, cloud: Cloud, sandboxes: Sandboxes) -> Ran:
    id_ = signature_id(name)
    cloud.put_signature(id_)
    if fault.is_archived:
        cloud.archive(id_, PDF)
    cloud.script(id_, fault.script)
    with sandboxes.one() as sandbox:
        outcome = ask(sandbox, download(id_, **fault.headers))
        asked, archived = " ".join(cloud.asked[id_]), cloud.archived(id_)
        cloud.script(id_, {})
        after = ask(sandbox, download(id_)).reply
    return Ran(id_, outcome, asked, archived, after, cloud.archived(id_) or b"")


def refused(fault: Fault, ran: Ran, status: int, code: str) -> list[Line]:
    """What the log says."""
    return [
        {
            "level": "ERROR",
            "message": "request_refused",
            "status": status,
            "signature_id": ran.signature_id,
            "code": code,
            "detail": fault.detail,
        }
    ]


def served(ran: Ran, source: str) -> Line:
    return {
        "level": "INFO",
        "message": "certificate_served",
        "status": 200,
        "signature_id": ran.signature_id,
        "source": source,
    }
