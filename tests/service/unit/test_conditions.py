import pytest

from functions.download_certificate.conditions import (
    matches_strongly,
    matches_weakly,
    parse_range,
    range_still_applies,
)

ETAG = '"a1"'


@pytest.mark.parametrize("condition", ['"a1"', ' "a1" ', "*", " * ", '"b2", "a1"', '"b2","a1","c3"', 'W/"b2", "a1"'])
def test_both_conditions_match(condition: str) -> None:
    assert matches_strongly(condition, ETAG)
    assert matches_weakly(condition, ETAG)


@pytest.mark.parametrize(
    "condition",
    ['"b2"', "", "a1", '"a1', '""', '"A1"', '"b2, a1"', '"**"', 'w/"a1"', 'W/ "a1"', 'x"a1"y', '"x"a1"', "X*"],
)
def test_neither_condition_matches(condition: str) -> None:
    assert not matches_strongly(condition, ETAG)
    assert not matches_weakly(condition, ETAG)


@pytest.mark.parametrize("condition", ['W/"a1"', '"b2", W/"a1"'])
def test_a_weak_tag_matches_weakly_only(condition: str) -> None:
    assert not matches_strongly(condition, ETAG)
    assert matches_weakly(condition, ETAG)


@pytest.mark.parametrize("space", ["\xa0", "\x1f", "\u2003"])
def test_only_spaces_and_tabs_are_white_space(space: str) -> None:
    assert not matches_strongly(f"*{space}", ETAG)
    assert not matches_weakly(f"{space}*", ETAG)
    assert not range_still_applies(f"{ETAG}{space}", ETAG)


def test_if_range_needs_the_same_strong_tag() -> None:
    assert [range_still_applies(text, ETAG) for text in ('"a1"', ' "a1" ')] == [True, True]
    for other in ('W/"a1"', '"b2"', "*", "Fri, 05 Jun 2026 11:42:08 GMT"):
        assert not range_still_applies(other, ETAG), other


@pytest.mark.parametrize(
    ("header", "parsed"),
    [
        ("bytes=0-99", "bytes=0-99"),
        ("bytes=100-", "bytes=100-"),
        ("bytes=-100", "bytes=-100"),
        ("bytes=-0", "bytes=-0"),
        ("BYTES=0-1", "bytes=0-1"),
        ("bytes= 0-1 ", "bytes=0-1"),
        ("bytes=,0-1,", "bytes=0-1"),
        ("bytes=007-0009", "bytes=7-9"),
        ("bytes=" + "0" * 20 + "7-9", "bytes=7-9"),
        ("bytes=" + "9" * 15 + "-", "bytes=" + "9" * 15 + "-"),
        ("bytes=0-" + "9" * 5000, "bytes=0-1000000000000000"),
        ("bytes=" + "9" * 5000 + "-", "bytes=1000000000000000-"),
        ("bytes=-" + "9" * 5000, "bytes=-1000000000000000"),
    ],
)
def test_a_single_byte_range_is_parsed(header: str, parsed: str) -> None:
    assert str(parse_range(header)) == parsed


def test_an_invalid_range_is_ignored() -> None:
    for spec in ("", "-", "9-8", "0-1,3-4", "--1", "1-2-3", "+1-2", "1 - 2", "0-1\xa0", "\u0661-\u0662"):
        assert parse_range(f"bytes={spec}") is None, spec
    for header in ("", "\xa0bytes=0-1", "pages=1-2", "bytes:0-1"):
        assert parse_range(header) is None, header
