"""`keys`: creates, lists and revokes API keys. A key is shown once, when it is created; its hash never."""

from datetime import UTC, datetime

import click

from certificates.api_key import HashedKey
from certificates.models import PROJECT_ID
from operate.api_keys import ApiKeys, Entry, make_key
from operate.command_line import TIME, CannotRun, Text, examples, read_key
from operate.output import Output, make_printable
from operate.stack import DeployedStack, on_a_stack

_HEADINGS = ("PREFIX", "PROJECT", "NAME", "CREATED", "EXPIRES", "STATE")
_DAY_LENGTH = len("2027-01-31")
_NO_SUCH_KEY = "No such key. Run `keys list`, and give the whole prefix that it shows."
PROJECT = Text(PROJECT_ID, "a project id consists of 1 to 64 characters of A-Z a-z 0-9 _ -")


@click.group(epilog=examples("certificates keys create --local --project prj_1"))
def keys() -> None:
    """Create, list and revoke the projects' API keys."""


@keys.command("create", epilog=examples("certificates keys create --local --project prj_1 --name CI --test"))
@click.option("--project", required=True, type=PROJECT, metavar="ID", help="The project whose certificates it opens.")
@click.option("--name", metavar="TEXT", help="A name that states its purpose.")
@click.option("--test", "is_test", is_flag=True, help="Create a ck_test_ key instead of a ck_live_ key.")
@click.option("--expires-at", type=TIME, metavar="TIME", help="When it expires: 2027-01-31T00:00:00Z.")
@on_a_stack
def create_command(
    stack: DeployedStack, *, project: str, name: str | None, is_test: bool, expires_at: datetime | None
) -> None:
    """Create a key and print it. It is never shown again.

    Standard output holds only the key.
    """
    if expires_at and expires_at <= datetime.now(UTC):
        raise click.BadParameter("this time has passed", param_hint="--expires-at")
    key = make_key(is_test=is_test)
    hashed = HashedKey.parse(key)
    ApiKeys(stack).create(hashed, project, name, expires_at)
    output = Output()
    output.write(key)
    output.remark(f"Key {hashed.prefix} of project {project}. Keep it now: it is not shown again.")


@keys.command("list", epilog=examples("certificates keys list --stack craftkit-certificates --json"))
@click.option("--project", type=PROJECT, metavar="ID", help="Only this project's keys.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per key and line, with full times.")
@on_a_stack
def list_command(stack: DeployedStack, *, project: str | None, as_json: bool) -> None:
    """List keys by their prefixes, the oldest of each project first."""
    entries = ApiKeys(stack).entries(project=project)
    if as_json:
        for entry in entries:
            Output().write_json(entry.shown)
    else:
        _write_table(entries, time_length=_DAY_LENGTH)


@keys.command(
    "revoke",
    epilog=examples(
        "certificates keys revoke --stack craftkit-certificates ck_live_aBcDe \\",
        "  --created-at 2026-06-05T11:42:08.000Z",
        "printenv KEY | certificates keys revoke --local - --yes",
    ),
)
@click.argument("prefix")
@click.option("--project", type=PROJECT, metavar="ID", help="Only a key of this project.")
@click.option("--created-at", default="", metavar="TIME", help="Only a key created at this time or on this day.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_a_stack
def revoke_command(stack: DeployedStack, *, prefix: str, project: str | None, created_at: str, yes: bool) -> None:
    """Revoke a key: the next request with it is refused.

    PREFIX consists of the key's first 13 characters, as `keys list` shows them: ck_live_aBcDe. With -, the whole key is
    read from standard input. Exit code 1: no such key, or the revocation was not confirmed. 2: the key is broken, or
    several keys match; none was revoked.
    """
    api_keys, output = ApiKeys(stack), Output()
    try:
        wanted = {"key_hash": HashedKey.parse(read_key()).sha256} if prefix == "-" else {"prefix": prefix}
    except ValueError:
        raise click.ClickException(_NO_SUCH_KEY) from None
    found = api_keys.entries(project=project, created_at=created_at, **wanted)
    if not found:
        raise click.ClickException(_NO_SUCH_KEY)  # does not repeat the argument, which may be a whole key
    name = found[0].shown["prefix"] or "without a prefix"
    open_keys = [entry for entry in found if not entry.is_revoked]
    if not open_keys:
        output.remark(f"Key {name} was already revoked.")
        return
    if len(open_keys) > 1:
        _write_table(open_keys, time_length=None)
        advice = "Tell them apart by --project, --created-at, or the whole key on standard input (-)."
        raise CannotRun(f"{len(open_keys)} keys begin with {prefix}; none was revoked. {advice}")
    (entry,) = open_keys
    if "revokedAt" in entry.broken:
        raise CannotRun(f"Key {name} is broken: its revokedAt is not a time. Correct or delete its item in the table.")
    if not yes:
        question = f"Revoke key {name} of project {entry.shown['projectId']}?"
        click.confirm(make_printable(question), abort=True, err=True)
    revoked = api_keys.revoke(entry)
    output.remark(f"Key {name} is revoked." if revoked else f"Key {name} was revoked or deleted in the meantime.")


def _write_table(entries: list[Entry], *, time_length: int | None) -> None:
    rows = [_HEADINGS]
    for entry in entries:
        shown = {name: "" if value is None else str(value) for name, value in entry.shown.items()}
        created, expires = shown["createdAt"][:time_length], shown["expiresAt"][:time_length]
        rows.append((shown["prefix"], shown["projectId"], shown["name"], created, expires, shown["state"]))
    Output().write_table(rows)
