"""Sends every event through `sam local invoke`: the built artifact in Docker, against the local service.

Downloads one certificate through `sam local start-api`, too. Without Docker, nothing runs and one line says so.
"""

import json
import subprocess
import sys
from typing import Any

from develop.environment import drop_user_settings
from develop.local import seeds
from develop.local.runtime import in_processes
from develop.local.stack import ARCHIVE, DOWNLOAD, REFRESH, local_service
from develop.template import ROOT

API = "http://127.0.0.1:3010"
TOKEN_SECONDS = 60
"""The provider issues access tokens, so there is something to refresh."""


def main() -> None:
    try:
        subprocess.run(["docker", "info"], capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        print("skipped: sam local needs Docker, which does not respond")
        return
    drop_user_settings()
    expected = [(DOWNLOAD, one.event, "statusCode", one.status) for one in seeds.SITUATIONS]
    expected += [(REFRESH, seeds.REFRESH_EVENT, "seconds", TOKEN_SECONDS)]
    with local_service(in_processes, "0.0.0.0", 3000, token_seconds=TOKEN_SECONDS) as running:  # noqa: S104 - for containers
        wrong = [event for function, event, field, value in expected if _invoke(function, event).get(field) != value]
        for archive in seeds.ARCHIVE_SITUATIONS:
            failures = _invoke(ARCHIVE, archive.event)["batchItemFailures"]
            wrong += [archive.event] if len(failures) != archive.later else []
        if _download(API) != _download(running.url):
            wrong.append("start-api")
    if wrong:
        sys.exit(f"unexpected responses: {', '.join(wrong)}")
    print("all as expected")


def _invoke(function: str, event: str) -> dict[str, Any]:
    print(event, flush=True)
    output = _run("sam", "local", "invoke", function, "--event", f"events/{event}.json")
    return dict(json.loads(output.splitlines()[-1]))


def _download(url: str) -> bytes:
    event = seeds.event("download_archived")
    options = ("--retry", "60", "--retry-connrefused", "--retry-delay", "1", *seeds.curl_headers(event))
    with subprocess.Popen(["sam", "local", "start-api"] if url == API else ["true"], cwd=ROOT) as process:
        try:
            return _run("curl", "-sS", "-f", *options, url + event["path"])
        finally:
            process.terminate()


def _run(*command: str) -> bytes:
    """Returns standard output. If the command fails, exits with its standard error."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(command)}\n{result.stderr.decode()}")
    return result.stdout


if __name__ == "__main__":
    main()
