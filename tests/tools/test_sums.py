"""Sums in a fixed order, against those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from heatpg.tools import sums


@pytest.mark.parametrize("at_once", [1, 2**19])
@pytest.mark.parametrize("reach", [1, 2, 32, 33, 34, 500])
@pytest.mark.parametrize("size", [1, 31, 32, 33, 200])
def test_sums_over_windows_are_those_of_numpy(
    size: int, reach: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 32 results: with one, whole ones, a rest; weights shorter and longer than one; lines by themselves."""
    monkeypatch.setattr(sums, "_STRETCHES", at_once)
    rng = np.random.default_rng(3)
    lines, weights = rng.uniform(-1.0, 1.0, (2, 3, size + reach - 1)), rng.uniform(-1.0, 1.0, reach)
    found = sums.sums_over_windows(lines, weights)
    expected = [[np.correlate(line, weights, "valid") for line in part] for part in lines]
    # products below one, as many as weights
    np.testing.assert_allclose(found, expected, rtol=0, atol=reach * np.finfo(float).eps)
