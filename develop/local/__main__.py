"""Runs the whole service on this machine, with seeded data, until Ctrl-C."""

import argparse
import shlex
import signal
import socket
import sys
import time
from contextlib import suppress

from develop.environment import drop_user_settings
from develop.local import seeds
from develop.local.reference import with_reference
from develop.local.runtime import in_processes
from develop.local.stack import LocalService, local_service

TOKEN_SECONDS = {"static": 0, "oauth": 60}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m develop.local", description=__doc__)
    parser.add_argument("--port", type=int, default=3000, help="port of the API; AWS and the provider use the next two")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 admits containers, for `sam local`")
    words = "static: its secret does not expire; oauth: its access tokens live for a minute"
    parser.add_argument("--provider", choices=TOKEN_SECONDS, default="static", help=words)
    arguments = parser.parse_args()
    for port in range(arguments.port, arguments.port + 3):
        require_free(arguments.host, port)
    # SIGINT too: shells start background jobs with SIGINT ignored.
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.default_int_handler)
    drop_user_settings()
    seconds = TOKEN_SECONDS[arguments.provider]
    with (
        suppress(KeyboardInterrupt),
        local_service(in_processes, arguments.host, arguments.port, with_reference, seconds) as running,
    ):
        announce(running)
        while True:  # another thread may receive the signal, which does not wake this one
            time.sleep(0.5)


def require_free(host: str, port: int) -> None:
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "no such port"
        sys.exit(f"Port {port} can't be used: {reason}. Choose another first port: make run PORT=4000")


def announce(running: LocalService) -> None:
    for situation in seeds.SITUATIONS:
        event = seeds.event(situation.event)
        output = {200: "-o certificate.pdf", 206: "-D - -o /dev/null"}.get(situation.status, "-i")
        options = " ".join(map(shlex.quote, seeds.curl_headers(event)))
        print(f"\n# {situation.status}  {situation.words}\ncurl -sS {output} {options} {running.url}{event['path']}")
    provider = f"http://127.0.0.1:{running.provider.server_address[1]}"
    port = running.url.rpartition(":")[2]
    print(
        f"""
# complete a new signature request: its certificate is archived within seconds
curl -sS -X POST {provider}/complete

# stop the provider, and start it again
curl -sS -X POST {provider}/stop
curl -sS -X POST {provider}/start

# the operator's commands work on it, too
.venv/bin/certificates archive status --local --port {port}

# prove the time of all archived certificates, by a time-stamping authority of this service's own
.venv/bin/certificates archive seal --local --port {port}

# the API reference, to read and to try
{running.url}/

ready""",
        flush=True,
    )


if __name__ == "__main__":
    main()
