"""What every test shares."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import numpy as np
import pytest

# The tests hold what everybody has; those of the optional transforms choose theirs themselves.
os.environ.setdefault("HEATPG_TRANSFORMS", "scipy")

# No deadline, because the first example of a test may compile kernels; the same examples in every run.
hypothesis.settings.register_profile("heatpg", deadline=None, derandomize=True)
hypothesis.settings.load_profile("heatpg")


@pytest.fixture(autouse=True)
def _float_errors_raise() -> Iterator[None]:
    """An overflow, a division by zero or a NaN out of numbers is an error; Gaussian tails may underflow."""
    with np.errstate(over="raise", divide="raise", invalid="raise", under="ignore"):
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20260122)
