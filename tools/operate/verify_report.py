"""Reports the findings of verify, as a table or as JSON. They are written at once and not kept in memory: there may be
one per certificate."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping

from tools.operate.output import Output
from tools.operate.signatures import Page
from tools.operate.verify import Altered, Finding, Problem

ALTERED = "altered"
"""The problem of a key that was deleted or overwritten."""


class Report(ABC):
    def __init__(self, output: Output) -> None:
        self._output = output
        self._counts: Counter[str] = Counter()

    @property
    def found(self) -> int:
        """The number of findings."""
        return self._unreadable + self._counts[ALTERED]

    @property
    def scanned(self) -> int:
        return self._counts["scanned"]

    def add(self, page: Page, findings: list[Finding]) -> None:
        for finding in findings:
            self._show(finding)
            self._counts[finding.problem] += 1
        self._counts.update(scanned=page.scanned, available=len(page.available), broken=len(page.broken))

    def add_altered(self, altered: Altered) -> None:
        self._show_altered(altered)
        self._counts[ALTERED] += 1

    @abstractmethod
    def end(self) -> None:
        """Writes the final numbers."""

    @abstractmethod
    def _show(self, finding: Finding) -> None: ...

    @abstractmethod
    def _show_altered(self, altered: Altered) -> None: ...

    @property
    def _unreadable(self) -> int:
        """The number of missing or damaged certificates."""
        return sum(self._counts[problem] for problem in Problem)

    def _count(self) -> dict[str, int]:
        missing = self._counts[Problem.MISSING]
        return {
            "scanned": self.scanned,
            "available": self._counts["available"],
            "intact": self._counts["available"] - self._unreadable,
            "missing": missing,
            "damaged": self._unreadable - missing,
            ALTERED: self._counts[ALTERED],
            "broken": self._counts["broken"],
        }


class TableReport(Report):
    """A table whose header is written with its first row."""

    _FINDINGS = f"{'PROBLEM':14}", f"{'SIGNATURE REQUEST':36}", "PROJECT"
    _ALTERED = f"{'PROBLEM':14}", "VERSIONS", "DELETE MARKERS", "KEY"

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._head: tuple[str, ...] = ()

    def end(self) -> None:
        if self.found:
            self._output.result("")
        self._output.numbers(self._count())

    def _show(self, finding: Finding) -> None:
        signature = finding.signature
        self._row(self._FINDINGS, f"{finding.problem:14}", f"{signature.id:36}", signature.project_id)

    def _show_altered(self, altered: Altered) -> None:
        numbers = f"{altered.versions:8}", f"{altered.delete_markers:14}"
        self._row(self._ALTERED, f"{ALTERED:14}", *numbers, altered.key)

    def _row(self, head: tuple[str, ...], *cells: str) -> None:
        if head != self._head:
            if self._head:
                self._output.result("")
            self._output.row(*head, style="bold")
            self._head = head
        self._output.row(*cells, style="red")


class JsonReport(Report):
    """One JSON object: the list of findings, then the numbers."""

    _START = '{"findings": ['

    def end(self) -> None:
        start = "" if self.found else self._START
        numbers = {**self._count(), "seconds": round(self._output.seconds(), 1)}
        self._output.result(f"{start}], {json.dumps(numbers)[1:]}")

    def _show(self, finding: Finding) -> None:
        signature = finding.signature
        self._entry({"problem": finding.problem, "signatureRequestId": signature.id, "projectId": signature.project_id})

    def _show_altered(self, altered: Altered) -> None:
        numbers = {"versions": altered.versions, "deleteMarkers": altered.delete_markers}
        self._entry({"problem": ALTERED, "key": altered.key, **numbers})

    def _entry(self, entry: Mapping[str, object]) -> None:
        self._output.result(f"{',' if self.found else self._START}{json.dumps(entry)}")
