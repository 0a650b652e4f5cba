"""Offset and scale of Q: what is taken out, and that it comes back to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid
from heatpg.core.centring import centring, usual_sizes

GRID = Grid(Axis("x", 0.0, 1.0, 33, boundary="reflect"))
WAVE = np.cos(np.linspace(0.0, 3.0, 33))
SHARES = np.array([0.5, 1.0, 1.0 + 1e-6, 2.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e3, -1e5, 1e9, -3e15])
@pytest.mark.parametrize("exponent", [0, -1070, -1000, -145, -130, 100, 950])
def test_what_is_taken_out_comes_back_to_the_bit(dtype: Any, offset: float, exponent: int) -> None:
    with np.errstate(over="ignore", under="ignore"):
        values = np.ldexp(WAVE + offset, exponent).astype(dtype)
    if not np.isfinite(values).all():
        return
    taken = centring(values, GRID)
    left = taken.remove(values)
    back = np.empty_like(values)
    taken.restore(left, back)
    np.testing.assert_array_equal(back, values)
    assert left.dtype == dtype
    # exact: the differences are those of the values, in longer arithmetic too
    exact = np.ldexp(values.astype(np.longdouble) - values[0], -int(taken.exponent[0]))
    np.testing.assert_array_equal(left.astype(np.longdouble) - left[0], exact)


def test_nothing_is_taken_out_where_nothing_is_lost() -> None:
    for values in (WAVE, WAVE + 3.0, np.zeros(33), 1e-270 * WAVE, 1e270 * WAVE):
        assert centring(values, GRID).trivial
        assert centring(values, GRID).remove(values) is values
        assert centring(values, GRID).rounding(values) == 0.0


def test_an_offset_stays_where_constants_are_not_kept() -> None:
    plane = Grid(Axis("x", 0.0, 1.0, 33, boundary="reflect"), Axis("y", 0.0, 1.0, 33, boundary="zero"))
    assert centring(np.add.outer(WAVE, WAVE) + 1e9, plane).trivial


def test_every_entry_of_a_batch_has_its_own() -> None:
    values = np.stack([WAVE + 1e9, WAVE, np.ldexp(WAVE, 1000), np.full(33, 7.0)])
    taken = centring(values, GRID)
    assert taken.offset.shape == taken.exponent.shape == (4, 1)
    assert (taken.offset != 0).ravel().tolist() == [True, False, False, True]
    assert (taken.exponent != 0).ravel().tolist() == [False, False, True, False]
    assert np.abs(taken.remove(values)).max() < 2.0


def test_rounding_is_half_a_unit_in_the_last_place() -> None:
    values = (WAVE + 101325.0).astype(np.float32)
    taken = centring(values, GRID)
    field = np.linspace(-0.3, 0.4, 33).astype(np.float32)
    put = np.empty_like(field)
    taken.restore(field, put)
    lost = np.abs(taken.remove(put).astype(np.float64) - field)
    assert 0.25 * taken.rounding(values) < lost.max() <= taken.rounding(values) == 0.5 * np.spacing(np.float32(101325))


@pytest.mark.parametrize("exponent", [-149, -145, -141, -137, -131])
@pytest.mark.parametrize("offset", [3e-36, 1e-36, -2e-37, 4e-38])
def test_rounding_beside_an_offset_near_the_least_numbers(offset: float, exponent: int) -> None:
    """The scale is put back first, which rounds to subnormal numbers, and then the offset."""
    values = (np.float32(offset) + np.ldexp(WAVE.astype(np.float32), exponent)).astype(np.float32)
    taken = centring(values, GRID)
    if taken.trivial or not taken.exponent.any():
        return
    field = np.random.default_rng(0).uniform(-1.0, 1.0, (2000, 33)).astype(np.float32)
    put = np.empty_like(field)
    taken.restore(field, put)
    # in longer arithmetic, where nothing is rounded
    exact = np.ldexp(field.astype(np.longdouble), int(taken.exponent[0])) + np.longdouble(taken.offset[0])
    lost = np.ldexp(np.abs(put.astype(np.longdouble) - exact), -int(taken.exponent[0])).max()
    assert 0.0 < lost <= taken.rounding(values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_landscape_is_decided_as_an_entry_of_a_batch(dtype: Any) -> None:
    """On both sides of where an offset is far, to the last bit, and of where a scale is taken out."""
    wave = WAVE.astype(dtype)
    # (offset + 1) / 8 = half of the range: from there on
    limit = dtype(8.0) * (wave.max() / 2 - wave.min() / 2) - wave.max()
    near = [limit]
    for direction in (-np.inf, np.inf):
        for _ in range(40):
            near.append(np.nextafter(near[-1], dtype(direction)))
    smallest, largest = usual_sizes(np.dtype(dtype))
    scaled = [(size * share).astype(dtype) * wave for size in map(dtype, (smallest, largest)) for share in SHARES]
    found = set()
    for values in [*(wave + offset for offset in near), *scaled, np.zeros(33, dtype)]:
        alone, entry = centring(values, GRID), centring(np.stack([values, wave]), GRID).part((slice(0, 1),))
        assert alone.offset.dtype == entry.offset.dtype
        assert (alone.offset[0], alone.exponent[0]) == (entry.offset[0, 0], entry.exponent[0, 0])
        found.add(alone.trivial)
    assert found == {True, False}
