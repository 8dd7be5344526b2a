"""What verify has found, as a table and as JSON. Findings are written as they come and not kept: there may be as many
of them as there are certificates."""

import json
from abc import ABC, abstractmethod
from collections import Counter

from tools.operate.output import Output, printable
from tools.operate.signatures import Page
from tools.operate.verify import Finding, Problem


class Report(ABC):
    def __init__(self, output: Output) -> None:
        self._output = output
        self._counts: Counter[str] = Counter()

    @property
    def found(self) -> int:
        """How many certificates are missing or damaged."""
        return sum(self._counts[problem] for problem in Problem)

    @property
    def scanned(self) -> int:
        return self._counts["scanned"]

    def add(self, page: Page, findings: list[Finding]) -> None:
        for finding in findings:
            self._show(finding)
            self._counts[finding.problem] += 1
        self._counts.update(scanned=page.scanned, available=len(page.available), broken=len(page.broken))

    @abstractmethod
    def end(self) -> None:
        """Writes the numbers."""

    @abstractmethod
    def _show(self, finding: Finding) -> None: ...

    def _numbers(self) -> dict[str, int]:
        missing = self._counts[Problem.MISSING]
        return {
            "scanned": self.scanned,
            "available": self._counts["available"],
            "intact": self._counts["available"] - self.found,
            "missing": missing,
            "damaged": self.found - missing,
            "broken": self._counts["broken"],
        }


class TableReport(Report):
    """The head of the table comes with its first row."""

    def end(self) -> None:
        if self.found:
            self._output.result("")
        self._output.numbers(self._numbers())

    def _show(self, finding: Finding) -> None:
        if not self.found:
            self._output.row(f"{'PROBLEM':14}", f"{'SIGNATURE REQUEST':36}", "PROJECT", style="bold")
        signature = finding.signature
        cells = f"{finding.problem:14}", f"{printable(signature.id):36}", signature.project_id
        self._output.row(*cells, style="red")


class JsonReport(Report):
    """One object: the numbers behind the list of findings."""

    _START = '{"findings": ['

    def end(self) -> None:
        start = "" if self.found else self._START
        numbers = {**self._numbers(), "seconds": round(self._output.seconds(), 1)}
        self._output.result(f"{start}], {json.dumps(numbers)[1:]}")

    def _show(self, finding: Finding) -> None:
        signature = finding.signature
        entry = {"problem": finding.problem, "signatureRequestId": signature.id, "projectId": signature.project_id}
        self._output.result(f"{',' if self.found else self._START}{json.dumps(entry)}")
