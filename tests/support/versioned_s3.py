"""A bucket with versions, in memory, whose calls can be interrupted."""

import io
import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from develop.fakes.memory import answer, error, etag, sha256


class VersionedS3:
    """`versions` has the versions of each key, the oldest first; the content of a delete marker is None. `interrupt` is
    called at the call of this number, before its effect, or after it: each call counts twice."""

    def __init__(self) -> None:
        self.versions: dict[str, list[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.interrupt(0, lambda: None)

    def interrupt(self, tick: int, act: Callable[[], None]) -> None:
        self.ticks, self._interrupt_at, self._interrupt = 0, tick, act

    def _tick(self) -> None:
        with self._lock:
            self.ticks += 1
            is_due = self.ticks == self._interrupt_at
        if is_due:
            self._interrupt()

    def put(self, key: str, content: bytes | None) -> None:
        number = next(self._numbers)
        created = datetime(2026, 12, 1, tzinfo=UTC) + timedelta(seconds=number)
        version = {"Key": key, "VersionId": f"v{number}", "LastModified": created, "content": content}
        self.versions.setdefault(key, []).append(version)

    def get_paginator(self, _: str) -> "VersionedS3":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Iterator[Any]:  # noqa: ARG002, N803
        self._tick()
        entries = [one for key in sorted(self.versions) for one in self.versions[key][::-1] if key.startswith(Prefix)]
        self._tick()
        versions = [one | {"Size": len(one["content"])} for one in entries if one["content"] is not None]
        yield {
            "IsTruncated": False,
            "Versions": versions,
            "DeleteMarkers": [one for one in entries if one["content"] is None],
        }

    def _find(self, key: str, version: str) -> bytes:
        self._tick()
        (content,) = [one["content"] for one in self.versions[key] if one["VersionId"] == version]
        self._tick()
        return bytes(content)

    def head_object(self, Key: str, VersionId: str, **_: str) -> Any:  # noqa: N803
        return answer(200, ChecksumSHA256=sha256(self._find(Key, VersionId)))

    def get_object(self, Key: str, VersionId: str, **_: str) -> Any:  # noqa: N803
        content = self._find(Key, VersionId)
        return answer(200, ETag=etag(content), ContentLength=len(content), Body=io.BytesIO(content))

    def put_object(self, Key: str, Body: bytes, IfNoneMatch: str, **_: str) -> Any:  # noqa: N803
        self._tick()
        with self._lock:
            if IfNoneMatch == "*" and self.versions.get(Key, [{"content": None}])[-1]["content"] is not None:
                raise error("PreconditionFailed")
            self.put(Key, Body)
        self._tick()
        return answer(200, ETag=etag(Body))
