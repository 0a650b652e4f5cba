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


# Files of few tests that take long: handed out at the end, one of them would keep one process busy and the others idle.
_LONG = (
    "tests/docs/test_docs.py",
    "tests/notebooks",
    "tests/batch/test_durability.py",
    "tests/batch/test_cluster.py",
    "tests/batch/test_plan.py",
    "tests/store/test_quarantine.py",
)
# Files whose tests have compiled most kernels, so that no two processes compile the same ones at once for long.
_FIRST = ("tests/core", "tests/boundaries")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that compile first, then those that take long, then all others; within a file nothing changes."""

    def place(item: pytest.Item) -> int:
        return next((i for i, names in enumerate((_FIRST, _LONG)) if item.nodeid.startswith(names)), 2)

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _float_errors_raise() -> Iterator[None]:
    """An overflow, a division by zero or a NaN out of numbers is an error; Gaussian tails may underflow."""
    with np.errstate(over="raise", divide="raise", invalid="raise", under="ignore"):
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20260122)
