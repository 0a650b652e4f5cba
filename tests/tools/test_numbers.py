"""Numbers in words: as many digits as tell them apart, and no more."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg.tools.numbers import located_words, number_words, settled, share_words, snapped


@pytest.mark.parametrize("origin", [0.0, 1.4, -7e3, 1.7e9, -1e12])
@pytest.mark.parametrize("width", [1e-3, 1.0, 3600.0])
def test_places_a_thousandth_of_the_range_apart_are_told_apart(origin: float, width: float) -> None:
    if width < 1e4 * np.spacing(abs(origin)):
        pytest.skip("doubles cannot hold them")
    values = origin + width * np.linspace(0.0, 1.0, 1001)
    words = [number_words(float(value), float(values[0]), float(values[-1]), 5) for value in values]
    assert len(set(words)) == len(words)
    assert max(abs(float(word) - value) for word, value in zip(words, values, strict=True)) <= 1e-3 * width


def test_where_the_range_holds_zero_nothing_is_added() -> None:
    assert number_words(1 / 3, -1.0, 1.0) == "0.3333"
    assert number_words(-0.0, -1.0, 1.0, 3) == "0"
    assert number_words(2.0 / 3.0, 0.5, 1.0) == "0.6667"


def test_ends_of_the_doubles() -> None:
    assert number_words(1.7e308, -1.7e308, 1.7e308) == "1.7e+308"
    assert number_words(5e-324, 0.0, 5e-324) == "4.941e-324"
    assert number_words(3.0, 3.0, 3.0) == "3"
    # seventeen digits tell any two doubles apart
    assert float(number_words(1.0 + 2.0**-52, 1.0, 1.0 + 2.0**-52, 4)) == 1.0 + 2.0**-52


def test_no_location_is_told_with_the_digits_of_rounding() -> None:
    """A location is known to a part of the spacing at best, whatever the unit of the axis."""
    for scale in (1e-9, 1.0, 1e9):
        for rounding in (5.072e-17, -5.914e-13, 0.0, -0.0):
            assert snapped(rounding * scale, 0.1 * scale) == 0.0
            assert f"{snapped(rounding * scale, 0.1 * scale):g}" == "0"
        # no farther off than half a unit of a thousandth of the spacing, rounded to a power of ten
        for location in (0.123456789, -7.7777777):
            assert abs(snapped(location * scale, 0.1 * scale) - location * scale) <= 0.5e-4 * scale * (1 + 1e-9)
    assert math.isnan(snapped(math.nan, 0.1)) and snapped(3.3, 0.0) == 3.3


def test_only_what_is_whole_is_told_as_a_hundred_per_cent() -> None:
    assert share_words(1.0) == "100%" and share_words(0.0) == "0.0%"
    for share in (1.0 - 1e-9, 0.99951):
        assert "100" not in share_words(share)
    for share in (1e-9, 4e-4):
        assert share_words(share) == "less than 0.1%"
    assert share_words(0.9994) == "99.9%" and share_words(6e-4) == "0.1%"


def test_rounding_is_no_difference_and_a_root_no_accuracy() -> None:
    for scale in (1e-30, 1.0, 1e30):
        assert settled(-2.4e-14 * scale, scale) == 0.0 and settled(1e-9 * scale, scale) == 1e-9 * scale
        assert located_words(0.17 * scale, 1e-14 * scale) == "accuracy limited by the grid"
        assert located_words(0.17 * scale, 1e-3 * scale).startswith("+- ")
