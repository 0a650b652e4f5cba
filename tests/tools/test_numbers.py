"""Numbers in words: as many digits as tell them apart, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from heatpg.tools.numbers import number_words


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
