"""`keys`: made, listed and revoked. A key is shown once, when it is made; its hash never."""

import json
import re
from datetime import UTC, datetime

import click

from tools.operate.api_keys import ApiKeys, Entry, NewKey
from tools.operate.failures import CannotRun, Interrupted
from tools.operate.help import examples
from tools.operate.output import Output, printable
from tools.operate.target import Target, on_a_stack

_HEADINGS = ("PREFIX", "PROJECT", "NAME", "CREATED", "EXPIRES", "STATE")
_DAY_LENGTH = len("2027-01-31")
_PROJECT = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def _project(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _PROJECT.fullmatch(value):
        raise click.BadParameter("a project's id has 1 to 64 of A-Z a-z 0-9 _ -")
    return value


def _future(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise click.BadParameter("give date, time and zone, as in 2027-01-31T00:00:00Z")
    if time <= datetime.now(UTC):
        raise click.BadParameter("this time has passed")
    return time


@click.group(
    epilog=examples(
        "python -m tools keys create --local --project prj_1",
        "python -m tools keys list --stack craftkit-certificates",
    )
)
def keys() -> None:
    """The projects' API keys."""


@keys.command(
    "create",
    epilog=examples(
        "python -m tools keys create --local --project prj_1 --name CI --test",
        "python -m tools keys create --stack craftkit-certificates \\",
        "  --project prj_1 --expires-at 2099-01-31T00:00:00Z",
    ),
)
@click.option("--project", required=True, callback=_project, metavar="ID", help="The project that it opens.")
@click.option("--name", metavar="TEXT", help="What it is for.")
@click.option("--test", "is_test", is_flag=True, help="Make a ck_test_ key instead of a ck_live_ key.")
@click.option("--expires-at", callback=_future, metavar="TIME", help="When it ends: 2027-01-31T00:00:00Z.")
@on_a_stack
def create_command(
    target: Target, *, project: str, name: str | None, is_test: bool, expires_at: datetime | None
) -> None:
    """Make a key and print it: the only time that it can be seen.

    Standard output has the key and nothing else.
    """
    key = NewKey.make(is_test=is_test)
    ApiKeys(target.dynamodb(), target.api_keys_table).create(key, project, name, expires_at)
    output = Output()
    output.result(key.text)
    output.remark(f"Key {key.prefix} of project {project}. Keep it now: it is not shown again.")


@keys.command(
    "list",
    epilog=examples(
        "python -m tools keys list --local",
        "python -m tools keys list --stack craftkit-certificates --json",
    ),
)
@click.option("--project", callback=_project, metavar="ID", help="Only this project's.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array on standard output, with whole times.")
@on_a_stack
def list_command(target: Target, *, project: str | None, as_json: bool) -> None:
    """List keys by their prefixes, the oldest of each project first."""
    entries = ApiKeys(target.dynamodb(), target.api_keys_table).entries(project=project)
    output = Output()
    if as_json:
        output.result(json.dumps([entry.shown for entry in entries], indent=2, default=str))
    else:
        _show(output, entries)


@keys.command(
    "revoke",
    epilog=examples(
        "python -m tools keys revoke --local ck_live_aBcDe --yes",
        "python -m tools keys revoke --stack craftkit-certificates ck_live_aBcDe",
    ),
)
@click.argument("prefix")
@click.option("--project", callback=_project, metavar="ID", help="Only this project's key.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_a_stack
def revoke_command(target: Target, *, prefix: str, project: str | None, yes: bool) -> None:
    """Revoke a key: the next request with it is refused.

    PREFIX is how it begins, as `keys list` shows it: ck_live_aBcDe. Exit code 1 says that there is no such key, or that
    the answer was no; 2 that there are several, of which none was revoked.
    """
    output = Output()
    api_keys = ApiKeys(target.dynamodb(), target.api_keys_table)
    found = api_keys.entries(project=project, prefix=prefix)
    if not found:
        # Not repeated: it may be a whole key.
        raise click.ClickException("There is no key with this prefix. `keys list` shows those that there are.")
    open_keys = [entry for entry in found if not entry.is_revoked]
    if len(open_keys) > 1:
        _show(output, open_keys)
        raise CannotRun(f"{len(open_keys)} keys begin with {prefix}: none was revoked. --project may tell them apart.")
    if not open_keys:
        output.remark(f"Key {prefix} was revoked before.")
        return
    (entry,) = open_keys
    if not yes and not _is_wanted(f"Revoke {prefix} of project {printable(entry.shown['projectId'])}?"):
        raise click.ClickException("Nothing was revoked.")
    is_ours = api_keys.revoke(entry)
    output.remark(f"Key {prefix} is revoked." if is_ours else f"Key {prefix} was revoked or deleted meanwhile.")


def _is_wanted(question: str) -> bool:
    """Raises Interrupted where nobody answers."""
    try:
        return click.confirm(question, err=True)
    except click.Abort as error:
        raise Interrupted("Not answered: nothing was revoked. --yes does not ask.") from error


def _show(output: Output, entries: list[Entry]) -> None:
    """Times by their day."""
    rows = []
    for entry in entries:
        shown = {name: "" if value is None else printable(value) for name, value in entry.shown.items()}
        days = (shown[name][:_DAY_LENGTH] for name in ("createdAt", "expiresAt"))
        cells = [shown["prefix"], shown["projectId"], shown["name"], *days, shown["state"]]
        rows.append((cells, "" if shown["state"] == "active" else "dim"))
    output.table(_HEADINGS, rows)
