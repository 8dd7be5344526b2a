"""What reconcile remembers: how far each segment is done."""

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
    """`after` is the key of the last item that is done; None at the beginning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: _ItemKey | None = None
    is_done: bool = False


class Done(BaseModel):
    """`table` is the identity of the table that was walked."""

    model_config = ConfigDict(extra="forbid")

    table: str
    segments: Annotated[list[Segment], Field(min_length=1, max_length=CONNECTIONS)]
    counts: Counts = Counts()


class Memory:
    """Kept in a file after each page, if there is a file. Safe to use from several threads.

    The folder may be one that others can write to: no symbolic link is followed, neither for reading nor for writing.
    """

    def __init__(self, done: Done, file: Path | None) -> None:
        self._done = done
        self._file = file
        self._lock = threading.Lock()

    @classmethod
    def begin(cls, table: str, segments: int, file: Path | None = None) -> Self:
        """Raises CannotRun if the file can't be written."""
        memory = cls(Done(table=table, segments=[Segment()] * segments), file)
        memory._save()
        return memory

    @classmethod
    def load(cls, file: Path, table: str, segments: int | None) -> Self:
        """What an earlier run has left. Raises CannotRun if it does not fit."""
        try:
            with open(file, "rb", opener=_open_no_link) as saved:
                done = Done.model_validate_json(saved.read())
        except (ValidationError, OSError) as error:
            raise CannotRun(f"{file} is not a state of reconcile. Delete it, or give another --state.") from error
        if done.table != table:
            raise CannotRun(f"{file} is the state of another table. Delete it to start over, or give another --state.")
        if segments not in (None, len(done.segments)):
            raise CannotRun(f"{file} has {len(done.segments)} segments. Delete it to start over with {segments}.")
        return cls(done, file)

    @property
    def counts(self) -> Counts:
        return self._done.counts

    @property
    def segments(self) -> int:
        return len(self._done.segments)

    def open_segments(self) -> list[int]:
        return [number for number, segment in enumerate(self._done.segments) if not segment.is_done]

    def after(self, segment: int) -> Key | None:
        return self._done.segments[segment].after

    def complete(self, segment: int, last_key: Key | None, counts: Counts) -> None:
        """A page of the segment is done."""
        with self._lock:
            self._done.segments[segment] = Segment.model_validate({"after": last_key, "is_done": last_key is None})
            self._done.counts += counts
            self._save()

    def forget(self) -> None:
        if self._file:
            self._file.unlink(missing_ok=True)

    def _save(self) -> None:
        """An interruption here leaves the file of the page before."""
        if self._file is None:
            return
        new = self._file.with_name(f"{self._file.name}.new")
        try:
            new.unlink(missing_ok=True)  # left by a run that was killed, or planted
            with open(new, "x", opener=_open_no_link) as file:
                file.write(self._done.model_dump_json())
            new.replace(self._file)
        except OSError as error:
            raise CannotRun(f"{self._file} can't be written: {error.strerror}.") from error


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
