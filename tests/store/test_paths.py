"""Paths: what is stored of them gives them back, and what is not of paths is refused."""

from __future__ import annotations

import numpy as np
import pytest

from heatpg.store.paths import Paths, packed


@pytest.mark.parametrize("seed", range(20))
def test_what_is_packed_is_read(seed: int) -> None:
    """Paths that go on, start anew, or share a part of the one before, at random."""
    rng = np.random.default_rng(seed)
    paths: list[tuple[tuple[float, ...], ...]] = []
    for _ in range(12):
        before = paths[-1] if paths else ((), (), ())
        paths.append(
            tuple((*old[: rng.integers(0, len(old) + 1)], *rng.random(rng.integers(0, 4)).tolist()) for old in before)
        )
    read = Paths(packed(paths), 12, 3)
    assert list(read) == paths and read == tuple(paths) and tuple(paths) == read
    assert read[3:7] == tuple(paths[3:7]) and read[-1] == paths[-1]
    assert read != tuple(paths[:-1]) and packed(read) == packed(paths)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "0 paths where 2"),
        ([[[0, 0.0]]], "1 paths where 2"),
        ([[[0, 0.0]], [[0, 0.0], [0, 0.0]]], "2 axes where 1"),
        ([[[0, 0.0]], []], "0 axes where 1"),
        ([[[1, 0.0]], [[0, 0.0]]], "shares more"),
        ([[[0, 0.0]], [[2, 0.0]]], "shares more"),
        ([[[0, 0.0]], [[-1, 0.0]]], "shares more"),
    ],
)
def test_what_is_no_path(rows: list[list[list[float]]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Paths(rows, 2, 1)
