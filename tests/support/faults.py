"""Runs one fault, and compares what is seen of it, while it lasts and afterwards, with what should be."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from develop.fakes.cloud import Cloud, Script
from develop.fakes.memory import etag, sha256
from tests.support.execution_environments import ExecutionEnvironments, Outcome, download_event, invoke
from tests.support.log import Line
from tests.support.pdf import pdf
from tests.support.responses import UPSTREAM, whole

PDF = pdf()
SERVICE = {"service": "download_certificate"}


def signature_id(name: str) -> str:
    """The signature request of the fault with this name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


@dataclass(frozen=True)
class Fault:
    """A fault during one download. `asked` lists all operations that the download may cost. The client gets `refusal`
    or the certificate: the archived one, or `unarchived` after a failed write. `settings` are those of an execution
    environment that differs from the others."""

    asked: str
    script: Script
    refusal: Mapping[str, Any] | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    is_archived: bool = True
    unarchived: bytes | None = None
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

    fault: Fault
    signature_id: str
    outcome: Outcome
    asked: str
    archived: bytes | None
    after: dict[str, Any]
    kept: bytes

    @property
    def seen(self) -> dict[str, Any]:
        """What a client, a log and AWS saw of the fault, and the client of its end. Without the fields that differ
        between runs."""
        names = ("level", "message", "status", "source", "code", "detail")
        assert {line["signature_id"] for line in self.outcome.lines} == {self.signature_id}
        return {
            "reply": self.outcome.reply,
            "lines": [{name: line[name] for name in names if name in line} for line in self.outcome.lines],
            "metrics": self.outcome.metrics,
            "asked": self.asked,
            "is archived": self.archived is not None,
            "after": self.after,
        }

    @property
    def expected(self) -> dict[str, Any]:
        """The value of `seen`. Once the fault is over, the next request gets what is archived."""
        fault, lines = self.fault, list[Line]()
        content = self.archived or fault.unarchived or b""
        tag = f'"{sha256(content)}"' if fault.unarchived else etag(content)
        metrics: dict[str, dict[str, str]] = {} if fault.is_archived else {"ProviderMilliseconds": {}}
        if fault.unarchived:
            lines.append({"level": "ERROR", "message": "archive_write_failed", "detail": fault.detail})
            metrics["ArchiveWriteFailures"] = {}
        if fault.refusal:
            reply, code = fault.refusal, json.loads(fault.refusal["body"])["error"]["code"]
            line = {"level": "ERROR", "message": "request_refused", "status": reply["statusCode"]}
            lines.append(line | {"code": code, "detail": fault.detail})
            metrics |= {"RequestsRefused": {"code": code}} | ({"UpstreamFailures": {}} if reply == UPSTREAM else {})
        else:
            reply = whole(content, tag, self.signature_id)
            source = {"source": "archive" if fault.is_archived else "provider"}
            lines.append({"level": "INFO", "message": "certificate_served", "status": 200} | source)
            metrics["CertificatesServed"] = source
        return {
            "reply": reply,
            "lines": lines,
            "metrics": {name: [dimensions | SERVICE] for name, dimensions in metrics.items()},
            "asked": fault.asked,
            "is archived": fault.is_archived or not (fault.refusal or fault.unarchived),
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
    return FaultResult(fault, id_, outcome, asked, archived, after, cloud.archived(id_) or b"")
