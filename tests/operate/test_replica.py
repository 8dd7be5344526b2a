"""`certificates archive verify --replica`: the archive and its second copy. Neither has signature requests here."""

import re

import pytest

from certificates.certificate import Certificate
from develop.fakes.server import Response, reply
from tests.support.deployed import AWS
from tests.support.operator import Operator, ScriptAws, deploy, json_lines, run, signature_id
from tests.support.pdf import pdf
from tests.support.stack import REPLICA

BUCKET = "certificates-replica"
KEY = f"prj_1/{signature_id(1)}.pdf"
SHA256 = Certificate(pdf()).sha256
NUMBERS = {"scanned": 0, "available": 0, "intact": 0, "missing": 0, "damaged": 0, "altered": 0, "broken": 0}
NUMBERS |= {"replicated": 0, "replicaPending": 0, "replicaFailed": 0, "replicaMissing": 0, "replicaDiffers": 0}
NUMBERS |= {"replicaAltered": 0, "onlyInReplica": 0}
NO_VERSIONS = reply(200, b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>")
ONE_VERSION = f"<Version><Key>{KEY}</Key><Size>1</Size></Version>"
ONE_KEY = reply(200, f"<ListVersionsResult><IsTruncated>false</IsTruncated>{ONE_VERSION}</ListVersionsResult>".encode())
AGAIN = ". Run it again to resume (.verify-craftkit-test.json).\n"
LISTED = (ONE_KEY, NO_VERSIONS)


def head(**headers: str) -> Response:
    return reply(200, headers={name.replace("_", "-"): value for name, value in headers.items()})


def error(status: int, code: str, **headers: str) -> Response:
    body = f"<Error><Code>{code}</Code><Message>{code}, said S3</Message></Error>".encode()
    return reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.threat("lost-certificate", "wrong-bytes")
def test_each_difference_of_the_second_copy_is_found(operate: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    s3 = AWS.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def copy(number: int, content: bytes = pdf(), algorithm: str = "SHA256") -> None:
        key = f"prj_1/{signature_id(number)}.pdf"
        s3.put_object(Bucket=BUCKET, Key=key, Body=content, ChecksumAlgorithm=algorithm)  # type: ignore[arg-type]

    for number in (1, 2, 3, 4, 5, 6):
        operate.archive(number)
    copy(0)
    copy(1)
    copy(3, pdf(seed=9))  # of the same length
    copy(4, algorithm="CRC32")
    copy(5)
    s3.delete_object(Bucket=BUCKET, Key=f"prj_1/{signature_id(5)}.pdf")
    for _ in range(3):
        copy(6)
    copy(7)
    verdicts = {0: "only_in_replica", 2: "replica_missing", 3: "replica_differs", 4: "replica_differs"}
    verdicts |= {5: "replica_altered", 6: "replica_altered", 7: "only_in_replica"}
    facts = {5: {"versions": 1, "deleteMarkers": 1}, 6: {"versions": 3, "deleteMarkers": 0}}
    result = operate("archive", "verify", "--replica", "--json")
    *findings, numbers = json_lines(result.stdout)
    assert findings == [
        {"problem": verdict, "key": f"prj_1/{signature_id(number)}.pdf", **facts.get(number, {})}
        for number, verdict in verdicts.items()
    ]
    expected = {"replicated": 1, "replicaMissing": 1, "replicaDiffers": 2, "replicaAltered": 2, "onlyInReplica": 2}
    assert numbers == NUMBERS | expected
    assert (result.exit_code, result.stderr) == (1, "")


def described(status: str) -> Response:
    return head(x_amz_checksum_sha256=SHA256, x_amz_replication_status=status)


COPY = head(x_amz_checksum_sha256=SHA256)


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ((*LISTED, described("COMPLETED"), COPY), "replicated"),
        ((*LISTED, described("PENDING"), COPY), "replicated"),
        ((NO_VERSIONS, ONE_KEY, described("COMPLETED"), COPY), "replicated"),  # archived between the two lists
        ((*LISTED, described("PENDING"), reply(404)), "replicaPending"),
        ((*LISTED, described("FAILED"), reply(404)), "replicaFailed"),
        ((*LISTED, described("FAILED"), COPY), "replicaFailed"),
        ((*LISTED, described("COMPLETED"), reply(404)), "replicaMissing"),
        ((*LISTED, reply(404), COPY), "onlyInReplica"),  # deleted since it was listed
    ],
)
def test_the_descriptions_of_both_copies_decide(
    operate: Operator, script_aws: ScriptAws, answers: list[Response], verdict: str
) -> None:
    s3 = script_aws("S3", *answers)
    result = operate("archive", "verify", "--replica", "--json")
    *findings, numbers = json_lines(result.stdout)
    problem = re.sub("([A-Z])", r"_\1", verdict).lower()
    assert findings == [{"problem": problem, "key": KEY}] * (verdict != "replicated")
    assert numbers == NUMBERS | {verdict: 1}
    assert result.exit_code == (0 if verdict in {"replicated", "replicaPending"} else 1)
    assert [(request.method, request.target) for request in s3.requests[2:]] == [
        ("HEAD", f"/craftkit-test-certificatesbucket/{KEY}"),
        ("HEAD", f"/{BUCKET}/{KEY}"),
    ]
    assert {request.headers["x-amz-checksum-mode"] for request in s3.requests[2:]} == {"ENABLED"}


def test_a_second_copy_in_another_region_is_found(operate: Operator, script_aws: ScriptAws) -> None:
    elsewhere = error(301, "PermanentRedirect", x_amz_bucket_region="ap-southeast-2")
    s3 = script_aws("S3", ONE_KEY, elsewhere, NO_VERSIONS, COPY, COPY)
    result = operate("archive", "verify", "--replica")
    assert (result.exit_code, result.stderr) == (0, "")
    regions = [request.headers["authorization"].split("/")[2] for request in s3.requests]
    home, away = "eu-central-1", "ap-southeast-2"
    assert regions == [home, home, away, home, away]


UNREADABLE = "The bucket certificates-replica can't be read. AWS refused"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((ONE_KEY, error(403, "AccessDenied")), f"{UNREADABLE} ListObjectVersions: AccessDenied, said S3"),
        ((*LISTED, COPY, reply(403)), f"{UNREADABLE} HeadObject: Forbidden"),
        ((NO_VERSIONS, reply(200, b"<html/>")), "AWS gave no usable response: MalformedAnswer"),
    ],
)
def test_a_second_copy_that_can_not_be_read_is_no_difference(
    operate: Operator, script_aws: ScriptAws, answers: list[Response], words: str
) -> None:
    script_aws("S3", *answers)
    result = operate("archive", "verify", "--replica")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {words}{AGAIN}")


def test_a_stack_without_a_second_copy_says_so(operate: Operator) -> None:
    parameters = dict.fromkeys(REPLICA, "")
    deploy("single", operate.stack.outputs, parameters)
    result = run("archive", "verify", "--replica", "--stack", "single")
    words = "Stack single has no second copy: its parameter ReplicaBucketArn is empty."
    assert (result.exit_code, result.stderr) == (2, f"Error: {words}\n")
