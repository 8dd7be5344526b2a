"""`hold`: sets, releases and lists legal holds."""

from collections import Counter

import click

from certificates.errors import InvalidRecord
from certificates.models import Owned, parse_signature_id
from certificates.records import Records
from operate.command_line import CannotRun, Text, examples
from operate.commands.keys import PROJECT
from operate.holds import Action, Holds
from operate.output import AS_JSON, remark, write, write_finding
from operate.stack import DeployedStack, on_a_stack

_REASON = Text(r"(?=.*\S).+", "give one line of text")


@click.group(epilog=examples("certificates hold list --stack craftkit-certificates"))
def hold() -> None:
    """Set, release and list legal holds.

    Nobody can delete a certificate that is held, even after its retention has ended.
    """


def _make_command(action: Action, text: str, *lines: str) -> None:
    @hold.command(action, help=text, epilog=examples(*lines))
    @click.argument("ids", metavar="[ID]...", nargs=-1)
    @click.option("--project", type=PROJECT, metavar="ID", help="All archived certificates of this project.")
    @click.option("--reason", required=True, type=_REASON, metavar="TEXT", help="Recorded, with the time and your ARN.")
    @on_a_stack
    def change(stack: DeployedStack, *, ids: tuple[str, ...], project: str | None, reason: str) -> None:
        if bool(ids) == bool(project):
            raise click.UsageError("Give either IDs or --project ID.")
        holds, failed = Holds(stack), False
        requests = Records(stack.client("dynamodb"), stack.output("SignaturesTableName"))
        for name in ids or (f"project {project}",):
            try:
                scope = f"{project}/" if project else _find_key(requests, name)
                counts = holds.change(scope, action, reason)
            except CannotRun as error:
                counts = Counter([f"{name}: {error.message}"])
            else:
                write(f"{name}: {counts.pop('changed', 0):,} changed, {counts.pop('unchanged', 0):,} unchanged.")
            for line in counts:
                remark(line)
            failed = failed or bool(counts)
        if failed:
            raise click.exceptions.Exit(1)


_make_command(
    "set",
    """Hold the certificates of signature requests or of a project.

    After an interruption, run it again. Run it again for a project's newer certificates, too. Exit code 1: some
    certificates are not held; each has a line on standard error.
    """,
    "certificates hold set --local d23f0824-128b-4f33-8c5c-7fd0a6a3a450 \\",
    "  --reason 'Case 7 O 12/26'",
    "certificates hold set --local --project prj_1 --reason Audit",
)
_make_command(
    "release",
    """Release the holds on signature requests or on a project.

    Ends every hold that was set on the same ID or project. A certificate that another hold covers stays held. After an
    interruption, run it again. Exit code 1: there was no hold, or S3 refused; each has a line on standard error.
    """,
    "certificates hold release --local --project prj_1 --reason 'Audit ended'",
)


@hold.command("list", epilog=examples("certificates hold list --local --json"))
@AS_JSON
@on_a_stack
def list_command(stack: DeployedStack) -> None:
    """List who set the holds, when and why.

    The oldest of each project and signature request is first. If the last one is not completed, its run was interrupted
    or refused: run it again.
    """
    for scope, records in Holds(stack).find().items():
        project, _, name = scope.partition("/")
        for one in records:
            shown: dict[str, object] = {"projectId": project, "signatureRequestId": name.removesuffix(".pdf") or None}
            shown |= {"at": one.at.isoformat(), "action": one.action, "completed": one.is_completed}
            write_finding(shown | {"by": one.by, "reason": one.reason})


def _find_key(requests: Records, id_: str) -> str:
    try:
        found = requests.signature(parse_signature_id(id_))
        return f"{Owned.from_item(found or {}).project_id}/{id_.lower()}.pdf"
    except (ValueError, InvalidRecord):
        raise CannotRun("there is no such signature request, or its item is broken.") from None
