"""`certificates archive verify --replica`: the archive and its second copy. Neither has signature requests here."""

from unittest.mock import ANY

import pytest

from certificates.certificate import Certificate
from develop.fakes.server import Response, reply
from operate.replica import VERDICTS
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
ONE_VERSION = f"<Version><Key>{KEY}</Key></Version>"
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
    altered: dict[int, dict[str, object]] = {
        5: {"problem": "replica_altered", "versions": 1, "deleteMarkers": 1},
        6: {"problem": "replica_altered", "versions": 3, "deleteMarkers": 0},
    }
    problems: dict[int, dict[str, object]] = {
        0: {"problem": "only_in_replica"},
        2: {"problem": "replica_missing"},
        3: {"problem": "replica_differs"},
        4: {"problem": "replica_differs"},
        **altered,
        7: {"problem": "only_in_replica"},
    }

    result = operate("archive", "verify", "--replica", "--json")
    *findings, numbers = json_lines(result.stdout)
    assert findings == [problem | {"key": f"prj_1/{signature_id(number)}.pdf"} for number, problem in problems.items()]
    expected = {"replicated": 1, "replicaMissing": 1, "replicaDiffers": 2, "replicaAltered": 2, "onlyInReplica": 2}
    assert numbers == NUMBERS | expected | {"seconds": ANY}
    assert (result.exit_code, result.stderr) == (1, "")


def test_only_descriptions_are_read(operate: Operator, script_aws: ScriptAws) -> None:
    copied = head(x_amz_checksum_sha256=SHA256, x_amz_replication_status="COMPLETED")
    s3 = script_aws("S3", *LISTED, copied, head(x_amz_checksum_sha256=SHA256))
    result = operate("archive", "verify", "--replica", "--json")
    assert (result.exit_code, json_lines(result.stdout)) == (0, [NUMBERS | {"replicated": 1, "seconds": ANY}])
    assert [(request.method, request.target) for request in s3.requests[2:]] == [
        ("HEAD", f"/craftkit-test-certificatesbucket/{KEY}"),
        ("HEAD", f"/{BUCKET}/{KEY}"),
    ]
    assert {request.headers["x-amz-checksum-mode"] for request in s3.requests[2:]} == {"ENABLED"}


@pytest.mark.parametrize(
    ("status", "copy", "verdict"),
    [
        ("PENDING", reply(404), "replica_pending"),
        ("PENDING", head(x_amz_checksum_sha256=SHA256), "replicated"),
        ("FAILED", reply(404), "replica_failed"),
        ("FAILED", head(x_amz_checksum_sha256=SHA256), "replica_failed"),
        ("COMPLETED", reply(404), "replica_missing"),
    ],
)
def test_a_certificate_that_waits_is_distinguished_from_one_that_could_not_be_copied(
    operate: Operator, script_aws: ScriptAws, status: str, copy: Response, verdict: str
) -> None:
    script_aws("S3", *LISTED, head(x_amz_checksum_sha256=SHA256, x_amz_replication_status=status), copy)
    result = operate("archive", "verify", "--replica", "--json")
    *findings, numbers = json_lines(result.stdout)
    assert findings == [{"problem": verdict, "key": KEY}] * (verdict != "replicated")
    assert numbers == NUMBERS | {VERDICTS[verdict]: 1, "seconds": ANY}
    assert result.exit_code == (0 if verdict in {"replicated", "replica_pending"} else 1)


def test_a_certificate_that_goes_while_it_is_compared_is_a_difference(operate: Operator, script_aws: ScriptAws) -> None:
    script_aws("S3", *LISTED, reply(404), head(x_amz_checksum_sha256=SHA256))
    result = operate("archive", "verify", "--replica", "--json")
    assert (result.exit_code, json_lines(result.stdout)[0]) == (1, {"problem": "only_in_replica", "key": KEY})


def test_a_certificate_that_is_archived_between_the_two_lists_is_no_difference(
    operate: Operator, script_aws: ScriptAws
) -> None:
    described = head(x_amz_checksum_sha256=SHA256)
    script_aws("S3", NO_VERSIONS, ONE_KEY, described, described)
    result = operate("archive", "verify", "--replica", "--json")
    assert (result.exit_code, json_lines(result.stdout)) == (0, [NUMBERS | {"replicated": 1, "seconds": ANY}])


def test_a_second_copy_in_another_region_is_found(operate: Operator, script_aws: ScriptAws) -> None:
    elsewhere = error(301, "PermanentRedirect", x_amz_bucket_region="ap-southeast-2")
    described = head(x_amz_checksum_sha256=SHA256)
    s3 = script_aws("S3", ONE_KEY, elsewhere, NO_VERSIONS, described, described)
    result = operate("archive", "verify", "--replica")
    assert (result.exit_code, result.stderr) == (0, "")
    regions = [request.headers["authorization"].split("/")[2] for request in s3.requests]
    home, away = "eu-central-1", "ap-southeast-2"
    assert regions == [home, home, away, home, away]


@pytest.mark.parametrize("refusal", [error(404, "NoSuchBucket"), error(403, "AccessDenied")])
def test_a_second_copy_that_can_not_be_read_is_named(
    operate: Operator, script_aws: ScriptAws, refusal: Response
) -> None:
    script_aws("S3", ONE_KEY, refusal)
    result = operate("archive", "verify", "--replica")
    assert (result.exit_code, result.stdout) == (2, "")
    words = "Error: The bucket certificates-replica can't be read. AWS refused ListObjectVersions: "
    assert result.stderr.startswith(words)
    assert result.stderr.endswith(f", said S3{AGAIN}")


def test_a_certificate_that_can_not_be_read_is_no_difference(operate: Operator, script_aws: ScriptAws) -> None:
    script_aws("S3", *LISTED, head(x_amz_checksum_sha256=SHA256), reply(403))
    result = operate("archive", "verify", "--replica")
    assert (result.exit_code, result.stdout) == (2, "")
    words = "The bucket certificates-replica can't be read. AWS refused HeadObject: Forbidden"
    assert result.stderr == f"Error: {words}{AGAIN}"


def test_a_listing_that_is_not_from_s3_is_refused(operate: Operator, script_aws: ScriptAws) -> None:
    script_aws("S3", NO_VERSIONS, reply(200, b"<html/>"))
    result = operate("archive", "verify", "--replica")
    assert (result.exit_code, result.stderr) == (2, f"Error: AWS gave no usable response: MalformedAnswer{AGAIN}")


def test_a_stack_without_a_second_copy_says_so(operate: Operator) -> None:
    parameters = dict.fromkeys(REPLICA, "")
    deploy("single", operate.stack.outputs, parameters)
    result = run("archive", "verify", "--replica", "--stack", "single")
    words = "Stack single has no second copy: its parameter ReplicaBucketArn is empty."
    assert (result.exit_code, result.stderr) == (2, f"Error: {words}\n")
