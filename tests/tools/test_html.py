"""Curves and pictures of a page of HTML: no peak is lost, no colour is changed."""

from __future__ import annotations

import io

import numpy as np

from heatpg.tools.html import encoded, envelope


def test_no_peak_of_a_line_is_left_out() -> None:
    line = np.zeros(100_001)
    line[[7, 50_000, 99_998]] = [1.0, -2.0, 3.0]
    nodes, values = envelope(line)
    assert {7, 50_000, 99_998, 0, 100_000} <= set(nodes.tolist())
    assert (np.diff(nodes) > 0).all() and len(nodes) < 300
    np.testing.assert_array_equal(values, line[nodes])


def test_the_encoder(rng: np.random.Generator) -> None:
    from PIL import Image

    palette = rng.integers(0, 256, size=(7, 3), dtype=np.uint8)
    pixels = rng.integers(0, 7, size=(5, 9), dtype=np.uint8)
    picture = Image.open(io.BytesIO(encoded(pixels, palette)))
    picture.load()
    assert picture.size == (9, 5)
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), palette[pixels])
