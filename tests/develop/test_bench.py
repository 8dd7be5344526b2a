"""The benchmark's arithmetic and page. No test depends on its measurements."""

from datetime import date

from develop.bench.report import render_page
from develop.bench.results import Costs, Results
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


def test_the_page_tells_goals_values_spread_and_day() -> None:
    """Services are compared within a round: 0.97 is the median of 300 / 400 and 600 / 500."""
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    lines = [" ".join(line.split()) for line in render_page(page, RESULTS, date(2026, 11, 25)).splitlines()]
    assert len(lines) == len(page.splitlines())
    for line in (
        "Measured by `make bench` on 2026-11-25. The [method](#method) is at the end.",
        "| cold start / floor | 0.975 | 1.05 | met |",
        "| cold start / textbook | 0.975 | 0.3 | missed |",
        "| warm, latency / floor | 1.02 | 1.03 | met |",
        "| warm, CPU / floor | 1.1 | 1.08 | missed |",
        "| peak memory at 200 KB | 60 MB | 80 MB | met |",
        "| first download, latency / floor | 1.06 | 1.1 | met |",
        "| first download, CPU / floor | 1.3 | 1.3 | met |",
        "| artifact, unzipped | 25 MiB | 25 MiB | met |",
        "| archiving ten / one | 1 | 1.5 | met |",
        "| ours | 450 ± 150 | 90.0 ± 0.0 | 28.5 ± 0.0 | 6.0 ± 0.0 | 60.0 | 90.0 ± 0.0 | 13.0 ± 0.0 | 25.0 |",
        "| rounds | 2 |",
    ):
        assert line in lines
