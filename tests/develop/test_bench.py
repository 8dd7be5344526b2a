"""The benchmark's arithmetic and page. No test depends on its measurements."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from develop.bench.machine import Machine
from develop.bench.page import PICTURES, render_page
from develop.bench.plots import draw_contenders, draw_growth
from develop.bench.results import SIZE, Batches, Costs, Goal, Growth, Restored, Results, Warm, goals, middle_half, ratio
from develop.bench.tables import tables

NAMES = ("ours", "empty", "floor", "naive", "textbook", "textbook-best", "fastapi")
COLD = Costs(
    dict(
        zip(NAMES, ([300, 600], [80, 160], [400, 500], [400, 800], [2000, 4000], [800, 900], [2400, 4000]), strict=True)
    ),
    {name: [100, 100] for name in NAMES},
)
WARM = Warm(
    dict(zip(NAMES, ([28.5, 28.5], [1, 1], [28, 28], [38, 38], [40, 41], [40, 41], [40, 41]), strict=True)),
    dict(zip(NAMES, ([6, 6], [0.5, 0.5], [5, 6], [10, 10], [12, 12], [12, 12], [12, 12]), strict=True)),
    dict.fromkeys(NAMES, 60_000_000),
)
GROWTH = Growth(
    {name: {10_000: [25], 1_010_000: [40]} for name in ("ours", "floor")},
    {name: {10_000: [5], 1_010_000: [12]} for name in ("ours", "floor")},
    {"ours": {10_000: 60_000_000, 1_010_000: 65_000_000}, "floor": {10_000: 50_000_000, 1_010_000: 57_000_000}},
)
RESULTS = Results(
    rounds=2,
    unzipped=dict.fromkeys(NAMES, 25 * 2**20),
    cold=COLD,
    restored=Restored([12, 30], [10, 20]),
    warm=WARM,
    first=Costs({"ours": [90, 90], "floor": [80, 90]}, {"ours": [13, 13], "floor": [10, 10]}),
    growth=GROWTH,
    archiving={SIZE: Batches([250, 250], [400, 300], [9, 9], 70_000_000, 80_000_000)},
    endurance={1000: 60_000_000, 10_000: 60_300_000},
)
MACHINE = Machine("A processor", 2, 8 * 2**30, "A system", "3.13.0", "An emulator")


def test_a_ratio_compares_within_a_round() -> None:
    assert ratio([10, 40, 30], [20, 80, 20]) == 0.5


def test_a_ratio_needs_both_sides_of_each_round() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])


@pytest.mark.parametrize(
    ("values", "expected"),
    [([7], (7, 7)), ([3, 1, 2], (1, 3)), ([8, 1, 2, 3, 4, 5, 6, 7], (3, 6)), ([1, 2, 3, 99], (2, 3))],
)
def test_the_middle_half_leaves_out_what_lies_outside(values: list[float], expected: tuple[float, float]) -> None:
    assert middle_half(values) == expected


def test_goals_are_met_up_to_their_limit() -> None:
    assert {goal.words: (goal.value, goal.is_met) for goal in goals(RESULTS)} == {
        "cold start / floor": (0.975, True),
        "cold start / textbook": (0.15, True),
        "cold start / fastapi": (0.1375, True),
        "first request after a snapshot / warm": (1.35, False),
        "warm, latency / floor": (28.5 / 28, True),
        "warm, CPU / floor": (1.1, False),
        "peak memory at 200 KB": (60, True),
        "first download, latency / floor": (1.0625, True),
        "first download, CPU / floor": (1.3, True),
        "artifact, unzipped": (25, True),
        "archiving ten / one": (1.4, True),
        "memory after 10,000 requests / 1,000": (1.005, True),
    }
    assert not Goal("", 1.51, 1.5).is_met


def test_what_was_left_out_has_no_goal_and_no_table() -> None:
    only_warm = Results(rounds=2, unzipped=RESULTS.unzipped, warm=WARM)
    assert "cold start / floor" not in {goal.words for goal in goals(only_warm)}
    assert [table.title for table in tables(only_warm)] == ["Goals", "A certificate of 200 KB"]


def test_every_row_has_a_cell_for_each_column() -> None:
    assert len(tables(RESULTS)) == 5
    for table in tables(RESULTS):
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_the_page_tells_values_spread_machine_and_day() -> None:
    page = render_page(RESULTS, MACHINE, date(2026, 11, 25))
    for line in (
        "Measured by `make bench` on 2026-11-25. The [method](#method) is at the end.",
        "| cold start / floor | 0.97 | 1.05 | met |",
        "| first request after a snapshot / warm | 1.35 | 1.3 | missed |",
        "| ours | 450 ± 150 | 100 ± 0 | 28.5 ± 0.0 | 6.0 ± 0.0 | 60.0 | 90.0 ± 0.0 | 13.0 ± 0.0 | 25.0 |",
        "| 10 KB | 25.0 ± 0.0 | 5.0 ± 0.0 | 60.0 | 25.0 ± 0.0 | 5.0 ± 0.0 | 50.0 |",
        "| 200 KB | 250 ± 0 | 350 ± 50 | 29 | 9.0 ± 0.0 | 70.0 | 80.0 |",
        "| 10,000 | 60.3 |",
        "| processor | A processor, 2 cores |",
    ):
        assert line in page.splitlines()


def test_the_page_shows_each_picture() -> None:
    page = render_page(RESULTS, MACHINE, date(2026, 11, 25))
    for file, words in PICTURES.values():
        assert f"![{words}]({file})" in page


def test_the_same_results_make_the_same_pictures(tmp_path: Path) -> None:
    pictures = [tmp_path / name for name in ("a.svg", "b.svg", "c.svg", "d.svg")]
    draw_contenders(COLD, WARM, pictures[0])
    draw_contenders(COLD, WARM, pictures[1])
    draw_growth(GROWTH, pictures[2])
    draw_growth(replace(GROWTH), pictures[3])
    contents = [picture.read_bytes() for picture in pictures]
    assert contents[0] == contents[1] != contents[2] == contents[3]
