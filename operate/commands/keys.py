"""`keys`: creates, lists and revokes API keys. A key is shown once, when it is created; its hash never."""

import secrets
import string
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import click
from botocore.exceptions import ClientError

from certificates.api_key import HashedKey
from certificates.aws import error_code
from certificates.errors import InvalidRecord
from certificates.models import PROJECT_ID, ApiKey, Item
from operate.command_line import TIME, CannotRun, Text, examples, read_key
from operate.output import Output, make_printable
from operate.signature_requests import read_items
from operate.stack import DeployedStack, on_a_stack

_RANDOM_LENGTH = 32
_ALPHABET = string.ascii_letters + string.digits
_NOT_REVOKED = "attribute_not_exists(revokedAt) OR attribute_type(revokedAt, :null)"
_SHOWN = ("prefix", "projectId", "name", "createdAt", "expiresAt", "revokedAt")
_HEADINGS = ("PREFIX", "PROJECT", "NAME", "CREATED", "EXPIRES", "STATE")
_DAY_LENGTH = len("2027-01-31")
_NO_SUCH_KEY = "No such key. Run `keys list`, and give the whole prefix that it shows."
PROJECT = Text(PROJECT_ID, "a project id consists of 1 to 64 characters of A-Z a-z 0-9 _ -")


@dataclass(frozen=True)
class Entry:
    """A key in the table. `shown` holds the attributes that may be shown, None for missing ones; `broken` names those
    that break the rules of the table."""

    key_hash: str = field(repr=False)
    shown: dict[str, Any]
    broken: frozenset[str]

    @classmethod
    def read(cls, item: Item, now: datetime) -> Self:
        broken: frozenset[str] = frozenset()
        try:
            key = ApiKey.from_item(item)
            state = "revoked" if key.revoked_at else "active" if key.is_accepted_at(now) else "expired"
        except InvalidRecord as error:
            state, broken = "broken", frozenset(error.problems)
        shown = {name: item.get(name) for name in _SHOWN}
        return cls(str(item["keyHash"]), shown | {"state": state}, broken)

    @property
    def is_revoked(self) -> bool:
        return self.shown["revokedAt"] is not None and "revokedAt" not in self.broken


def make_key(*, is_test: bool) -> str:
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return f"ck_{'test' if is_test else 'live'}_{random}"


class ApiKeys:
    def __init__(self, stack: DeployedStack) -> None:
        self._dynamodb = stack.client("dynamodb")
        self._table = stack.output("ApiKeysTableName")

    def create(self, key: HashedKey, project: str, name: str | None, expires_at: datetime | None) -> None:
        texts = {"keyHash": key.sha256, "projectId": project, "prefix": key.prefix, "name": name}
        texts |= {"createdAt": _format_time(datetime.now(UTC))}
        texts |= {"expiresAt": _format_time(expires_at) if expires_at else None}
        self._dynamodb.put_item(
            TableName=self._table,
            Item={attribute: {"S": text} for attribute, text in texts.items() if text} | {"revokedAt": {"NULL": True}},
            ConditionExpression="attribute_not_exists(keyHash)",
        )

    def entries(self, project: str | None) -> list[Entry]:
        """Returns the keys of one project or of all, the oldest of each project first."""
        now = datetime.now(UTC)
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            ConsistentRead=True,
            ProjectionExpression="keyHash, prefix, projectId, #name, createdAt, expiresAt, revokedAt",
            ExpressionAttributeNames={"#name": "name"},
        )
        entries = [Entry.read(item, now) for page in pages for item in read_items(page)]
        wanted = [entry for entry in entries if project in (None, entry.shown["projectId"])]
        return sorted(wanted, key=lambda entry: (str(entry.shown["projectId"]), str(entry.shown["createdAt"])))

    def revoke(self, entry: Entry) -> bool:
        """Revokes the key at once. Returns False if it was revoked or deleted since it was read."""
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"keyHash": {"S": entry.key_hash}},
                UpdateExpression="SET revokedAt = :now",
                ConditionExpression=f"attribute_exists(keyHash) AND ({_NOT_REVOKED})",
                ExpressionAttributeValues={":now": {"S": _format_time(datetime.now(UTC))}, ":null": {"S": "NULL"}},
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _format_time(time: datetime) -> str:
    """Formats a time like `2026-06-05T11:42:08.000Z`."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


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
    entries = ApiKeys(stack).entries(project)
    if as_json:
        for entry in entries:
            Output(as_json=True).write_finding(entry.shown)
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
        wanted = HashedKey.parse(read_key()).sha256 if prefix == "-" else prefix
    except ValueError:
        raise click.ClickException(_NO_SUCH_KEY) from None
    found = [
        entry
        for entry in api_keys.entries(project)
        if wanted == (entry.key_hash if prefix == "-" else entry.shown["prefix"])
        and str(entry.shown["createdAt"] or "").startswith(created_at)
    ]
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
