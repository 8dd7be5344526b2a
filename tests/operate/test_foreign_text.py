"""Names, ids, messages and headers from outside: no command writes them to a terminal with what the terminal obeys."""

import json
from urllib.parse import quote

import pytest
from click.testing import Result

from certificates.api_key import HashedKey
from develop.fakes.server import ScriptedServer, reply
from develop.local import seeds
from tests.support.deployed import DYNAMODB
from tests.support.operator import WRONG_STATUS, Operator, ScriptAws, json_lines, run

IN_XML = "owned\x85\x9b31m\x9d0;\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""C1 controls and marks that change the direction of text: all that XML takes."""

IN_LATIN_1 = "\x9b\x9downed"

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


def test_the_questions_and_messages_of_revoke_are_printable(operate: Operator) -> None:
    key = "ck_live_canaryCanaryCanary"
    put_key(operate, HashedKey.parse(key).sha256, prefix=HOSTILE, projectId=HOSTILE)
    put_key(operate, "b", prefix=HOSTILE, name=HOSTILE)
    no, yes, again = (operate("keys", "revoke", "-", answer=f"{key}\n{word}\n") for word in ("n", "y", ""))
    put_key(operate, "c", prefix=HOSTILE)
    several = operate("keys", "revoke", HOSTILE, "--yes")
    assert [result.exit_code for result in (no, yes, again, several)] == [1, 0, 0, 2]
    assert_shown_and_printable(no, yes, again, several)


def test_the_id_of_a_broken_item_is_printable(operate: Operator) -> None:
    operate.seed(1, id={"S": HOSTILE}, **WRONG_STATUS)
    result = operate("archive", "verify", "--json")
    assert result.exit_code == 0
    assert_shown_and_printable(result)


def test_the_key_of_an_altered_object_is_printable(operate: Operator, script_aws: ScriptAws) -> None:
    marker = f"<DeleteMarker><Key>{quote(HOSTILE)}</Key></DeleteMarker>"
    listing = f"<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>{marker}"
    script_aws("S3", reply(200, f"<ListVersionsResult>{listing}</ListVersionsResult>".encode()))
    table, as_json = operate("archive", "verify"), operate("archive", "verify", "--json")
    assert (table.exit_code, as_json.exit_code, json_lines(as_json.stdout)[0]["key"]) == (1, 1, HOSTILE)
    assert_shown_and_printable(table, as_json)


@pytest.mark.parametrize(
    ("service", "body", "command"),
    [
        ("DYNAMODB", json.dumps({"__type": "AccessDenied", "message": HOSTILE}), "keys list"),
        ("S3", f"<Error><Code>AccessDenied</Code><Message>{IN_XML}</Message></Error>", "archive verify"),
    ],
)
def test_the_message_of_an_aws_error_is_printable(
    operate: Operator, script_aws: ScriptAws, service: str, body: str, command: str
) -> None:
    script_aws(service, reply(403, body.encode()))
    result = operate(*command.split())
    assert result.exit_code == 2
    assert_shown_and_printable(result)


@pytest.mark.usefixtures("operate")
def test_the_arguments_that_an_error_repeats_are_printable() -> None:
    for arguments in (
        (f"--{HOSTILE}",),
        ("keys", f"a{HOSTILE}"),
        ("keys", "list", HOSTILE),
        ("keys", "list", "--local", "--port", HOSTILE),
        ("archive", "status", "--stack", IN_XML),
        ("archive", "status", "--stack", "a", "--region", HOSTILE),
        ("smoke", "--url", "http://127.0.0.1:1", "--id", HOSTILE),
    ):
        result = run(*arguments)
        assert result.exit_code == 2
        assert_shown_and_printable(result)


def test_the_headers_that_smoke_repeats_are_printable() -> None:
    value = "owned\x1b[2J\x07\x9b31m"
    with ScriptedServer(reply(200, b"", {"Accept-Ranges": value, f"x-amzn-remapped-{IN_LATIN_1}": "a"})) as api:
        arguments = ("smoke", "--url", api.url, "--id", "0f8fad5b-d9cb-469f-a165-000000000001")
        result = run(*arguments, answer=seeds.KEY)
    assert result.exit_code == 1
    assert_shown_and_printable(result)
