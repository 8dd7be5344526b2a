"""`certificates archive reconcile`, on resources made from the template."""

import json
from collections import Counter
from pathlib import Path

import pytest
from botocore.exceptions import ConnectTimeoutError

from develop.fakes.server import Response, reply
from operate import signature_requests
from operate.commands import reconcile
from operate.output import make_printable
from operate.signature_requests import SignatureRequests
from operate.stack import find_deployed
from tests.support.deployed import CLOUDFORMATION
from tests.support.operator import WRONG_STATUS, Operator, ScriptAws, fail_at, run, signature_id, summary

STATE = Path(".reconcile-craftkit-test.json")
NOT_AN_ID = ["0F8FAD5B-D9CB-469F-A165-70867728950E", "1", "a\x1b]0;owned\x07"]


@pytest.mark.threat("lost-certificate")
def test_reconcile_enqueues_what_the_archive_lacks_and_a_dry_run_only_counts(operate: Operator) -> None:
    for number in (1, 2, 3):
        operate.seed(number)
    operate.archive(3)
    operate.seed(4, certificateUrl={"S": ""})
    operate.seed(5, **WRONG_STATUS)
    STATE.write_text("of another run")
    counts, broken = {"scanned": "5", "available": "3", "archived": "1"}, {"broken": "1"}
    result = operate("archive", "reconcile", "--dry-run")
    assert (result.exit_code, summary(result.stdout)) == (0, counts | {"to enqueue": "2"} | broken)
    assert (operate.enqueued(), STATE.read_text()) == ([], "of another run")
    STATE.unlink()
    result = operate("archive", "reconcile")
    assert (result.exit_code, summary(result.stdout)) == (0, counts | {"enqueued": "2"} | broken)
    assert result.stderr == f"broken item {signature_id(5)} (status: literal_error)\n"
    assert (operate.enqueued(), STATE.exists()) == ([signature_id(1), signature_id(2)], False)


def test_an_item_whose_id_is_not_a_lower_case_uuid_is_broken_and_stops_nothing(operate: Operator) -> None:
    for id_ in NOT_AN_ID:
        url = {"certificateUrl": {"S": f"https://api.craftkit.example/v1/signatures/{id_}/certificate"}}
        operate.seed(1, id={"S": id_}, **url)
    operate.seed(2)
    operate.archive(2)
    broken = sorted(f"broken item {make_printable(id_)} (id: string_pattern_mismatch)" for id_ in NOT_AN_ID)
    for command in ("verify", "reconcile"):
        result = operate("archive", command)
        numbers = summary(result.stdout)
        assert (result.exit_code, numbers["available"], numbers["broken"]) == (0, "1", "3")
        assert sorted(result.stderr.splitlines()) == broken
    assert operate.enqueued() == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "Interrupted."),
        (
            ConnectTimeoutError(endpoint_url="https://sqs.example"),
            'Connect timeout on endpoint URL: "https://sqs.example". Check the network, the proxy and the region.',
        ),
    ],
)
def test_an_interrupted_run_resumes_and_repeats_only_the_unfinished_step(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, error: BaseException, words: str
) -> None:
    monkeypatch.setattr(signature_requests, "STEP_ITEMS", 12)
    ids = [operate.seed(number) for number in range(24)]
    with monkeypatch.context() as first_run:
        fail_at(first_run, "sqs.SendMessageBatch", 4, error)
        result = operate("archive", "reconcile")
    message = f"Error: {words} Run it again to resume ({STATE}).\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)
    state = json.loads(STATE.read_text())
    counts = {"scanned": 12, "available": 12, "archived": 0, "enqueued": 12, "broken": 0}
    assert (state["done"], state["counts"]) == ({"table": signature_id(11)}, counts)

    result = operate("archive", "reconcile")
    assert (result.exit_code, result.stderr) == (0, f"Resuming after 12 items ({STATE}).\n")
    assert summary(result.stdout)["enqueued"] == summary(result.stdout)["scanned"] == "24"
    sent = Counter(operate.enqueued())
    assert ([*sent], {sent[id_] for id_ in ids[:12]}, STATE.exists()) == (ids, {1}, False)


def make_state(operate: Operator, **fields: object) -> str:
    table = SignatureRequests(find_deployed(operate.stack.name, None)).identity
    counts = dict.fromkeys(("scanned", "available", "archived", "enqueued", "broken"), 7)
    return json.dumps({"work": f"reconcile, {table}", "done": {"table": None}, "counts": counts} | fields)


