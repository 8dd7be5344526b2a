"""`evidence`: collects the evidence about one certificate in a folder, for a court."""

import hashlib
import json
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from certificates.models import parse_signature_id
from operate.command_line import TIME, TSA_CA, CannotRun, examples
from operate.evidence import require_packages
from operate.output import write
from operate.stack import DeployedStack, on_a_stack


@click.command(
    epilog=examples("certificates evidence d23f0824-128b-4f33-8c5c-7fd0a6a3a450 \\", "  --local --out evidence")
)
@click.argument("id_", metavar="ID")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="A new or empty folder.")
@click.option("--since", type=TIME, metavar="TIME", help="Read log lines from this time on: 2026-06-05T00:00:00Z.")
@TSA_CA
@on_a_stack
def evidence(stack: DeployedStack, *, id_: str, out: Path, since: datetime | None, tsa_ca: BinaryIO | None) -> None:
    """Collect the evidence about one certificate in a folder.

    ID is a signature request. The folder gets the certificate, evidence.json, evidence.pdf, and README.txt with
    SHA256SUMS, to check them without this program. All are readable by you alone. Exit code 1: something contradicts
    the certificate, or there is none.
    """
    try:
        id_ = parse_signature_id(id_)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="ID") from None
    out = out.absolute()
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise CannotRun(f"{out} exists and is not an empty folder.")
    require_packages()
    # These take seconds to import.
    from operate.evidence.collection import Collection  # noqa: PLC0415
    from operate.evidence.instructions import SUMS, write_instructions  # noqa: PLC0415
    from operate.evidence.report import render_evidence  # noqa: PLC0415
    from operate.seals.time_stamp import find_trusted  # noqa: PLC0415

    collection = Collection(stack, id_, find_trusted(stack, tsa_ca))
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        found, content = collection.collect(folder, since)
        (folder / "evidence.json").write_text(json.dumps(found.model_dump(mode="json", by_alias=True), indent=2) + "\n")
        (folder / "evidence.pdf").write_bytes(render_evidence(found))
        (folder / "README.txt").write_text(write_instructions(found, content, collection.proofs), encoding="utf-8")
        sums = [(hashlib.sha256(file.read_bytes()).hexdigest(), file.name) for file in sorted(folder.iterdir())]
        (folder / SUMS).write_text("".join(f"{sha256}  {name}\n" for sha256, name in sums))
        for file in folder.iterdir():
            file.chmod(0o600)
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for check in found.checks:
        if check.outcome != "confirmed":
            write(f"{check.outcome.replace('_', ' ')}: {check.sentence}")
    write(f"Contradictions: {len(found.contradictions)}. The evidence is in {out}.")
    if found.contradictions:
        raise click.exceptions.Exit(1)
