"""`gaussian_filter` under its own name, against SciPy's with a kernel that is not cut off."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy
from scipy import ndimage

from heatpg import HeatpgError
from heatpg.interop.ndimage import gaussian_filter, gaussian_filter1d

# At sigma = 3 a sampled Gaussian and its slope are exact to exp(-2 pi^2 9) = 1e-77 inside; SciPy divides by their sum.
MODES = ["reflect", "grid-mirror", "mirror", "wrap", "grid-wrap"]


@pytest.mark.parametrize("mode", [*MODES, "nearest", "constant", "grid-constant"])
@pytest.mark.parametrize("order", [0, 1, (0, 1), (1, 0)])
def test_it_is_the_filter_of_scipy(mode: Any, order: Any, rng: np.random.Generator) -> None:
    values = rng.standard_normal((90, 80))
    theirs = ndimage.gaussian_filter(values, (3.0, 4.0), order, mode=mode, cval=0.5, truncate=9.0)
    ours = gaussian_filter(values, (3.0, 4.0), order, mode=mode, cval=0.5, truncate=9.0)
    # nothing but rounding of some 70 terms of size 4, twice, away from the walls, at which sums are corrected
    inside = (slice(30, -30), slice(38, -38)) if "wrap" not in mode else slice(None)
    assert np.abs(ours - theirs)[inside].max() < 4 * 140 * 2.3e-16


@pytest.mark.parametrize("mode", [*MODES, "nearest", "constant"])
@pytest.mark.parametrize("shape", [(1,), (2,), (1, 5), (2, 4), (0,), (3, 0)])
def test_short_lines(mode: Any, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """What lies outside is written out by hand: the line, continued over eight sigmas."""
    values = rng.standard_normal(shape)
    found = gaussian_filter(values, 2.0, mode=mode, cval=0.3)
    assert found.shape == shape
    if values.size and mode in MODES:
        theirs = ndimage.gaussian_filter(values, 2.0, mode=mode, truncate=9.0)
        # sampled Gaussians at sigma = 2: exp(-8 pi^2) = 5e-35; the walls of mirrored data are corrected
        if len(shape) == 1:
            np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-14)


def test_types_and_outputs(rng: np.random.Generator) -> None:
    values = (100 * rng.random((20, 30))).astype(np.uint8)
    assert gaussian_filter(values, 2.0, mode="wrap").dtype == np.uint8
    assert gaussian_filter(values, 2.0, output=np.float32, mode="wrap").dtype == np.float32
    room = np.empty((20, 30))
    assert gaussian_filter(values, 2.0, output=room, mode="wrap") is room
    theirs = ndimage.gaussian_filter(values, 2.0, output=np.float64, mode="wrap", truncate=9.0)
    np.testing.assert_allclose(room, theirs, rtol=0, atol=1e-11)
    both = values + 1j * values.T.reshape(20, 30)
    waves = ndimage.gaussian_filter(both, 2.0, mode="wrap", truncate=9.0)
    np.testing.assert_allclose(gaussian_filter(both, 2.0, mode="wrap"), waves, rtol=0, atol=1e-11)
    # sigma 0 leaves an axis as it is
    np.testing.assert_array_equal(gaussian_filter(values, 0), values)
    some = gaussian_filter(values.astype(float), 2.0, mode="wrap", axes=1)
    np.testing.assert_allclose(some, gaussian_filter1d(values.astype(float), 2.0, mode="wrap"), rtol=0, atol=0)
    assert values.dtype == np.uint8


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mode": "symmetric"}, "unknown mode"),
        ({"order": 1.5}, "order"),
        ({"order": -1}, "order"),
        ({"radius": -1}, "radius"),
        ({"radius": 1.1}, "radius"),
        ({"radius": (3, 3, 3)}, "radius"),
        ({"order": 2, "output": np.empty(3)}, "shape"),
        ({"order": 2, "output": "U8"}, "refuses"),
        ({"axes": (0, 0)}, "axes"),
        ({"axes": 5}, "axes"),
        ({"mode": ["wrap"]}, "mode"),
        ({"output": np.empty(3)}, "shape"),
    ],
)
def test_what_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(HeatpgError, match=words):
        gaussian_filter(np.ones((8, 9)), 1.0, **given)
    with pytest.raises(HeatpgError, match="sigma"):
        gaussian_filter(np.ones((8, 9)), -1.0)
    with pytest.raises(HeatpgError, match="sigma"):
        gaussian_filter(np.ones((8, 9)), (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"sigma": (1.0, 2.0, 3.0)}, RuntimeError),
        ({"mode": "symmetric"}, RuntimeError),
        ({"output": np.empty(3)}, RuntimeError),
        ({"axes": (1.5,)}, TypeError),
        ({"axes": 5}, ValueError),
        ({"order": -1}, ValueError),
    ],
)
def test_errors_are_caught_by_code_that_catches_those_of_scipy(given: dict[str, Any], kind: type[Exception]) -> None:
    options: dict[str, Any] = {"sigma": 1.0} | given
    for function in (ndimage.gaussian_filter, gaussian_filter):
        with pytest.raises(kind):
            function(np.ones((8, 9)), **options)
    with pytest.raises(HeatpgError):
        gaussian_filter(np.ones((8, 9)), **options)


@pytest.mark.parametrize(
    "given", [{"order": 2}, {"order": (0, 3)}, {"radius": 3}, {"radius": (3, None), "order": 1}, {"radius": 0}]
)
def test_orders_and_radii_that_scipy_alone_has_are_passed_on(given: dict[str, Any], rng: np.random.Generator) -> None:
    values = rng.standard_normal((20, 30))
    np.testing.assert_array_equal(gaussian_filter(values, 1.5, **given), ndimage.gaussian_filter(values, 1.5, **given))
    room = np.empty((20, 30), np.float32)
    assert gaussian_filter(values, 1.5, output=room, **given) is room
    np.testing.assert_array_equal(room, ndimage.gaussian_filter(values, 1.5, output=np.float32, **given))


@pytest.mark.skipif(not scipy.__version__.startswith("1.17."), reason="counted with the tests that SciPy 1.17 brings")
def test_tests_of_scipy(tmp_path: Path) -> None:
    """All but four of them; docs/howto/from_scipy.md says why of each."""
    if importlib.util.find_spec("scipy.ndimage.tests") is None:
        pytest.skip("SciPy was installed without its tests")
    script = Path(__file__).with_name("scipy_suite.py")
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stderr.splitlines()[-1]) == {
        "passed": 85,
        "failed": [
            "test_multiple_modes_gaussian_gradient_magnitude[numpy]",
            "test_gaussian_truncate[numpy]",
            "test_gaussian_radius[numpy]",
            "test_gaussian_filter_float16[numpy]",
        ],
        "passed on": 26,
    }


@pytest.mark.parametrize("mode", ["wrap", "mirror", "reflect", "nearest", "constant"])
def test_what_the_page_says_of_rough_values(mode: Any) -> None:
    """In the interior, 40 nodes or 13 sigmas from the edges: equal to rounding from one spacing on, and not below."""
    values = np.random.default_rng(0).normal(size=201)
    for sigma, order, least, most in (
        (1.0, 0, 0.0, 2e-15),
        (3.0, 1, 0.0, 2e-15),
        (0.5, 0, 0.1, 0.15),
        (0.9, 1, 0.1, 0.2),
    ):
        theirs = ndimage.gaussian_filter(values, sigma, order=order, mode=mode, truncate=12)
        difference = np.abs(gaussian_filter(values, sigma, order=order, mode=mode) - theirs)[40:-40].max()
        assert least <= difference <= most, (sigma, order)
