"""`python -m tools archive`, on resources made from the template."""

import json
import re
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.handlers
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.retries.standard import ExponentialBackoff
from moto.server import ThreadedMotoServer

from signing.certificate import Certificate
from tests.kit.operator import Operator, deploy, operator, run, signature_id
from tests.kit.pdf import pdf
from tests.kit.server import Answer, ScriptedServer, reply
from tools.local import seeds
from tools.local.resources import create_resources
from tools.operate import archive_queue, signatures
from tools.operate.resume import Counts, Memory
from tools.operate.signatures import Signatures
from tools.template import REGION, Stack

STATE = Path(".reconcile-craftkit-test.json")
NO_URL = {"certificateUrl": {"NULL": True}}
WRONG_STATUS = {"status": {"S": "unheard-of"}}


@pytest.fixture
def operate(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    """In an empty folder, without waiting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(archive_queue, "FIRST_PAUSE", 0)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with operator(stack) as found:
        yield found


@pytest.fixture
def place(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ScriptedServer]]:
    """Puts a scripted server in the place of a service of AWS."""
    assert operate
    servers = []

    def run(service: str, *answers: Answer) -> ScriptedServer:
        server = ScriptedServer(*answers)
        servers.append(server.__enter__())
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", server.url)
        return server

    yield run
    for server in servers:
        server.__exit__()


def before(monkeypatch: pytest.MonkeyPatch, call: str, act: Callable[[int], None]) -> None:
    """Acts before each call of AWS by this name, with its number from 1 on."""
    lock, calls = threading.Lock(), [0]

    def handle(**_: Any) -> None:
        with lock:
            calls[0] += 1
            number = calls[0]
        act(number)

    handlers = [*botocore.handlers.BUILTIN_HANDLERS, (f"before-call.{call}", handle)]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)


def summary(text: str) -> dict[str, str]:
    """What the lines of a summary say, by name, but for the time."""
    pairs = [line.rsplit("  ", 1) for line in text.splitlines() if not line.startswith("this run took ")]
    return {name.strip(): value.strip() for name, value in pairs}


# ── reconcile ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def seed_all_kinds(operate: Operator) -> None:
    """1 and 2 are missing, 3 is archived, 4 has no certificate yet, 5 is broken."""
    for number in (1, 2, 3):
        operate.seed(number)
    operate.archive(3)
    operate.seed(4, **NO_URL)
    operate.seed(5, **WRONG_STATUS)


def test_reconcile_enqueues_what_the_archive_lacks_and_nothing_else(operate: Operator) -> None:
    seed_all_kinds(operate)
    result = operate("archive", "reconcile")
    assert (result.exit_code, summary(result.stdout), result.stderr) == (
        0,
        {"scanned": "5", "available": "3", "archived already": "1", "enqueued": "2", "broken": "1"},
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
        {"scanned": "5", "available": "3", "archived already": "1", "to enqueue": "2", "broken": "1"},
    )
    assert (operate.enqueued(), STATE.read_text()) == ([], "of another run")


def test_an_empty_table_is_reconciled(operate: Operator) -> None:
    result = operate("archive", "reconcile")
    assert (result.exit_code, set(summary(result.stdout).values()), STATE.exists()) == (0, {"0"}, False)


def test_an_interrupted_run_goes_on_and_sends_each_message_once(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "PAGE_ITEMS", 4)
    ids = [operate.seed(number) for number in range(60)]
    main_thread = threading.main_thread().ident or 0

    def interrupt(number: int) -> None:
        if number == 5:
            signal.pthread_kill(main_thread, signal.SIGINT)

    with monkeypatch.context() as first_run:
        before(first_run, "sqs.SendMessageBatch", interrupt)
        result = operate("archive", "reconcile", "--segments", "3")
    sent = operate.enqueued()
    counts = json.loads(STATE.read_text())["counts"]
    assert 0 < len(sent) < 60
    n = len(sent)
    message = f"Error: Interrupted after {n} items. Run it again to go on where it stopped ({STATE}).\n"
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", message)
    assert counts == {"scanned": n, "available": n, "archived": 0, "enqueued": n, "broken": 0}

    result = operate("archive", "reconcile")
    assert (result.exit_code, result.stderr) == (0, f"Going on after {n} items ({STATE}).\n")
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
    again = f"Check the network, the proxy and the region. Run it again to go on where it stopped ({STATE}).\n"
    assert result.stderr == f'Error: Connect timeout on endpoint URL: "https://sqs.example". {again}'
    done = json.loads(STATE.read_text())
    assert done["segments"] == [{"after": {"id": {"S": signature_id(19)}}, "is_done": False}]
    assert done["counts"] == {"scanned": 20, "available": 20, "archived": 0, "enqueued": 20, "broken": 0}

    assert operate("archive", "reconcile").exit_code == 0
    doubled = Counter(ids[20:30])
    assert Counter(operate.enqueued()) == Counter(ids) + doubled


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{}", "is not a state of reconcile. Delete it, or give another --state."),
        (
            '{"table": "other", "segments": []}',
            "is of another table. Delete it to begin anew, or give another --state.",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused(operate: Operator, state: str, message: str) -> None:
    operate.seed(1)
    Path("state.json").write_text(state)
    result = operate("archive", "reconcile", "--state", "state.json")
    assert (result.exit_code, result.stderr, operate.enqueued()) == (2, f"Error: state.json {message}\n", [])
    assert Path("state.json").read_text() == state


def test_a_state_keeps_its_number_of_segments(operate: Operator) -> None:
    table = Signatures(operate.aws.client("dynamodb"), operate.name("SignaturesTable")).describe()
    Memory.begin(table.identity, 3, STATE)
    result = operate("archive", "reconcile", "--segments", "2")
    message = f"Error: {STATE} has 3 segments. Delete it to begin anew with 2.\n"
    assert (result.exit_code, result.stderr) == (2, message)
    assert operate("archive", "reconcile", "--segments", "3").exit_code == 0


def test_a_segment_that_is_done_is_not_walked_again(operate: Operator) -> None:
    operate.seed(1)
    table = Signatures(operate.aws.client("dynamodb"), operate.name("SignaturesTable")).describe()
    Memory.begin(table.identity, 1, STATE).complete(0, None, Counts(scanned=1, available=1, enqueued=1))
    result = operate("archive", "reconcile")
    assert (result.exit_code, summary(result.stdout)["scanned"], operate.enqueued()) == (0, "1", [])


def test_a_state_that_can_not_be_written_is_told_before_anything_is_sent(operate: Operator) -> None:
    operate.seed(1)
    result = operate("archive", "reconcile", "--state", "none/state.json")
    message = "Error: none/state.json can't be written: No such file or directory.\n"
    assert (result.exit_code, result.stderr, operate.enqueued()) == (2, message, [])


def sqs_answer(sent: list[int], failed: list[int]) -> Answer:
    successful = [{"Id": str(n), "MessageId": "m", "MD5OfMessageBody": "x"} for n in sent]
    failures = [{"Id": str(n), "SenderFault": False, "Code": "InternalError"} for n in failed]
    return reply(200, json.dumps({"Successful": successful, "Failed": failures}).encode())


def test_messages_that_sqs_did_not_take_are_sent_again(operate: Operator, place: Callable[..., ScriptedServer]) -> None:
    for number in range(12):
        operate.seed(number)
    taken = sqs_answer([1, 2, 3, 4, 5, 6, 8, 9], [0, 7]), sqs_answer([7], [0]), sqs_answer([0], [])
    sqs = place("SQS", *taken, sqs_answer([0, 1], []))
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
def test_messages_that_sqs_never_takes_are_an_error(
    operate: Operator, place: Callable[..., ScriptedServer], answer: Answer
) -> None:
    operate.seed(1)
    sqs = place("SQS", answer)
    result = operate("archive", "reconcile")
    assert (result.exit_code, result.stdout, STATE.exists()) == (2, "", True)
    assert result.stderr.endswith(f" Run it again to go on where it stopped ({STATE}).\n")
    assert len(sqs.requests) == archive_queue.ATTEMPTS


@pytest.mark.parametrize(("status", "code"), [(403, "403"), (503, "503")])
def test_an_archive_that_does_not_answer_is_no_archive_without_certificates(
    operate: Operator, place: Callable[..., ScriptedServer], status: int, code: str
) -> None:
    operate.seed(1)
    place("S3", reply(status))
    result = operate("archive", "reconcile", "--dry-run")
    assert (result.exit_code, result.stderr) == (2, f"Error: AWS gave no usable answer: {code}.\n")


def test_a_table_that_does_not_answer_is_no_empty_table(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, place: Callable[..., ScriptedServer]
) -> None:
    table = {"TableArn": "arn", "CreationDateTime": 1780000000, "ItemCount": 1}
    described = reply(200, json.dumps({"Table": table}).encode())
    monkeypatch.setattr(signatures, "PAGE_ITEMS", 1)
    place("DYNAMODB", described, reply(200, b"{}"))
    result = operate("archive", "reconcile", "--dry-run", "--segments", "1")
    assert (result.exit_code, result.stderr) == (2, "Error: AWS gave no usable answer: MalformedAnswer.\n")


# ── verify ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_intact_archive_is_verified(operate: Operator) -> None:
    operate.seed(1)
    operate.archive(1)
    operate.seed(2, **NO_URL)
    operate.seed(3, **WRONG_STATUS)
    table, as_json = operate("archive", "verify"), operate("archive", "verify", "--json")
    counts = {"scanned": 3, "available": 1, "intact": 1, "missing": 0, "damaged": 0, "broken": 1}
    assert (table.exit_code, summary(table.stdout)) == (0, {name: str(value) for name, value in counts.items()})
    found = json.loads(as_json.stdout)
    assert found.pop("seconds") >= 0
    assert (as_json.exit_code, found) == (0, {"findings": []} | counts)
    assert table.stderr == as_json.stderr == f"broken item {signature_id(3)} (status: literal_error)\n"


def test_each_certificate_that_is_missing_or_damaged_is_found(operate: Operator) -> None:
    for number in range(1, 7):
        operate.seed(number)
    operate.archive(1)
    operate.archive(3, ChecksumAlgorithm="CRC32")
    operate.archive(4, ChecksumSHA256="A" * 43 + "=")
    operate.archive(5, pdf()[:-40])
    operate.archive(6, b"<!doctype html>%%EOF")
    problems = {2: "missing", 3: "no_checksum", 4: "wrong_checksum", 5: "not_a_pdf", 6: "not_a_pdf"}
    counts = {"scanned": 6, "available": 6, "intact": 1, "missing": 1, "damaged": 4, "broken": 0}

    result = operate("archive", "verify", "--json")
    found = json.loads(result.stdout)
    assert found.pop("seconds") >= 0
    found["findings"].sort(key=lambda finding: finding["signatureRequestId"])
    assert (result.exit_code, result.stderr, found) == (
        1,
        "",
        {
            "findings": [
                {"problem": problem, "signatureRequestId": signature_id(number), "projectId": "prj_1"}
                for number, problem in problems.items()
            ]
        }
        | counts,
    )

    result = operate("archive", "verify")
    head, *rows = result.stdout.splitlines()
    assert (result.exit_code, result.stderr, head.split()) == (1, "", ["PROBLEM", "SIGNATURE", "REQUEST", "PROJECT"])
    assert sorted(tuple(row.split()) for row in rows[:5]) == sorted(
        (problem, signature_id(number), "prj_1") for number, problem in problems.items()
    )
    assert summary("\n".join(rows[6:])) == {name: str(value) for name, value in counts.items()}


def stored(content: bytes, announced: int | None = None) -> Answer:
    headers = {"ETag": '"e"', "x-amz-checksum-sha256": Certificate(pdf()).sha256}
    return reply(200, content, headers | {"Content-Length": str(announced or len(content))})


@pytest.mark.parametrize("passing", [stored(pdf()[:-1], len(pdf())), stored(pdf() + b" ")])
def test_an_answer_that_was_cut_short_or_damaged_on_its_way_is_read_again(
    operate: Operator, place: Callable[..., ScriptedServer], passing: Answer
) -> None:
    operate.seed(1)
    s3 = place("S3", passing, stored(pdf()))
    result = operate("archive", "verify")
    assert (result.exit_code, summary(result.stdout)["intact"], len(s3.requests)) == (0, "1", 2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (stored(pdf()[:-1], len(pdf())), "Error: "),
        (reply(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"), "AWS refused GetObject: no"),
    ],
)
def test_an_archive_that_can_not_be_read_is_neither_intact_nor_damaged(
    operate: Operator, place: Callable[..., ScriptedServer], answer: Answer, message: str
) -> None:
    operate.seed(1)
    place("S3", answer)
    result = operate("archive", "verify")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert message in result.stderr


def test_verify_is_interrupted(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operate.seed(1)
    main_thread = threading.main_thread().ident or 0
    before(monkeypatch, "s3.GetObject", lambda _: signal.pthread_kill(main_thread, signal.SIGINT))
    result = operate("archive", "verify")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Error: Interrupted after 0 items.\n")


@pytest.mark.parametrize("command", ["reconcile", "verify"])
def test_long_work_ends_with_the_time_that_it_took(operate: Operator, command: str) -> None:
    operate.seed(1)
    assert re.fullmatch(r"this run took +\d:\d\d:\d\d", operate("archive", command).stdout.splitlines()[-1])


# ── status ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_status_counts_what_waits_what_is_in_flight_and_what_is_dead(operate: Operator) -> None:
    sqs, url, dead = operate.aws.client("sqs"), operate.queue_url(), operate.queue_url("ArchiveDeadLetterQueue")
    for number in range(4):
        operate.seed(number)
        sqs.send_message(QueueUrl=url, MessageBody="{}")
    sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=600)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
    sqs.send_message(QueueUrl=dead, MessageBody="{}")
    sqs.send_message(QueueUrl=dead, MessageBody="{}")
    sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=1)
    as_json, table = operate("archive", "status", "--json"), operate("archive", "status")
    assert (as_json.exit_code, as_json.stderr, json.loads(as_json.stdout)) == (
        0,
        "",
        {
            "waiting": 3,
            "inFlight": 1,
            "delayed": 1,
            "deadLetters": 2,
            "oldestMessageSeconds": None,
            "signatureRequests": 4,
        },
    )
    assert (table.exit_code, table.stderr, summary(table.stdout)) == (
        0,
        "",
        {
            "waiting": "3",
            "in flight": "1",
            "delayed": "1",
            "dead letters": "2",
            "oldest message": "unknown",
            "signature requests": "4",
        },
    )


def points(*values: tuple[int, float]) -> Answer:
    """CloudWatch's answer: the maximum at each time."""
    datapoints = [{"Timestamp": time, "Maximum": value} for time, value in values]
    return reply(200, json.dumps({"Label": "x", "Datapoints": datapoints}).encode())


def test_status_tells_the_age_of_the_oldest_message(operate: Operator, place: Callable[..., ScriptedServer]) -> None:
    cloudwatch = place("CLOUDWATCH", points((1780000060, 3725.0), (1780000000, 3665.0)))
    assert json.loads(operate("archive", "status", "--json").stdout)["oldestMessageSeconds"] == 3725
    assert summary(operate("archive", "status").stdout)["oldest message"] == "1:02:05"
    assert b"craftkit-test-ArchiveQueue" in cloudwatch.requests[0].body


def test_status_does_without_the_permission_to_read_metrics(
    operate: Operator, place: Callable[..., ScriptedServer]
) -> None:
    place("CLOUDWATCH", reply(403, json.dumps({"__type": "AccessDenied", "message": "no"}).encode()))
    result = operate("archive", "status", "--json")
    assert (result.exit_code, json.loads(result.stdout)["oldestMessageSeconds"]) == (0, None)


# ── the stack ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Give either --stack NAME or --local."),
        (("--local", "--stack", "a"), "Give either --stack NAME or --local."),
        (("--stack", "a", "--port", "3000"), "--port goes with --local."),
        (("--local", "--region", "eu-west-1"), "--region goes with --stack."),
        (("--stack", ""), "Give either --stack NAME or --local."),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("archive", "reconcile"),
        ("archive", "verify"),
        ("archive", "status"),
        ("keys", "list"),
        ("keys", "create", "--project", "a"),
        ("keys", "revoke", "a"),
    ],
)
def test_each_command_takes_one_stack(command: tuple[str, ...], options: tuple[str, ...], message: str) -> None:
    result = run(*command, *options)
    assert (result.exit_code, result.stdout, result.stderr.splitlines()[-1]) == (2, "", f"Error: {message}")


