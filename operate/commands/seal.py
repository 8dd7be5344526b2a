"""`archive seal`: compares the archive with its seals, and seals what none of them has."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import BinaryIO

import click

from operate.command_line import examples
from operate.output import Output
from operate.stack import DeployedStack, on_a_stack


@click.command(
    epilog=examples(
        "certificates archive seal --stack craftkit-certificates \\",
        "  --tsa http://tsa.example.com",
        "certificates archive seal --local",
    )
)
@click.option("--tsa", metavar="URL", help="The time-stamping authority (RFC 3161), by https or http.")
@click.option(
    "--tsa-ca", type=click.File("rb"), metavar="FILE", help="Who to trust, in PEM; else as this machine does."
)
@click.option("--renew", is_flag=True, help="Stamp the time stamps of all earlier seals again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: the findings, then the newest seal.")
@on_a_stack
def seal(stack: DeployedStack, *, tsa: str | None, tsa_ca: BinaryIO | None, renew: bool, as_json: bool) -> None:
    """Seal the certificates that no seal has yet.

    One time stamp seals all of them. First compares the archive with all seals. Exit code 1: a sealed certificate or a
    seal is missing, hidden or altered. Without a valid time stamp nothing is sealed, and the next run covers it.
    """
    from operate.seals.seals import Seals, name_object  # noqa: PLC0415 - takes a second to import
    from operate.seals.time_stamp import find_trusted, parse_url, request_time_stamp  # noqa: PLC0415

    tsa = tsa or stack.outputs.get("TimeStampUrl")  # the local service has an authority of its own
    if tsa is None:
        raise click.UsageError("Give the URL of a time-stamping authority: --tsa URL.")
    try:
        url = parse_url(tsa)
    except ValueError:
        raise click.BadParameter("It is not a plain URL.", param_hint="--tsa") from None
    try:
        trusted = find_trusted(stack, tsa_ca.read() if tsa_ca else b"")
    except ValueError:
        raise click.BadParameter("It has no certificates in PEM.", param_hint="--tsa-ca") from None
    output, problems = Output(as_json=as_json), set[tuple[str, str]]()

    def report(problem: str, key: str) -> None:
        if (problem, key) not in problems:
            problems.add((problem, key))
            output.write_finding({"problem": problem, "key": key})

    seals = Seals(stack.client("s3"), stack.output("CertificatesBucketName"), trusted, report)
    count = seals.seal(partial(request_time_stamp, url, trusted), renew=renew)
    facts: dict[str, object] = {"certificates": count, "problems": len(problems)}
    if stamp := seals.newest:
        facts |= {
            "seal": name_object(seals.number, "jsonl"),
            "time": stamp.time.isoformat(),
            "authority": stamp.authority,
        }
        facts |= {"token": hashlib.sha256(stamp.token).hexdigest(), "ends": stamp.signer.not_valid_after.isoformat()}
    output.write_finding(facts)
    if problems:
        raise click.exceptions.Exit(1)


def count_unsealed(stack: DeployedStack) -> tuple[int, int]:
    """Returns how many certificates no seal has, and how many hours ago the oldest was archived, rounded up."""
    from operate.seals.seals import Seals  # noqa: PLC0415

    unsealed = Seals(stack.client("s3"), stack.output("CertificatesBucketName"), (), lambda *_: None).find_unsealed()
    now = datetime.now(UTC)
    return len(unsealed), -((min((one.created for one in unsealed), default=now) - now) // timedelta(hours=1))
