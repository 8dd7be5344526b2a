"""Fetches certificates in its own process, and prints the outcomes and the peak memory as JSON."""

import json
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from certificates.errors import ProviderFailed
from tests.support.provider import provider_at

SECONDS = 600
"""So many that bytes, not time, end the fetch."""


def main(url: str, link_field: str, times: int, at_once: int) -> None:
    provider = provider_at(url, link_field=link_field, link_hosts="localhost", most=20 * 1024 * 1024)

    def fetch(_: int) -> int | str:
        try:
            return len(provider.fetch("a", SECONDS).content)
        except ProviderFailed as failure:
            return failure.reason

    with ThreadPoolExecutor(at_once) as pool:
        outcomes = [*pool.map(fetch, range(times))]
    json.dump({"outcomes": outcomes, "peak": _peak()}, sys.stdout)


def _peak() -> int:
    """Bytes. Linux's ru_maxrss counts the parent's memory too, from before exec; macOS's does not."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
