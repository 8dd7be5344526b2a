"""Downloads a completion certificate, unless the copy at hand is current, and waits until there is one.

    CRAFTKIT_API_KEY=ck_live_… python certificate.py URL certificate.pdf

certificate.pdf.etag keeps the copy's entity tag. Needs requests.
"""

import base64
import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import requests

PART = 4_500_000
PAUSES = (1, 2, 4, 8)
"""Seconds between five tries."""

Get = Callable[[dict[str, str]], requests.Response]


def update(file: Path, url: str, key: str) -> bool:
    """False: the copy is current."""
    tag = file.with_name(f"{file.name}.etag")
    certificate = download(url, key, tag.read_text().strip() if file.exists() and tag.exists() else None)
    if certificate is None:
        return False
    content, etag = certificate
    file.write_bytes(content)
    tag.write_text(etag)
    return True


def download(url: str, key: str, etag: str | None = None) -> tuple[bytes, str] | None:
    """The certificate and its entity tag. None: it is still that of `etag`."""

    def get(headers: dict[str, str]) -> requests.Response:
        return ask(url, {"Authorization": f"Bearer {key}"} | headers)

    answer = get({"If-None-Match": etag} if etag else {})
    if answer.status_code == 304:
        return None
    if answer.status_code == 413:
        return in_parts(get)
    if answer.status_code != 200:
        raise refusal(answer)
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    if answer.headers["Repr-Digest"] != f"sha-256=:{digest}:":
        raise ValueError("The certificate came damaged: its SHA-256 is not that of Repr-Digest.")
    return answer.content, answer.headers["ETag"]


def in_parts(get: Get) -> tuple[bytes, str]:
    content, etag, size = b"", "", None
    while len(content) != size:
        headers = {"Range": f"bytes={len(content)}-{len(content) + PART - 1}"}
        if etag:
            headers["If-Range"] = etag  # keeps parts of two certificates apart
        answer = get(headers)
        if answer.status_code == 200:
            raise ValueError("Another certificate came instead of the next part.")
        if answer.status_code != 206:
            raise refusal(answer)
        content += answer.content
        etag = answer.headers["ETag"]
        size = int(answer.headers["Content-Range"].rpartition("/")[2])
    return content, etag


def ask(url: str, headers: dict[str, str]) -> requests.Response:
    """The answer, when there is no use in another try."""
    pauses = iter(PAUSES)
    while True:
        answer = requests.get(url, headers=headers, timeout=30)
        retry_after = int(answer.headers.get("Retry-After", 0))
        if answer.status_code == 409 and retry_after:  # not available yet
            time.sleep(retry_after)
        elif answer.status_code in {429, 500, 502, 503} and (pause := next(pauses, None)):
            time.sleep(max(pause, retry_after))
        else:
            return answer


def refusal(answer: requests.Response) -> requests.HTTPError:
    return requests.HTTPError(f"{answer.status_code} {answer.text}", response=answer)


if __name__ == "__main__":
    url, file = sys.argv[1:]
    print(file, "downloaded" if update(Path(file), url, os.environ["CRAFTKIT_API_KEY"]) else "is current")
