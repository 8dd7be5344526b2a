"""Runs one fault: the client's reply while it lasts, and the state afterwards."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from develop.fakes.cloud import Cloud, Script
from develop.fakes.memory import etag
from tests.support.execution_environments import ExecutionEnvironments, Outcome, download_event, invoke
from tests.support.log import Line
from tests.support.pdf import pdf
from tests.support.responses import whole

PDF = pdf()
SERVICE = {"service": "download_certificate"}


def signature_id(name: str) -> str:
    """The signature request of the fault with this name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


@dataclass(frozen=True)
class Fault:
    """A fault during one download. `asked` lists all operations that the download may cost; `settings` are those of an
    execution environment that differs from the others."""

    asked: str
    script: Script
    is_archived: bool = True
    detail: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> tuple[tuple[str, Any], ...]:
        """Equal for faults that may share an execution environment."""
        return tuple(self.settings.items())


@dataclass(frozen=True)
class FaultResult:
    """`archived` is the archived content while the fault lasts; `after` is the reply to the next request once the fault
    is over, and `kept` the archived content then."""

    signature_id: str
    outcome: Outcome
    asked: str
    archived: bytes | None
    after: dict[str, Any]
    kept: bytes

    @property
    def lines(self) -> list[Line]:
        """The log lines without the fields that differ between runs."""
        names = ("level", "message", "status", "signature_id", "source", "code", "detail")
        return [{name: line[name] for name in names if name in line} for line in self.outcome.lines]

    @property
    def seen(self) -> dict[str, Any]:
        """What a client, a log and AWS saw of the fault, and the client of its end."""
        found = {"reply": self.outcome.reply, "lines": self.lines, "metrics": self.outcome.metrics, "asked": self.asked}
        return found | {"after": self.after}

    def expect(self, fault: Fault, reply: dict[str, Any], *lines: Line, **metrics: dict[str, str]) -> dict[str, Any]:
        """Makes the value of `seen` for this fault. Once it is over, the next request gets what is archived."""
        return {
            "reply": reply,
            "lines": list(lines),
            "metrics": {name: [dimensions | SERVICE] for name, dimensions in metrics.items()},
            "asked": fault.asked,
            "after": whole(self.kept, etag(self.kept), self.signature_id),
        }


Faults = dict[str, Fault]
"""By name."""

GetResult = Callable[[str], FaultResult]
"""Returns the result of the fault with this name."""


def run_fault(name: str, fault: Fault, cloud: Cloud, instances: ExecutionEnvironments) -> FaultResult:
    id_ = signature_id(name)
    cloud.tables.put_signature(id_)
    if fault.is_archived:
        cloud.archive(id_, PDF)
    cloud.script(id_, fault.script)
    with instances.borrow() as instance:
        outcome = invoke(instance, download_event(id_, **fault.headers))
        asked, archived = " ".join(cloud.asked[id_]), cloud.archived(id_)
        cloud.script(id_, {})
        # A failure of the provider is remembered until then.
        cloud.tables.put_signature(id_, providerRequestId={"S": f"changed_{id_}"})
        after = invoke(instance, download_event(id_)).reply
    return FaultResult(id_, outcome, asked, archived, after, cloud.archived(id_) or b"")


def refusal_line(fault: Fault, result: FaultResult, status: int, code: str) -> Line:
    """The log line of a refused request."""
    return {
        "level": "ERROR",
        "message": "request_refused",
        "status": status,
        "signature_id": result.signature_id,
        "code": code,
        "detail": fault.detail,
    }


def served_line(result: FaultResult, source: str) -> Line:
    """The log line of a served certificate."""
    return {
        "level": "INFO",
        "message": "certificate_served",
        "status": 200,
        "signature_id": result.signature_id,
        "source": source,
    }
