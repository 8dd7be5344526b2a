"""Sends every event through `sam local invoke`: the built artifact in Docker, against the local service."""

import json
import subprocess
import sys
from typing import Any

from develop.environment import drop_user_settings
from develop.local import seeds
from develop.local.runtime import in_processes
from develop.local.stack import ARCHIVE, DOWNLOAD, REFRESH, local_service
from develop.template import ROOT

TOKEN_SECONDS = 60
"""The provider issues access tokens, so there is something to refresh."""


def main() -> None:
    drop_user_settings()
    expected: list[tuple[str, str, int]] = [(DOWNLOAD, one.event, one.status) for one in seeds.SITUATIONS]
    expected += [(ARCHIVE, event, later) for event, later in seeds.ARCHIVE_SITUATIONS.items()]
    expected += [(REFRESH, seeds.REFRESH_EVENT, TOKEN_SECONDS)]
    with local_service(in_processes, "0.0.0.0", 3000, token_seconds=TOKEN_SECONDS):  # noqa: S104 - for containers
        wrong = [event for function, event, outcome in expected if _invoke(function, event) != outcome]
    if wrong:
        sys.exit(f"unexpected replies: {', '.join(wrong)}")
    print("all as expected")


def _invoke(function: str, event: str) -> int:
    """Returns the reply's status, the number of messages that stay in the queue, or the seconds of an access token."""
    print(event, flush=True)
    command = ["sam", "local", "invoke", function, "--event", f"events/{event}.json"]
    output = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    reply: dict[str, Any] = json.loads(output.splitlines()[-1])
    return len(reply["batchItemFailures"]) if function == ARCHIVE else int(reply.get("statusCode") or reply["seconds"])


if __name__ == "__main__":
    main()
