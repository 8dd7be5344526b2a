"""`archive seal`: compares the archive with its seals, and seals what none of them has."""

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import BinaryIO
from urllib.parse import urlsplit

import click

from certificates.urls import Url
from operate.command_line import TSA_CA, examples
from operate.evidence import require_packages
from operate.output import AS_JSON, write_finding
from operate.stack import DeployedStack, on_a_stack

NOTICE = timedelta(days=30)
"""How long before the end of a time stamp it is a problem that it was not stamped again."""


def parse_url(text: str) -> Url:
    """Plain http is allowed: the response is signed. Raises BadParameter."""
    is_http = text.startswith("http://")
    try:
        url = Url.parse(f"https://{text.removeprefix('http://')}" if is_http else text)
    except ValueError:
        raise click.BadParameter("must be an http or https URL with the name of a host") from None
    return dataclasses.replace(url, scheme="http", port=urlsplit(text).port or 80) if is_http else url


@click.command(epilog=examples("certificates archive seal --stack craftkit-certificates --tsa http://tsa.example.com"))
@click.option("--tsa", type=parse_url, metavar="URL", help="The time-stamping authority (RFC 3161), by https or http.")
@TSA_CA
@click.option("--renew", is_flag=True, help="Stamp the time stamps of all earlier seals again, before they end.")
@AS_JSON
@on_a_stack
def seal(stack: DeployedStack, *, tsa: Url | None, tsa_ca: BinaryIO | None, renew: bool) -> None:
    """Seal the certificates that no seal has yet.

    One time stamp seals all of them, after the archive was compared with all earlier seals. Exit code 1: a sealed
    certificate or a seal is missing, altered or not trusted, or a time stamp ends within 30 days. Without a valid time
    stamp nothing is sealed, and the next run covers it.

    With --renew, certificates that only untrusted seals have are sealed again, too.
    """
    require_packages()
    from operate.seals.seals import PREFIX, Seals, name_object  # noqa: PLC0415 - takes a second to import
    from operate.seals.time_stamp import find_trusted, request_time_stamp  # noqa: PLC0415

    if tsa is None and "TimeStampUrl" not in stack.outputs:  # the local service has an authority of its own
        raise click.UsageError("Give the URL of a time-stamping authority: --tsa URL.")
    url = tsa or parse_url(stack.outputs["TimeStampUrl"])
    trusted = find_trusted(stack, tsa_ca)
    problems = set[tuple[str, str]]()

    def report(problem: str, key: str) -> None:
        if (problem, key) not in problems:
            problems.add((problem, key))
            write_finding({"problem": problem, "key": key})

    seals = Seals(stack.client("s3"), stack.output("CertificatesBucketName"), trusted, report)
    count = seals.seal(partial(request_time_stamp, url, trusted), renew=renew)
    if seals.ends and seals.ends < datetime.now(UTC) + NOTICE:
        report("ends_soon", PREFIX)
    facts: dict[str, object] = {"certificates": count, "problems": len(problems)}
    if stamp := seals.newest:
        facts |= {"seal": name_object(seals.number, "jsonl"), "time": stamp.time.isoformat()}
        facts |= {"authority": stamp.authority, "token": hashlib.sha256(stamp.token).hexdigest()}
        facts |= {"ends": seals.ends and seals.ends.isoformat()}
    write_finding(facts)
    if problems:
        raise click.exceptions.Exit(1)
