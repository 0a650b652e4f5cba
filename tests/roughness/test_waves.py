"""Weights and wavenumbers of the waves of a grid."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from heatpg import Axis
from heatpg.roughness.waves import mean_square_weights, mean_weights, wavenumbers
from heatpg.solvers.transforms import basis_along

CLOSED = ("periodic", "reflect", "absorb")


def axis(name: str, boundary: str, size: int, nodes: str = "vertex", length: float = 1.0) -> Axis:
    return Axis(name, 0.0, length, size, boundary=boundary, nodes=nodes)  # type: ignore[arg-type]


def kinds(names: tuple[str, ...]) -> list[Any]:
    return [pytest.param(b, n, id=f"{b}-{n}") for b, n in itertools.product(names, ("vertex", "cell"))]


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize(("boundary", "nodes"), kinds(CLOSED))
def test_weights_are_those_of_the_finest_wave_too(boundary: str, nodes: str, size: int) -> None:
    """Coefficient by coefficient: the field of each alone has its weight as mean square."""
    line = axis("x", boundary, size, nodes)
    for j in range(size):
        unit = np.zeros(size)
        unit[j] = 1.0
        field = basis_along(line).inverse(unit, 0)
        if boundary == "absorb" and nodes == "vertex" and j in (0, size - 1):
            assert mean_square_weights(line)[j] == wavenumbers(line)[j] == 0.0
        else:
            assert mean_square_weights(line)[j] == pytest.approx(mean_weights(line) @ field**2, rel=1e-12)