def test_a_stack_that_does_not_exist_is_named(operate: Operator) -> None:
    assert operate
    result = run("archive", "status", "--stack", "none")
    advice = "`aws cloudformation describe-stacks` shows those that there are."
    message = f"Error: There is no stack none in {REGION}. {advice}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)
    result = run("archive", "status", "--stack", operate.stack.name, "--region", "eu-west-1")
    message = f"Error: There is no stack {operate.stack.name} in eu-west-1. {advice}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


def test_a_stack_of_something_else_is_refused(operate: Operator) -> None:
    deploy(operate.aws, "other", {"Url": "https://example.com"})
    result = run("archive", "status", "--stack", "other")
    words = "has no output ApiKeysTableName: is it this project's, deployed with this version?"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: Stack other {words}\n")


def test_missing_credentials_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    result = run("keys", "list", "--stack", "a")
    message = "Error: No AWS credentials found. Sign in, or set AWS_PROFILE.\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


def test_a_local_stack_that_does_not_run_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1] - 1
    result = run("archive", "status", "--local", "--port", str(port))
    message = f"Error: No local stack runs at port {port}. Start it: make run PORT={port}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


def test_the_local_stack_is_found_by_its_port() -> None:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    try:
        local = Stack("craftkit-local", {"ProviderSecretName": "craftkit/provider-secret"})
        create_resources(local, seeds.PROVIDER_SECRET, boto3.Session(region_name=REGION), f"http://127.0.0.1:{port}")
        made = run("keys", "create", "--project", "prj_1", "--local", "--port", str(port - 1))
        listed = run("keys", "list", "--json", "--local", "--port", str(port - 1))
        status = run("archive", "status", "--json", "--local", "--port", str(port - 1))
        dry_run = run("archive", "reconcile", "--dry-run", "--local", "--port", str(port - 1))
    finally:
        server.stop()
    assert [result.exit_code for result in (made, listed, status, dry_run)] == [0, 0, 0, 0]
    assert [entry["prefix"] for entry in json.loads(listed.stdout)] == [made.stdout[:13]]
    assert json.loads(status.stdout)["signatureRequests"] == 0
