"""The benchmark's cloud: it responds from memory after fixed delays.

A certificate's id encodes its size and whether it is archived.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from develop.fakes.cloud import Cloud, certificate, identify
from develop.fakes.server import Request, Response, reply
from develop.template import Stack

STACK = "craftkit-bench"
_ID = re.compile(r"(?P<state>[af])[0-9a-f]{7}-0000-4000-8000-(?P<size>[0-9]{12})")


def certificate_id(size: int, number: int = 0, *, archived: bool = True) -> str:
    """Returns the id of a signature request with a certificate of `size` bytes. `number` makes it unique."""
    return f"{'a' if archived else 'f'}{number:07x}-0000-4000-8000-{size:012}"


MILLISECONDS = {"GetObject": 15.0, "PutObject": 15.0}
"""From a request's arrival to its response. Operations of DynamoDB, Secrets Manager and SQS take 4."""

_render = cache(certificate)


class Stub(Cloud):
    """Creates each signature request when it is first asked for it, and keeps no record of its requests."""

    def __init__(self, provider: float) -> None:
        super().__init__(Stack(STACK, {}))
        self._milliseconds = MILLISECONDS | {"Certificate": provider}

    def find_response(self, request: Request) -> Response:
        arrived = time.perf_counter()
        operation, name = identify(request)
        if found := _ID.fullmatch(name):
            self.tables.put_signature(name)
            if found["state"] == "a" and self.archived(name) is None:
                self.archive(name, _render(int(found["size"])))
        # What is written is neither kept nor hashed.
        response = reply(headers={"ETag": '"created"'}, keep_open=True) if operation == "PutObject" else self.respond()
        milliseconds = self._milliseconds.get(operation, 4)
        time.sleep(max(0, arrived + milliseconds / 1000 - time.perf_counter()))
        return response

    def render(self, signature_id: str) -> bytes:
        return _render(int(signature_id[-12:]))


@contextmanager
def in_a_process(provider: float) -> Iterator[str]:
    """Runs a stub in its own process, with so many milliseconds for the provider, and yields its URL. The stub ends
    when this process ends."""
    command = [sys.executable, "-m", "develop.bench.stub", str(provider)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield str(process.stdout and process.stdout.readline().strip())


if __name__ == "__main__":
    with Stub(float(sys.argv[1])) as stub:
        print(stub.url, flush=True)
        sys.stdin.read()
