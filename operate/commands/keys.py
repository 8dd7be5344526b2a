"""`keys`: creates, lists and revokes API keys. A key is shown once, when it is created; its hash never."""

import hashlib
import secrets
import string
from datetime import UTC, datetime
from typing import Any

import click
from botocore.exceptions import ClientError

from certificates.api_key import HashedKey
from certificates.aws import error_code
from certificates.errors import InvalidRecord
from certificates.models import PROJECT_ID, ApiKey
from operate.command_line import TIME, CannotRun, Text, examples, read_key
from operate.output import AS_JSON, is_json, make_printable, remark, write, write_finding, write_table
from operate.signature_requests import scan
from operate.stack import DeployedStack, on_a_stack

_ALPHABET = string.ascii_letters + string.digits
_NOT_REVOKED = "attribute_not_exists(revokedAt) OR attribute_type(revokedAt, :null)"
_ATTRIBUTES = ("prefix", "projectId", "name", "createdAt", "expiresAt", "revokedAt")
_COLUMNS = {"prefix": "PREFIX", "projectId": "PROJECT", "name": "NAME"}
_COLUMNS |= {"createdAt": "CREATED", "expiresAt": "EXPIRES", "state": "STATE"}
PROJECT = Text(PROJECT_ID, "a project id consists of 1 to 64 characters of A-Z a-z 0-9 _ -")

Shown = dict[str, Any]
"""What may be shown of a key: its attributes, None for missing ones, and its state."""


def _read_keys(stack: DeployedStack, project: str | None) -> list[tuple[str, Shown]]:
    """Returns the hash and what may be shown of each key of one project or of all, the oldest of each project first."""
    dynamodb, table = stack.client("dynamodb"), stack.output("ApiKeysTableName")
    pages = scan(dynamodb, table, ("keyHash", *_ATTRIBUTES), ConsistentRead=True)
    items = [item for page in pages for item in page if project in (None, item.get("projectId"))]
    items.sort(key=lambda item: (str(item.get("projectId")), str(item.get("createdAt"))))
    shown = [{name: item.get(name) for name in _ATTRIBUTES} | {"state": _judge(item)} for item in items]
    return [(str(item["keyHash"]), one) for item, one in zip(items, shown, strict=True)]


def _judge(item: dict[str, Any]) -> str:
    try:
        key = ApiKey.from_item(item)
    except InvalidRecord:
        return "broken"
    return "revoked" if key.revoked_at else "active" if key.is_accepted_at(datetime.now(UTC)) else "expired"


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
    key = f"ck_{'test' if is_test else 'live'}_" + "".join(secrets.choice(_ALPHABET) for _ in range(32))
    hashed, created = HashedKey.parse(key), _format_time(datetime.now(UTC))
    texts = {"keyHash": hashed.sha256, "projectId": project, "prefix": hashed.prefix, "name": name}
    texts |= {"createdAt": created, "expiresAt": _format_time(expires_at) if expires_at else None}
    item = {attribute: {"S": text} for attribute, text in texts.items() if text} | {"revokedAt": {"NULL": True}}
    stack.client("dynamodb").put_item(TableName=stack.output("ApiKeysTableName"), Item=item)
    write(key)
    remark(f"Key {hashed.prefix} of project {project}. Keep it now: it is not shown again.")


@keys.command("list", epilog=examples("certificates keys list --stack craftkit-certificates --json"))
@click.option("--project", type=PROJECT, metavar="ID", help="Only this project's keys.")
@AS_JSON
@on_a_stack
def list_command(stack: DeployedStack, *, project: str | None) -> None:
    """List keys by their prefixes, the oldest of each project first.

    A key is active, expired, revoked, or broken: its item breaks the rules of the table, and requests with it get 500.
    """
    _write_keys([shown for _, shown in _read_keys(stack, project)])


@keys.command(
    "revoke",
    epilog=examples(
        "certificates keys revoke --local ck_live_aBcDe", "printenv KEY | certificates keys revoke --local -"
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
    wanted = hashlib.sha256(read_key().encode()).hexdigest() if prefix == "-" else prefix
    found = [
        (key_hash, shown)
        for key_hash, shown in _read_keys(stack, project)
        if wanted == (key_hash if prefix == "-" else shown["prefix"])
        and str(shown["createdAt"] or "").startswith(created_at)
    ]
    if not found:  # does not repeat the argument, which may be a whole key
        raise click.ClickException("No such key. Run `keys list`, and give the whole prefix that it shows.")
    name = found[0][1]["prefix"] or "without a prefix"
    found = [(key_hash, shown) for key_hash, shown in found if shown["state"] != "revoked"]
    if not found:
        remark(f"Key {name} was already revoked.")
        return
    if len(found) > 1:
        _write_keys([shown for _, shown in found])
        advice = "Tell them apart by --project, --created-at, or the whole key on standard input (-)."
        raise CannotRun(f"{len(found)} keys begin with {prefix}; none was revoked. {advice}")
    ((key_hash, shown),) = found
    if shown["revokedAt"] is not None:
        raise CannotRun(f"Key {name} is broken, and has a revokedAt. Correct or delete its item in the table.")
    if not yes:
        question = f"Revoke key {name} of project {shown['projectId']}?"
        click.confirm(make_printable(question), abort=True, err=True)
    try:
        stack.client("dynamodb").update_item(
            TableName=stack.output("ApiKeysTableName"),
            Key={"keyHash": {"S": key_hash}},
            UpdateExpression="SET revokedAt = :now",
            ConditionExpression=f"attribute_exists(keyHash) AND ({_NOT_REVOKED})",
            ExpressionAttributeValues={":now": {"S": _format_time(datetime.now(UTC))}, ":null": {"S": "NULL"}},
        )
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise
        remark(f"Key {name} was revoked or deleted in the meantime.")
    else:
        remark(f"Key {name} is revoked.")


def _write_keys(keys: list[Shown]) -> None:
    if is_json():
        for shown in keys:
            write_finding(shown)
        return
    write_table([list(_COLUMNS.values()), *([str(shown[name] or "") for name in _COLUMNS] for shown in keys)])
