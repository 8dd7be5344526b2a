"""Names, ids, messages and headers from outside: no command writes them to a terminal with what the terminal obeys."""

import json
import re

from click.testing import Result

from certificates.api_key import HashedKey
from develop.fakes.server import reply
from develop.template import ROOT
from tests.support.deployed import DYNAMODB
from tests.support.operator import Operator, ScriptAws, json_lines, run

IN_XML = "owned\x85\x9b31m\x9d0;\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""C1 controls and marks that change the direction of text: all that XML takes."""

HOSTILE = f"\x1b]0;owned\x07\x1b[2J\b\t\v\x7f[red]{IN_XML}"


def unprintable(text: str) -> set[str]:
    return {character for character in text if not character.isprintable()} - {"\n"}


def assert_shown_and_printable(*results: Result) -> None:
    """Each result shows the hostile text, without what a terminal obeys, and is no traceback."""
    for result in results:
        assert isinstance(result.exception, SystemExit | None)
        text = result.stdout + result.stderr
        assert "owned" in text
        assert unprintable(text) == set()


def put_key(operate: Operator, key_hash: str, **texts: str) -> None:
    item = {name: {"S": text} for name, text in ({"keyHash": key_hash, "projectId": "prj_1"} | texts).items()}
    DYNAMODB.put_item(TableName=operate.name("ApiKeysTable"), Item=item)


def test_the_attributes_of_a_key_are_listed_printable_and_json_keeps_every_character(operate: Operator) -> None:
    attributes = ("projectId", "prefix", "name", "createdAt", "expiresAt", "revokedAt")
    put_key(operate, "a", **dict.fromkeys(attributes, HOSTILE))
    table, as_json = operate("keys", "list"), operate("keys", "list", "--json").stdout
    assert_shown_and_printable(table)
    assert table.stdout.count("owned") == 5 * HOSTILE.count("owned")
    assert json_lines(as_json) == [dict.fromkeys(attributes, HOSTILE) | {"state": "broken"}]
    assert as_json.isascii()
    assert unprintable(as_json) == set()


def test_one_module_writes_for_all_commands() -> None:
    """It makes every line printable."""
    files = [*(ROOT / "operate").rglob("*.py")]
    assert [file.name for file in files if re.search(r"echo\(|std(out|err)\.write", file.read_text())] == ["output.py"]


def test_the_questions_and_messages_of_revoke_are_printable(operate: Operator) -> None:
    key = "ck_live_canaryCanaryCanary"
    put_key(operate, HashedKey.parse(key).sha256, prefix=HOSTILE, projectId=HOSTILE)
    put_key(operate, "b", prefix=HOSTILE, name=HOSTILE)
    no, yes, again = (operate("keys", "revoke", "-", answer=f"{key}\n{word}\n") for word in ("n", "y", ""))
    put_key(operate, "c", prefix=HOSTILE)
    several = operate("keys", "revoke", HOSTILE, "--yes")
    assert [result.exit_code for result in (no, yes, again, several)] == [1, 0, 0, 2]
    assert_shown_and_printable(no, yes, again, several)


def test_errors_are_printable(operate: Operator, script_aws: ScriptAws) -> None:
    script_aws("DYNAMODB", reply(403, json.dumps({"__type": "AccessDenied", "message": HOSTILE}).encode()))
    results = [
        operate("keys", "list"),
        *(run(*arguments) for arguments in ((f"--{HOSTILE}",), ("keys", "list", HOSTILE))),
        run("archive", "status", "--stack", IN_XML),
        run("archive", "status", "--stack", "a", "--region", HOSTILE),
    ]
    assert {result.exit_code for result in results} == {2}
    assert_shown_and_printable(*results)
