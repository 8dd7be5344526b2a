import pytest

from certificates.errors import CertificateTooLarge, RangeNotSatisfiable
from certificates.ranges import ByteRange, find_positions


@pytest.mark.parametrize(
    ("asked", "limit", "positions"),
    [
        (None, 10, range(10)),
        (ByteRange(0, 0), 10, range(1)),
        (ByteRange(0, 99), 10, range(10)),
        (ByteRange(3, None), 7, range(3, 10)),
        (ByteRange(None, 4), 10, range(6, 10)),
        (ByteRange(None, 99), 10, range(10)),
        (ByteRange(0, 9), 5, range(5)),
        (ByteRange(None, 7), 5, range(3, 8)),
    ],
)
def test_a_range_is_cut_to_the_certificate_and_the_limit(asked: ByteRange | None, limit: int, positions: range) -> None:
    assert find_positions(asked, 10, limit) == positions


@pytest.mark.parametrize("asked", [ByteRange(10, None), ByteRange(10, 12), ByteRange(None, 0)])
def test_a_range_outside_the_certificate_is_not_satisfiable(asked: ByteRange) -> None:
    with pytest.raises(RangeNotSatisfiable) as error:
        find_positions(asked, 10, limit=5)
    assert vars(error.value) == {"size": 10}


@pytest.mark.parametrize("asked", [None, ByteRange(0, None)])
def test_the_whole_or_its_rest_above_the_limit_is_too_large(asked: ByteRange | None) -> None:
    with pytest.raises(CertificateTooLarge) as error:
        find_positions(asked, 10, limit=9)
    assert vars(error.value) == {"size": 10}
