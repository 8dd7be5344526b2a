"""The benchmark's arithmetic, page and stub of AWS. No test depends on its measurements."""

import hashlib
from base64 import b64encode
from contextlib import closing
from datetime import date
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from develop.bench.report import render_page
from develop.bench.results import SIZE, Costs, Results, goals
from develop.bench.stub import Stub, certificate_id
from develop.environment import REGION
from develop.local import seeds
from develop.template import ROOT

PEERS = ("floor", "textbook", "textbook-best")
RESULTS = Results(
    rounds=2,
    unzipped=dict.fromkeys(("ours", *PEERS), 25 * 2**20),
    cold={"ours": Costs([300, 600], [90, 90])} | {name: Costs([400, 500], [100, 100]) for name in PEERS},
    warm={"ours": Costs([28.5, 28.5], [6, 6], 60_000_000)} | {name: Costs([28, 28], [5, 6], 1) for name in PEERS},
    first={"ours": Costs([90, 90], [13, 13]), "floor": Costs([80, 90], [10, 10])},
    archiving={number: Costs([250, 250]) for number in (1, 10)},
)


def test_the_goals_compare_this_service_with_its_peers_within_a_round() -> None:
    cold = 0.975  # the median of 300 / 400 and 600 / 500
    assert {words: value for words, value, *_ in goals(RESULTS)} == {
        **{f"cold start / {name}": cold for name in ("floor", "textbook")},
        "warm, latency / floor": 28.5 / 28,
        "warm, CPU / floor": 1.1,
        "peak memory at 200 KB": 60,
        "first download, latency / floor": 1.0625,
        "first download, CPU / floor": 1.3,
        "artifact, unzipped": 25,
        "archiving ten / one": 1,
    }


def test_the_page_tells_values_spread_and_day() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    lines = [" ".join(line.split()) for line in render_page(page, RESULTS, date(2026, 11, 25)).splitlines()]
    assert len(lines) == len(page.splitlines())
    for line in (
        "Measured by `make bench` on 2026-11-25. The [method](#method) is at the end.",
        "| cold start / floor | 0.975 | 1.05 | met |",
        "| warm, CPU / floor | 1.1 | 1.08 | missed |",
        "| ours | 450 ± 150 | 90.0 ± 0.0 | 28.5 ± 0.0 | 6.0 ± 0.0 | 60.0 | 90.0 ± 0.0 | 13.0 ± 0.0 | 25.0 |",
        "| rounds | 2 |",
    ):
        assert line in lines


def test_the_stub_archives_certificates_of_every_size() -> None:
    archived: dict[str, Any] = {"Bucket": "certificates", "Key": f"{seeds.PROJECT}/{certificate_id(SIZE)}.pdf"}
    absent = archived | {"Key": f"{seeds.PROJECT}/{certificate_id(4_400_000, 7, archived=False)}.pdf"}
    with (
        Stub(provider=0) as stub,
        closing(boto3.Session("id", "secret", region_name=REGION).client("s3", endpoint_url=stub.url)) as s3,
    ):
        response = s3.get_object(**archived, ChecksumMode="ENABLED")
        with closing(response["Body"]) as body:
            content = body.read()
        with pytest.raises(ClientError, match="NoSuchKey"):
            s3.get_object(**absent)
        assert s3.put_object(**absent, Body=b"%PDF-", ChecksumAlgorithm="SHA256", IfNoneMatch="*")["ETag"]
    assert (len(content), content[:5], content[-6:]) == (SIZE, b"%PDF-", b"%%EOF\n")
    assert response["ChecksumSHA256"] == b64encode(hashlib.sha256(content).digest()).decode()