def test_a_state_that_does_not_match_is_refused(operate: Operator) -> None:
    operate.seed(1)
    malformed = "does not hold the progress of a command. Delete it to start over."
    for state, message in [
        ("", malformed),
        ("{}", malformed),
        (make_state(operate, done=5), malformed),
        (make_state(operate, counts={"scanned": -1}), malformed),
        (make_state(operate, work="other"), "belongs to another table or to other options. Delete it to start over."),
    ]:
        STATE.write_text(state)
        result = operate("archive", "reconcile")
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {STATE} {message}\n")
        assert (STATE.read_text(), operate.enqueued()) == (state, [])


def test_a_stack_is_named_by_its_arn_and_a_table_that_was_read_is_not_read_again(operate: Operator) -> None:
    operate.seed(1)
    STATE.write_text(make_state(operate))
    arn = CLOUDFORMATION.describe_stacks(StackName=operate.stack.name)["Stacks"][0]["StackId"]
    result = run("archive", "reconcile", "--stack", arn)
    assert (result.exit_code, result.stderr) == (0, f"Resuming after 7 items ({STATE}).\n")
    assert (summary(result.stdout)["scanned"], operate.enqueued(), STATE.exists()) == ("7", [], False)


def test_writing_the_state_follows_no_planted_link(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    precious, unlink = Path("precious"), Path.unlink
    precious.write_text("of somebody else")
    operate.seed(1)

    def unlink_and_plant(path: Path, *, missing_ok: bool = False) -> None:
        unlink(path, missing_ok=missing_ok)
        path.symlink_to(precious)

    monkeypatch.setattr(Path, "unlink", unlink_and_plant)
    result = operate("archive", "reconcile")
    assert (result.exit_code, result.stderr) == (2, f"Error: [Errno 17] File exists: '{STATE}.new'.\n")
    assert (precious.read_text(), operate.enqueued()) == ("of somebody else", [])


def sqs_response(sent: list[int], failed: list[int]) -> Response:
    successful = [{"Id": str(n), "MessageId": "m", "MD5OfMessageBody": "x"} for n in sent]
    failures = [{"Id": str(n), "SenderFault": False, "Code": "InternalError"} for n in failed]
    return reply(200, json.dumps({"Successful": successful, "Failed": failures}).encode())


def test_messages_that_sqs_did_not_take_are_sent_again(operate: Operator, script_aws: ScriptAws) -> None:
    for number in range(10):
        operate.seed(number)
    sqs = script_aws(
        "SQS", sqs_response([1, 2, 3, 4, 5, 6, 8, 9], [0, 7]), sqs_response([7], [0]), sqs_response([0], [])
    )
    result = operate("archive", "reconcile")
    assert (result.exit_code, summary(result.stdout)["enqueued"]) == (0, "10")
    sent = [[(entry["Id"], entry["MessageBody"]) for entry in json.loads(r.body)["Entries"]] for r in sqs.requests]
    entries = [(str(number), f'{{"signatureRequestId": "{signature_id(number)}"}}') for number in range(10)]
    assert sent == [entries, [entries[0], entries[7]], entries[:1]]


@pytest.mark.parametrize("response", [sqs_response([], [0]), reply(200, b"<html>")])
def test_messages_that_sqs_never_takes_are_an_error(
    operate: Operator, script_aws: ScriptAws, response: Response
) -> None:
    operate.seed(1)
    sqs = script_aws("SQS", response)
    result = operate("archive", "reconcile")
    assert (result.exit_code, result.stdout, STATE.exists()) == (2, "", True)
    assert result.stderr.endswith(f" Run it again to resume ({STATE}).\n")
    assert len(sqs.requests) == reconcile.ATTEMPTS


def test_what_can_not_be_read_is_not_empty(operate: Operator, script_aws: ScriptAws) -> None:
    operate.seed(1)
    script_aws("S3", reply(403))
    result = operate("archive", "reconcile", "--dry-run")
    assert (result.exit_code, result.stderr) == (2, "Error: AWS refused GetObject: Forbidden.\n")
    table = {"TableArn": "arn", "CreationDateTime": 1780000000, "ItemCount": 1}
    described = reply(200, json.dumps({"Table": table}).encode())
    script_aws("DYNAMODB", described, reply(200, b"{}"))
    result = operate("archive", "reconcile", "--dry-run")
    assert (result.exit_code, result.stderr) == (2, "Error: AWS gave no usable response: MalformedAnswer.\n")
