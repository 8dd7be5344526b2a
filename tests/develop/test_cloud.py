"""The stand-in for AWS and the provider in the tests of faults."""

import urllib3

from develop.fakes.cloud import Cloud, s3_error, succeed
from develop.local import seeds
from develop.template import Stack
from tests.support.responses import ID


def test_a_retry_after_a_normal_response_gets_the_same_and_counts_once(stack: Stack) -> None:
    """On a busy machine, a response may take longer than botocore waits."""
    with Cloud(stack) as cloud, urllib3.PoolManager(retries=False) as http:

        def put(attempt: str) -> int:
            headers = {"If-None-Match": "*", "amz-sdk-request": attempt}
            return http.request("PUT", f"{cloud.url}/bucket/{seeds.PROJECT}/{ID}.pdf", b"1", headers=headers).status

        first, retry = "attempt=1", "ttl=20261201T000000Z; attempt=2; max=2"
        assert [put(first), put(retry), put(first)] == [200, 200, 412]
        assert cloud.asked[ID] == ["PutObject"] * 2
        cloud.script(ID, {"PutObject": [s3_error(503, "SlowDown"), succeed]})
        assert [put(first), put(retry), put(retry)] == [503, 412, 412]
        assert cloud.asked[ID] == ["PutObject"] * 2
