"""The progress of reconcile: how far each segment has been read."""

import os
import threading
from pathlib import Path
from typing import Annotated, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from tools.operate.failures import CannotRun
from tools.operate.signatures import Key
from tools.operate.target import CONNECTIONS


class Counts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    scanned: NonNegativeInt = 0
    available: NonNegativeInt = 0
    archived: NonNegativeInt = 0
    enqueued: NonNegativeInt = 0
    broken: NonNegativeInt = 0

    def __add__(self, other: "Counts") -> "Counts":
        ours, theirs = self.model_dump(), other.model_dump()
        return Counts(**{name: ours[name] + theirs[name] for name in ours})


class _Text(TypedDict):
    S: str


class _ItemKey(TypedDict):
    id: _Text


class Segment(BaseModel):
    """`after` is the key of the last processed item; None at the beginning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: _ItemKey | None = None
    is_done: bool = False


class State(BaseModel):
    """The content of the file. `table` is the identity of the table."""

    model_config = ConfigDict(extra="forbid")

    table: str
    segments: Annotated[list[Segment], Field(min_length=1, max_length=CONNECTIONS)]
    counts: Counts = Counts()


class Checkpoint:
    """The progress, saved after each page if there is a file. Safe to use from several threads.

    Others may be able to write to the folder: no symbolic link is followed, neither for reading nor for writing.
    """

    def __init__(self, state: State, file: Path | None) -> None:
        self._state = state
        self._file = file
        self._lock = threading.Lock()

    @classmethod
    def begin(cls, table: str, segments: int, file: Path | None = None) -> Self:
        """Starts at the beginning. Raises CannotRun if the file can't be written."""
        checkpoint = cls(State(table=table, segments=[Segment()] * segments), file)
        checkpoint._save()
        return checkpoint

    @classmethod
    def load(cls, file: Path, table: str, segments: int | None) -> Self:
        """Loads the state of an earlier run. Raises CannotRun if it does not match."""
        try:
            with open(file, "rb", opener=_open_no_link) as saved:
                state = State.model_validate_json(saved.read())
        except (ValidationError, OSError) as error:
            raise CannotRun(f"{file} is not a state file of reconcile. Delete it, or give another --state.") from error
        if state.table != table:
            raise CannotRun(f"{file} belongs to another table. Delete it to start over, or give another --state.")
        if segments not in (None, len(state.segments)):
            raise CannotRun(f"{file} has {len(state.segments)} segments. Delete it to start over with {segments}.")
        return cls(state, file)

    @property
    def counts(self) -> Counts:
        return self._state.counts

    @property
    def segments(self) -> int:
        return len(self._state.segments)

    def open_segments(self) -> list[int]:
        return [number for number, segment in enumerate(self._state.segments) if not segment.is_done]

    def after(self, segment: int) -> Key | None:
        return self._state.segments[segment].after

    def complete(self, segment: int, last_key: Key | None, counts: Counts) -> None:
        """Records that a page of the segment is done."""
        with self._lock:
            self._state.segments[segment] = Segment.model_validate({"after": last_key, "is_done": last_key is None})
            self._state.counts += counts
            self._save()

    def delete(self) -> None:
        if self._file:
            self._file.unlink(missing_ok=True)

    def _save(self) -> None:
        """Saves the state. An interruption leaves the file of the previous page."""
        if self._file is None:
            return
        new = self._file.with_name(f"{self._file.name}.new")
        try:
            new.unlink(missing_ok=True)  # left by a run that was killed, or planted
            with open(new, "x", opener=_open_no_link) as file:
                file.write(self._state.model_dump_json())
            new.replace(self._file)
        except OSError as error:
            raise CannotRun(f"{self._file} can't be written: {error.strerror}.") from error


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
