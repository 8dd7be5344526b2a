"""Fetches one certificate in a process of its own, and prints the outcome with the peak of its memory as JSON."""

import json
import resource
import sys
import time
from pathlib import Path

from signing.errors import ProviderFailed
from signing.provider import Provider, Secret
from signing.settings import ProviderSettings


class Vault:
    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803
        return {"SecretString": SecretId}


def main(url: str, seconds: float) -> None:
    settings = ProviderSettings.parse(
        {
            "PROVIDER_CERTIFICATE_URL": url + "/{providerRequestId}",
            "PROVIDER_AUTH_HEADER": "Authorization: {secret}",
            "PROVIDER_SECRET_NAME": "name",
            "PROVIDER_LINK_FIELD": "",
            "PROVIDER_LINK_HOSTS": "",
            "MAX_CERTIFICATE_BYTES": "20971520",
        }
    )
    started = time.monotonic()
    try:
        outcome: object = len(Provider(settings, Secret(Vault, "name")).fetch("a", seconds).content)  # type: ignore[arg-type]
    except ProviderFailed as failure:
        outcome = failure.reason
    json.dump({"outcome": outcome, "seconds": time.monotonic() - started, "peak": _peak()}, sys.stdout)


def _peak() -> int:
    """Bytes. Linux's ru_maxrss counts the parent's memory too, from before exec; macOS's does not."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
