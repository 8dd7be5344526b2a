"""Fetches certificates in its own process, and prints the outcomes and the peak memory as JSON."""

import json
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from certificates.errors import ProviderFailed
from certificates.provider import Provider, Secret
from certificates.settings import ProviderSettings


class Vault:
    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803
        return {"SecretString": SecretId}


SECONDS = 600
"""So many that bytes, not time, end the fetch."""


def main(url: str, link_field: str, times: int, at_once: int) -> None:
    settings = ProviderSettings.model_validate(
        {
            "PROVIDER_CERTIFICATE_URL": url + "/{providerRequestId}",
            "PROVIDER_AUTH_HEADER": "Authorization: {secret}",
            "PROVIDER_SECRET_NAME": "name",
            "PROVIDER_LINK_FIELD": link_field,
            "PROVIDER_LINK_HOSTS": "localhost",
            "MAX_CERTIFICATE_BYTES": "20971520",
        }
    )
    provider = Provider(settings, Secret(Vault, "name"))  # type: ignore[arg-type]

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
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
