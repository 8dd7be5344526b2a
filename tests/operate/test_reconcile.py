"""`certificates archive reconcile`, on resources made from the template."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ConnectTimeoutError

from develop.fakes.server import Response, reply
from operate import signature_requests as signatures
from operate.checkpoint import Checkpoint
from operate.commands import reconcile
from operate.signature_requests import SignatureRequests
from operate.stack import find_deployed
from tests.support.deployed import CLOUDFORMATION
from tests.support.operator import (
    WRONG_STATUS,
    Operator,
    ScriptAws,
    before,
    interrupt,
    run,
    signature_id,
    summary,
)

STATE = Path(".reconcile-craftkit-test.json")
NO_STATE = "is not a state file of reconcile. Delete it, or give another --state."
NOT_AN_ID = ["0F8FAD5B-D9CB-469F-A165-70867728950E", "1", "a\x1b]0;owned\x07"]


def identify_table(operate: Operator) -> str:
    return SignatureRequests(find_deployed(operate.stack.name, None)).describe_table()[0]


def seed_all_kinds(operate: Operator) -> None:
    """1 and 2 are missing, 3 is archived, 4 has no certificate yet, 5 is broken."""
    for number in (1, 2, 3):
        operate.seed(number)
    operate.archive(3)
    operate.seed(4, certificateUrl={"S": ""})
    operate.seed(5, **WRONG_STATUS)


@pytest.mark.threat("lost-certificate")
def test_reconcile_enqueues_what_the_archive_lacks_and_nothing_else(operate: Operator) -> None:
    seed_all_kinds(operate)
    result = operate("archive", "reconcile")
    assert (result.exit_code, summary(result.stdout), result.stderr) == (
        0,
        {"scanned": "5", "available": "3", "archived": "1", "enqueued": "2", "broken": "1"},
        f"broken item {signature_id(5)} (status: literal_error)\n",
    )
    assert operate.enqueued() == [signature_id(1), signature_id(2)]
    assert not STATE.exists()


def test_a_dry_run_counts_sends_nothing_and_remembers_nothing(operate: Operator) -> None:
    seed_all_kinds(operate)
    STATE.write_text("of another run")
    result = operate("archive", "reconcile", "--dry-run")
    assert (result.exit_code, summary(result.stdout)) == (
        0,
        {"scanned": "5", "available": "3", "archived": "1", "to enqueue": "2", "broken": "1"},
    )
    assert (operate.enqueued(), STATE.read_text()) == ([], "of another run")


@pytest.mark.parametrize("id_", NOT_AN_ID)
def test_an_item_whose_id_is_not_a_lower_case_uuid_is_broken_and_not_enqueued(operate: Operator, id_: str) -> None:
    url = {"certificateUrl": {"S": f"https://api.craftkit.example/v1/signatures/{id_}/certificate"}}
    operate.seed(1, id={"S": id_}, **url)
    result = operate("archive", "reconcile")
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in id_)
    assert (result.exit_code, summary(result.stdout), result.stderr, operate.enqueued()) == (
        0,
        {"scanned": "1", "available": "0", "archived": "0", "enqueued": "0", "broken": "1"},
        f"broken item {shown} (id: string_pattern_mismatch)\n",
        [],
    )


def test_an_empty_table_is_reconciled(operate: Operator) -> None:
    result = operate("archive", "reconcile")
    assert (result.exit_code, set(summary(result.stdout).values()), STATE.exists()) == (0, {"0"}, False)


def test_an_interrupted_run_goes_on_and_sends_each_message_once(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "PAGE_ITEMS", 4)
    ids = [operate.seed(number) for number in range(60)]

    with monkeypatch.context() as first_run:
        interrupt(first_run, "sqs.SendMessageBatch", first=5)
        result = operate("archive", "reconcile", "--segments", "3")
    sent = operate.enqueued()
    counts = json.loads(STATE.read_text())["counts"]
    assert 0 < len(sent) < 60
    n = len(sent)
    message = f"Error: Interrupted after {n} items. Run it again to resume ({STATE}).\n"
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", message)
    assert counts == {"scanned": n, "available": n, "archived": 0, "enqueued": n, "broken": 0}

    result = operate("archive", "reconcile")
    assert (result.exit_code, result.stderr) == (0, f"Resuming after {n} items ({STATE}).\n")
    assert summary(result.stdout)["enqueued"] == summary(result.stdout)["scanned"] == "60"
    assert sorted(sent + operate.enqueued()) == ids
    assert not STATE.exists()


def test_a_run_that_fails_goes_on_and_doubles_only_the_page_in_hand(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "PAGE_ITEMS", 20)
    ids = [operate.seed(number) for number in range(60)]

    def fail(number: int) -> None:
        if number == 4:
            raise ConnectTimeoutError(endpoint_url="https://sqs.example")

    with monkeypatch.context() as first_run:
        before(first_run, "sqs.SendMessageBatch", fail)
        result = operate("archive", "reconcile", "--segments", "1")
    assert (result.exit_code, result.stdout) == (2, "")
    again = f"Check the network, the proxy and the region. Run it again to resume ({STATE}).\n"
    assert result.stderr == f'Error: Connect timeout on endpoint URL: "https://sqs.example". {again}'
    done = json.loads(STATE.read_text())
    assert done["segments"] == [{"after": signature_id(19), "is_done": False}]
    assert done["counts"] == {"scanned": 20, "available": 20, "archived": 0, "enqueued": 20, "broken": 0}

    assert operate("archive", "reconcile").exit_code == 0
    doubled = Counter(ids[20:30])
    assert Counter(operate.enqueued()) == Counter(ids) + doubled


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("", NO_STATE),
        ("{}", NO_STATE),
        ('{"table": "TABLE", "segments": []}', NO_STATE),
        ('{"table": "TABLE", "segments": [' + 32 * "{}," + "{}]}", NO_STATE),
        ('{"table": "TABLE", "segments": [{"after": 5}]}', NO_STATE),
        ('{"table": "TABLE", "segments": [{}], "counts": {"scanned": -1}}', NO_STATE),
        (
            '{"table": "other", "segments": [{}]}',
            "belongs to another table. Delete it to start over, or give another --state.",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused(operate: Operator, state: str, message: str) -> None:
    operate.seed(1)
    state = state.replace("TABLE", identify_table(operate))
    Path("state.json").write_text(state)
    result = operate("archive", "reconcile", "--state", "state.json")
    assert (result.exit_code, result.stdout, result.stderr, operate.enqueued()) == (
        2,
        "",
        f"Error: state.json {message}\n",
        [],
    )
    assert Path("state.json").read_text() == state


@pytest.mark.parametrize("is_dangling", [False, True])
def test_a_state_that_is_a_link_is_refused(operate: Operator, is_dangling: bool) -> None:  # noqa: FBT001
    operate.seed(1)
    target = Path("target")
    if not is_dangling:
        Checkpoint.begin(identify_table(operate), 1, target)
    before_run = target.read_text() if target.exists() else None
    STATE.symlink_to(target)
    result = operate("archive", "reconcile")
    assert (result.exit_code, result.stdout, result.stderr, operate.enqueued()) == (
        2,
        "",
        f"Error: {STATE} {NO_STATE}\n",
        [],
    )
    assert (target.read_text() if target.exists() else None) == before_run


@pytest.mark.parametrize("plant", [Path.symlink_to, Path.hardlink_to])
def test_writing_the_state_follows_no_planted_link(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, plant: Callable[[Path, Path], None]
) -> None:
    precious = Path("precious")
    precious.write_text("of somebody else")
    operate.seed(1)

    def plant_links(_: int) -> None:
        STATE.unlink()
        plant(STATE, precious)
        plant(Path(f"{STATE}.new"), precious)

    plant(Path(f"{STATE}.new"), precious)
    before(monkeypatch, "sqs.SendMessageBatch", plant_links)
    result = operate("archive", "reconcile", "--segments", "1")
    assert (result.exit_code, summary(result.stdout)["enqueued"]) == (0, "1")
    assert precious.read_text() == "of somebody else"
    assert [path.name for path in Path().iterdir()] == ["precious"]


def test_a_link_that_is_planted_at_the_last_moment_is_not_written_to(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = Path("precious")
    precious.write_text("of somebody else")
    operate.seed(1)
    unlink = Path.unlink

    def unlink_and_plant(path: Path, *, missing_ok: bool = False) -> None:
        unlink(path, missing_ok=missing_ok)
        path.hardlink_to(precious)

    monkeypatch.setattr(Path, "unlink", unlink_and_plant)
    result = operate("archive", "reconcile")
    message = f"Error: {STATE} can't be written: File exists.\n"
    assert (result.exit_code, result.stdout, result.stderr, operate.enqueued()) == (2, "", message, [])
    assert precious.read_text() == "of somebody else"


def test_a_stack_is_named_by_its_arn_too(operate: Operator) -> None:
    operate.seed(1)
    stack = CLOUDFORMATION.describe_stacks(StackName=operate.stack.name)["Stacks"][0]
    Checkpoint.begin(identify_table(operate), 3, STATE)
    result = run("archive", "reconcile", "--stack", stack["StackId"])
    assert (result.exit_code, result.stderr) == (0, f"Resuming after 0 items ({STATE}).\n")
    assert (operate.enqueued(), STATE.exists()) == ([signature_id(1)], False)


def test_a_state_keeps_its_number_of_segments(operate: Operator) -> None:
    Checkpoint.begin(identify_table(operate), 3, STATE)
    result = operate("archive", "reconcile", "--segments", "2")
    message = f"Error: {STATE} has 3 segments. Delete it to start over with 2.\n"
    assert (result.exit_code, result.stderr) == (2, message)
    assert operate("archive", "reconcile", "--segments", "3").exit_code == 0


def test_a_segment_that_is_done_is_not_walked_again(operate: Operator) -> None:
    operate.seed(1)
    Checkpoint.begin(identify_table(operate), 1, STATE).complete_page(0, None, scanned=1, available=1, enqueued=1)
    result = operate("archive", "reconcile")
    assert (result.exit_code, summary(result.stdout)["scanned"], operate.enqueued()) == (0, "1", [])


def test_a_state_that_can_not_be_written_is_told_before_anything_is_sent(operate: Operator) -> None:
    operate.seed(1)
    result = operate("archive", "reconcile", "--state", "none/state.json")
    message = "Error: none/state.json can't be written: No such file or directory.\n"
    assert (result.exit_code, result.stderr, operate.enqueued()) == (2, message, [])


def sqs_answer(sent: list[int], failed: list[int]) -> Response:
    successful = [{"Id": str(n), "MessageId": "m", "MD5OfMessageBody": "x"} for n in sent]
    failures = [{"Id": str(n), "SenderFault": False, "Code": "InternalError"} for n in failed]
    return reply(200, json.dumps({"Successful": successful, "Failed": failures}).encode())


def test_messages_that_sqs_did_not_take_are_sent_again(operate: Operator, script_aws: ScriptAws) -> None:
    for number in range(12):
        operate.seed(number)
    taken = sqs_answer([1, 2, 3, 4, 5, 6, 8, 9], [0, 7]), sqs_answer([7], [0]), sqs_answer([0], [])
    sqs = script_aws("SQS", *taken, sqs_answer([0, 1], []))
    result = operate("archive", "reconcile", "--segments", "1")
    assert (result.exit_code, summary(result.stdout)["enqueued"]) == (0, "12")
    sent = [[(entry["Id"], entry["MessageBody"]) for entry in json.loads(r.body)["Entries"]] for r in sqs.requests]

    def entry(id_: int, number: int) -> tuple[str, str]:
        return str(id_), f'{{"signatureRequestId": "{signature_id(number)}"}}'

    assert sent == [
        [entry(number, number) for number in range(10)],
        [entry(0, 0), entry(7, 7)],
        [entry(0, 0)],
        [entry(0, 10), entry(1, 11)],
    ]


@pytest.mark.parametrize("answer", [sqs_answer([], [0]), reply(200, b"<html>")])
def test_messages_that_sqs_never_takes_are_an_error(operate: Operator, script_aws: ScriptAws, answer: Response) -> None:
    operate.seed(1)
    sqs = script_aws("SQS", answer)
    result = operate("archive", "reconcile")
    assert (result.exit_code, result.stdout, STATE.exists()) == (2, "", True)
    assert result.stderr.endswith(f" Run it again to resume ({STATE}).\n")
    assert len(sqs.requests) == reconcile.ATTEMPTS


@pytest.mark.parametrize(("status", "reason"), [(403, "Forbidden"), (503, "Service Unavailable")])
def test_an_archive_that_does_not_answer_is_no_archive_without_certificates(
    operate: Operator, script_aws: ScriptAws, status: int, reason: str
) -> None:
    operate.seed(1)
    script_aws("S3", reply(status))
    result = operate("archive", "reconcile", "--dry-run")
    assert (result.exit_code, result.stderr) == (2, f"Error: AWS refused GetObject: {reason}.\n")


def test_a_table_that_does_not_answer_is_no_empty_table(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, script_aws: ScriptAws
) -> None:
    table = {"TableArn": "arn", "CreationDateTime": 1780000000, "ItemCount": 1}
    described = reply(200, json.dumps({"Table": table}).encode())
    monkeypatch.setattr(signatures, "PAGE_ITEMS", 1)
    script_aws("DYNAMODB", described, reply(200, b"{}"))
    result = operate("archive", "reconcile", "--dry-run", "--segments", "1")
    assert (result.exit_code, result.stderr) == (2, "Error: AWS gave no usable response: MalformedAnswer.\n")
