"""`certificates keys`, on tables made from the template."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from certificates.api_key import HashedKey
from certificates.models import ApiKey
from tests.support.deployed import DYNAMODB
from tests.support.operator import Operator, before, json_lines

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SEVERAL = (
    "Error: 2 keys begin with ck_live_aaaaa; none was revoked. "
    "Tell them apart by --project, --created-at, or the whole key on standard input (-).\n"
)
NO_SUCH_KEY = (1, "", "Error: No such key. Run `keys list`, and give the whole prefix that it shows.\n")
CREATED = {"S": "2026-06-01T09:00:00.000Z"}
REVOKED = {"S": "2026-06-02T00:00:00.000Z"}


def seed(operate: Operator, key_hash: str, prefix: str, project: str = "prj_1", **attributes: Any) -> None:
    item = {"keyHash": {"S": key_hash}, "projectId": {"S": project}, "prefix": {"S": prefix}, "createdAt": CREATED}
    DYNAMODB.put_item(TableName=operate.name("ApiKeysTable"), Item=item | attributes)


def revoked(operate: Operator) -> dict[str, object]:
    """`revokedAt` by hash."""
    return {item["keyHash"]["S"]: item.get("revokedAt", {}).get("S") for item in operate.stored_keys()}


NAMED = ("--test", "--name", "CI", "--expires-at", "2099-01-31T01:00:00+01:00")


@pytest.mark.parametrize(
    ("options", "form", "attributes"),
    [
        ((), "ck_live", {}),
        (NAMED, "ck_test", {"name": {"S": "CI"}, "expiresAt": {"S": "2099-01-31T00:00:00.000Z"}}),
    ],
)
def test_a_new_key_is_printed_and_only_its_hash_is_stored(
    operate: Operator, options: tuple[str], form: str, attributes: dict[str, Any]
) -> None:
    result = operate("keys", "create", "--project", "prj_1", *options)
    assert re.fullmatch(rf"{form}_[A-Za-z0-9]{{32}}\n", result.stdout)
    key = result.stdout.strip()
    message = f"Key {key[:13]} of project prj_1. Keep it now: it is not shown again.\n"
    assert (result.exit_code, result.stderr) == (0, message)
    (item,) = operate.stored_keys()
    assert TIME.fullmatch(item["createdAt"]["S"])
    assert item == {
        "keyHash": {"S": hashlib.sha256(key.encode()).hexdigest()},
        "projectId": {"S": "prj_1"},
        "prefix": {"S": key[:13]},
        "createdAt": item["createdAt"],
        "revokedAt": {"NULL": True},
        **attributes,
    }
    plain = {name: TypeDeserializer().deserialize(value) for name, value in item.items()}
    assert ApiKey.from_item(plain).is_accepted_at(datetime.now(UTC))
    assert operate("keys", "create", "--project", "prj_1", *options).stdout != result.stdout


def test_invalid_options_create_no_key(operate: Operator) -> None:
    rule = "a project id consists of 1 to 64 characters of A-Z a-z 0-9 _ -"
    expired = ("--project", "a", "--expires-at")
    for arguments, message in [
        ((), "Missing option '--project'."),
        *((("--project", project), rule) for project in ("a/b", "", "a" * 65)),
        ((*expired, "tomorrow"), "'tomorrow' does not match the format '%Y-%m-%dT%H:%M:%S%z'"),
        ((*expired, "2099-01-31T00:00:00"), "does not match the format '%Y-%m-%dT%H:%M:%S%z'"),
        ((*expired, "2020-01-31T00:00:00Z"), "this time has passed"),
    ]:
        result = operate("keys", "create", *arguments)
        assert (result.exit_code, result.stdout, operate.stored_keys()) == (2, "", [])
        assert message in result.stderr


def created(day: int) -> str:
    return f"2026-06-{day:02}T09:00:00.000Z"


@pytest.fixture
def listed(operate: Operator) -> Operator:
    """A key in each state, and one of another project."""
    seed(operate, "a" * 64, "ck_live_aaaaa", name={"S": "CI"}, revokedAt={"NULL": True})
    seed(operate, "b" * 64, "ck_live_bbbbb", createdAt={"S": created(2)}, revokedAt=REVOKED)
    seed(operate, "c" * 64, "ck_live_ccccc", createdAt={"S": created(3)}, expiresAt=REVOKED)
    seed(operate, "d" * 64, "ck_live_ddddd", createdAt={"S": created(4)}, expiresAt={"S": "never"})
    seed(operate, "e" * 64, "ck_test_eeeee", "prj_0", name={"S": "\x1b[31mred"})
    return operate


@pytest.mark.threat("operator-tools")
def test_keys_are_listed_without_their_hashes_and_without_what_a_terminal_obeys(listed: Operator) -> None:
    def entry(prefix: str, day: int, state: str, **values: str) -> dict[str, object]:
        nothing = dict.fromkeys(("name", "expiresAt", "revokedAt"))
        return {"prefix": prefix, "projectId": "prj_1", "createdAt": created(day), "state": state} | nothing | values

    result = listed("keys", "list", "--project", "prj_1", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json_lines(result.stdout) == [
        entry("ck_live_aaaaa", 1, "active", name="CI"),
        entry("ck_live_bbbbb", 2, "revoked", revokedAt=REVOKED["S"]),
        entry("ck_live_ccccc", 3, "expired", expiresAt=REVOKED["S"]),
        entry("ck_live_ddddd", 4, "broken", expiresAt="never"),
    ]
    result = listed("keys", "list")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["PREFIX", "PROJECT", "NAME", "CREATED", "EXPIRES", "STATE"],
        ["ck_test_eeeee", "prj_0", "\N{REPLACEMENT CHARACTER}[31mred", created(1), "active"],
        ["ck_live_aaaaa", "prj_1", "CI", created(1), "active"],
        ["ck_live_bbbbb", "prj_1", created(2), "revoked"],
        ["ck_live_ccccc", "prj_1", created(3), REVOKED["S"], "expired"],
        ["ck_live_ddddd", "prj_1", created(4), "never", "broken"],
    ]


def test_a_key_is_revoked_at_once_and_for_good(listed: Operator) -> None:
    result = listed("keys", "revoke", "ck_live_aaaaa", "--yes")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Key ck_live_aaaaa is revoked.\n")
    after = revoked(listed)
    assert TIME.fullmatch(str(after["a" * 64]))
    assert after == {"a" * 64: after["a" * 64], "b" * 64: REVOKED["S"], "c" * 64: None, "d" * 64: None, "e" * 64: None}
    again = listed("keys", "revoke", "ck_live_aaaaa", "--yes")
    assert (again.exit_code, again.stderr) == (0, "Key ck_live_aaaaa was already revoked.\n")
    assert revoked(listed) == after


def test_a_key_that_was_revoked_or_deleted_in_the_meantime_stays_so(
    listed: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = listed.name("ApiKeysTable")

    def revoke_or_delete(call: int) -> None:
        if call == 1:
            seed(listed, "a" * 64, "ck_live_aaaaa", revokedAt=REVOKED)
        else:
            DYNAMODB.delete_item(TableName=table, Key={"keyHash": {"S": "c" * 64}})

    before(monkeypatch, "dynamodb.UpdateItem", revoke_or_delete)
    for name in ("ck_live_aaaaa", "ck_live_ccccc"):
        result = listed("keys", "revoke", name, "--yes")
        assert (result.exit_code, result.stderr) == (0, f"Key {name} was revoked or deleted in the meantime.\n")
    assert revoked(listed) == {"a" * 64: REVOKED["S"], "b" * 64: REVOKED["S"], "d" * 64: None, "e" * 64: None}


def test_without_confirmation_nothing_is_revoked(listed: Operator) -> None:
    old, question = revoked(listed), "Revoke key ck_live_aaaaa of project prj_1? [y/N]:"
    for answer in ("n\n", ""):
        result = listed("keys", "revoke", "ck_live_aaaaa", answer=answer)
        assert (result.exit_code, result.stderr.replace("\n", "")) == (1, f"{question}Aborted!")
        assert revoked(listed) == old
    assert listed("keys", "revoke", "ck_live_aaaaa", answer="y\n").exit_code == 0
    assert revoked(listed) != old


@pytest.mark.threat("operator-tools")
def test_of_several_keys_none_is_revoked_until_they_are_told_apart(listed: Operator) -> None:
    seed(listed, "f" * 64, "ck_live_aaaaa", "prj_2", createdAt={"S": "2026-06-05T11:42:08.000Z"})
    old, revoke = revoked(listed), ("keys", "revoke", "ck_live_aaaaa", "--yes")
    result = listed(*revoke)
    assert (result.exit_code, result.stderr) == (2, SEVERAL)
    assert [line.split() for line in result.stdout.splitlines()[1:]] == [
        ["ck_live_aaaaa", "prj_1", "CI", CREATED["S"], "active"],
        ["ck_live_aaaaa", "prj_2", "2026-06-05T11:42:08.000Z", "active"],
    ]
    for time, exit_code in [("", 2), ("2026-06", 2), ("2026-06-06", 1)]:
        assert listed(*revoke, "--created-at", time).exit_code == exit_code
    assert revoked(listed) == old
    for options, message in [
        (("--project", "prj_2"), "is revoked"),
        (("--created-at", "2026-06-05"), "was already revoked"),
        (("--created-at", "2026-06-05T11:42:08.000Z"), "was already revoked"),
    ]:
        result = listed(*revoke, *options)
        assert (result.exit_code, result.stderr) == (0, f"Key ck_live_aaaaa {message}.\n")
    assert {key for key, time in revoked(listed).items() if time} == {"b" * 64, "f" * 64}


def test_a_key_is_revoked_by_the_whole_key_on_standard_input_also_without_a_prefix(listed: Operator) -> None:
    key = "ck_live_canaryCanaryCanary"
    item = {"keyHash": {"S": HashedKey.parse(key).sha256}, "projectId": {"S": "prj_1"}}
    DYNAMODB.put_item(TableName=listed.name("ApiKeysTable"), Item=item)
    old = revoked(listed)
    result = listed("keys", "revoke", "-", answer=f"{key}\ny\n")
    question = "Revoke key without a prefix of project prj_1? [y/N]:"
    assert (result.exit_code, result.stderr) == (0, f"{question}Key without a prefix is revoked.\n")
    assert {hash_ for hash_, time in revoked(listed).items() if time != old[hash_]} == {HashedKey.parse(key).sha256}


@pytest.mark.threat("operator-tools")
def test_an_unknown_key_is_an_error_and_not_repeated(listed: Operator) -> None:
    old = revoked(listed)
    for prefix, text in [
        ("ck_live_aaaa", None),
        ("ck_live_aaaaaSecretSecretSecretSecret", None),
        ("-", b"ck_live_aaaaa\n"),
        ("-", b"ck_live_canaryCanaryCanary\xff\n"),
    ]:
        result = listed("keys", "revoke", prefix, "--yes", answer=text)
        assert (result.exit_code, result.stdout, result.stderr) == NO_SUCH_KEY
    assert revoked(listed) == old


def test_a_key_with_an_invalid_revocation_is_reported_as_broken(operate: Operator) -> None:
    for value in ({"S": ""}, {"S": "yesterday"}, {"BOOL": False}):
        seed(operate, "a" * 64, "ck_live_aaaaa", revokedAt=value)
        old = operate.stored_keys()
        result = operate("keys", "revoke", "ck_live_aaaaa", "--yes")
        message = "Key ck_live_aaaaa is broken, and has a revokedAt. Correct or delete its item in the table."
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {message}\n")
        assert operate.stored_keys() == old
