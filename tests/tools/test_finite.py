"""What is not finite is seen, wherever it is, and nothing else is taken for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatpg.tools import finite
from heatpg.tools.finite import all_finite, is_finite

# a quiet and a signalling one of either sign, which comparisons do not tell apart
NAN64 = [np.int64(bits).view(np.float64) for bits in (0x7FF8 << 48, 0x7FF0 << 48 | 1, -1, (-0x10 << 48) + 1)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_number_among_many(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite, "_PIECE", 40)
    kind = np.finfo(dtype)
    values = np.random.default_rng(2).normal(size=(5, 31)).astype(dtype)
    assert is_finite(values) and all_finite(values)
    for place in range(values.size):
        for bad in (np.inf, -np.inf, np.nan, -np.nan):
            changed = values.copy()
            changed.reshape(-1)[place] = bad
            assert not is_finite(changed) and not all_finite(changed)
    for good in (kind.max, kind.min, kind.tiny, kind.smallest_subnormal, -kind.smallest_subnormal, 0.0, -0.0):
        changed = values.copy()
        changed[2, 3] = good
        assert is_finite(changed) and all_finite(changed)


@pytest.mark.parametrize("number", NAN64)
def test_what_is_no_number_has_many_forms(number: np.float64) -> None:
    assert not is_finite(np.array([1.0, number]))


def test_nothing_is_finite() -> None:
    assert is_finite(np.zeros(0)) and all_finite(np.zeros((3, 0)))
