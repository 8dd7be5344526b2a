"""The progress of a long command, from which the next run resumes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field, NonNegativeInt, ValidationError

from certificates.aws import AwsError
from certificates.errors import CertificateError
from operate.command_line import CannotRun, describe_error
from operate.output import remark, write_finding

Finding = Mapping[str, str | int]
"""A `problem`, and the signature request or the key that has it."""


class Checkpoint(BaseModel):
    """Saved after each step if there is a file. `work` says what the numbers are about: the command, its options and
    the table. `done` has the last key of the archive and the last id of the table that were processed, and None at the
    end of each."""

    work: str
    done: dict[str, str | None] = {}
    counts: dict[str, NonNegativeInt]
    file: Path | None = Field(default=None, exclude=True)

    def record(self, counts: Mapping[str, int], findings: Sequence[Finding] = ()) -> None:
        for finding in findings:
            write_finding(finding)
        self.counts = {name: count + counts.get(name, 0) for name, count in self.counts.items()}

    def save(self, **done: str | None) -> None:
        """An interruption leaves the file of the step before. Others may be able to write to the folder: mode x follows
        no link."""
        self.done |= done
        if self.file:
            new = self.file.with_name(f"{self.file.name}.new")
            new.unlink(missing_ok=True)  # left by a run that was killed
            with new.open("x") as file:
                file.write(self.model_dump_json())
            new.replace(self.file)


@contextmanager
def resuming(file: Path | None, work: str, names: Iterable[str]) -> Iterator[Checkpoint]:
    """Yields the progress of an earlier run if its file is there, else that of a new one, which counts by these names.
    Deletes the file at the end. An error says how to resume.

    Raises CannotRun, before any work if the file does not match.
    """
    checkpoint = Checkpoint(work=work, counts=dict.fromkeys(names, 0))
    if file and file.exists():
        try:
            checkpoint = Checkpoint.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise CannotRun(f"{file} does not hold the progress of a command. Delete it to start over.") from error
        if checkpoint.work != work:
            raise CannotRun(f"{file} belongs to another table or to other options. Delete it to start over.")
        remark(f"Resuming after {checkpoint.counts['scanned']:,} items ({file}).")
    checkpoint.file = file
    checkpoint.save()
    try:
        yield checkpoint
    except (CannotRun, CertificateError, *AwsError, KeyboardInterrupt) as error:
        raise CannotRun(describe_error(error) + (f" Run it again to resume ({file})." if file else "")) from error
    if file:
        file.unlink(missing_ok=True)
