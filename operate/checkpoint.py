"""The progress of `archive reconcile`: how far each segment of the table has been read."""

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from operate.command_line import CannotRun
from operate.stack import CONNECTIONS


class Counts(BaseModel):
    model_config = ConfigDict(extra="forbid")

    scanned: NonNegativeInt = 0
    available: NonNegativeInt = 0
    archived: NonNegativeInt = 0
    enqueued: NonNegativeInt = 0
    broken: NonNegativeInt = 0


class Segment(BaseModel):
    """`after` is the id of the last processed item; None at the beginning."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = None
    is_done: bool = False


class Checkpoint(BaseModel):
    """Saved after each page if there is a file. `table` is the identity of the table.

    Others may be able to write to the folder: no symbolic link is followed, neither for reading nor for writing.
    """

    model_config = ConfigDict(extra="forbid")

    table: str
    segments: Annotated[list[Segment], Field(min_length=1, max_length=CONNECTIONS)]
    counts: Counts = Counts()
    file: Path | None = Field(default=None, exclude=True)

    @classmethod
    def begin(cls, table: str, segments: int, file: Path | None) -> Self:
        """Starts at the beginning. Raises CannotRun if the file can't be written."""
        checkpoint = cls(table=table, segments=[Segment()] * segments, file=file)
        checkpoint._save()
        return checkpoint

    @classmethod
    def load(cls, file: Path, table: str, segments: int | None) -> Self:
        """Loads the file of an earlier run. Raises CannotRun if it does not match."""
        try:
            with open(file, "rb", opener=_open_no_link) as saved:
                checkpoint = cls.model_validate_json(saved.read())
        except (ValidationError, OSError) as error:
            raise CannotRun(f"{file} is not a state file of reconcile. Delete it, or give another --state.") from error
        if checkpoint.table != table:
            raise CannotRun(f"{file} belongs to another table. Delete it to start over, or give another --state.")
        if segments not in (None, len(checkpoint.segments)):
            raise CannotRun(f"{file} has {len(checkpoint.segments)} segments. Delete it to start over with {segments}.")
        checkpoint.file = file
        return checkpoint

    def complete_page(self, segment: int, last_id: str | None, **counts: int) -> None:
        """Adds the page's `counts`, named like the fields of Counts."""
        self.segments[segment] = Segment(after=last_id, is_done=last_id is None)
        self.counts = Counts(**{name: count + counts.get(name, 0) for name, count in self.counts})
        self._save()

    def delete(self) -> None:
        if self.file:
            self.file.unlink(missing_ok=True)

    def _save(self) -> None:
        """Saves the state. An interruption leaves the file of the previous page."""
        if self.file is None:
            return
        new = self.file.with_name(f"{self.file.name}.new")
        try:
            new.unlink(missing_ok=True)  # left by a run that was killed, or planted
            with open(new, "x", opener=_open_no_link) as file:
                file.write(self.model_dump_json())
            new.replace(self.file)
        except OSError as error:
            raise CannotRun(f"{self.file} can't be written: {error.strerror}.") from error


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
