"""The same landscape, solver and checks give the same bytes, whatever threads heatpg and the libraries below it use.

The digests are taken in processes of their own, because BLAS reads its variables once, when it is loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg.solvers import fft
from heatpg.tools.sums import along_axis, dot, product

ROOT = Path(__file__).resolve().parents[2]

# Sizes that leave lines over in every vector, fill more than one block, and are enough for the threads of BLAS.
PROGRAM = """
import hashlib, importlib.util, json, sys, warnings
from pathlib import Path

import h5py
import numpy as np

from heatpg import Axis, Grid, Landscape, evolve, landscapes
from heatpg.large import LargeLandscape, evolve_large
from heatpg.landscapes.directions import random_directions
from heatpg.solvers import fft, solvers
from heatpg.store.writing import image

warnings.simplefilter("ignore")
folder, part = Path(sys.argv[1]), sys.argv[2]
rng = np.random.default_rng(20260122)
found = {}
BOUNDARIES = ("periodic", "reflect", "absorb", "clip", "zero")

def note(name, *contents):
    found[name] = hashlib.sha256(b"".join(contents)).hexdigest()[:16]

def box(boundary, *sizes, nodes="vertex"):
    return Grid(*(Axis(f"x{i}", 0.0, 1.0, n, boundary=boundary, nodes=nodes) for i, n in enumerate(sizes)))

def look(name, q, sigma, solver="auto", level="full", **options):
    try:
        flow = evolve(q, sigma, solver, checks=level, **options)
    except Exception as reason:  # what a solver refuses is refused by the same words
        note(name, str(reason).encode())
        return
    note(name, image(flow, task="{}"))
    note(name + " compact", image(flow, storage="compact", tolerance=1e-8, task="{}"))

if part == "solvers":
    for number, solver in enumerate(solvers.names()):
        for boundary in (BOUNDARIES[number % 5], BOUNDARIES[(number + 2) % 5]):
            q = Landscape(rng.standard_normal((131, 67)), box(boundary, 131, 67))
            look(f"{solver} {boundary}", q, [0.02, 0.05], solver)
if part == "others":
    for number, boundary in enumerate(BOUNDARIES):
        grid = box(boundary, 103, 45, nodes=("vertex", "cell")[number % 2])
        # wider than the box, where the solver `direct` is a dense matrix
        look(f"wide {boundary}", Landscape(rng.standard_normal(grid.shape), grid), [0.2, 0.3], "direct")
        single = rng.standard_normal((3, 61, 77)).astype(np.float32)
        look(f"batch {boundary}", Landscape(single, box(boundary, 61, 77)), [0.01, 0.2])
        look(f"line {boundary}", Landscape(rng.standard_normal(10_011), box(boundary, 10_011)), [1e-5, 1e-3])
    for boundary in ("periodic", "zero"):
        q = Landscape(rng.standard_normal((31, 25, 23)), box(boundary, 31, 25, 23))
        matrix = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]]) * 1e-3
        look(f"covariance {boundary}", q, None, level="standard", covariance=[matrix])
    look("ridge", landscapes.ridge(size=300, width=0.2), [0.3, 0.6])
    modes = landscapes.eigenmodes(size=201)
    note("eigenmodes", modes.values.tobytes())
    note("directions", random_directions(30_011, 3, seed=1).vectors.tobytes())
    q = rng.standard_normal((517, 389))
    evolve_large(LargeLandscape(q, box("reflect", 517, 389)), [0.02, 0.1], folder / "large.h5", memory=2**26)
    with h5py.File(folder / "large.h5") as file:
        note("large", file["u"][...].tobytes(), str(file.attrs["heatpg_report"]).encode())
if part == "ducc0" and importlib.util.find_spec("ducc0"):
    fft.set_library("ducc0")
    for boundary in BOUNDARIES:
        q = Landscape(rng.standard_normal((5, 131, 67)), box(boundary, 131, 67))
        look(f"spectral {boundary}", q, [0.02, 0.1], "spectral")
print(json.dumps(found))
"""
SETTINGS = [(1, 1), (2, 2), (3, 1)]  # threads of heatpg, threads of BLAS


def digests(part: str, folder: Path, ours: int, theirs: int) -> dict[str, str]:
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(theirs))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), part],
        cwd=ROOT,
        env=os.environ | threads | {"HEATPG_THREADS": str(ours)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("part", ["solvers", "others", "ducc0"])
def test_no_number_of_threads_changes_what_is_stored(part: str, tmp_path: Path) -> None:
    found = []
    for number, (ours, theirs) in enumerate(SETTINGS):
        (tmp_path / str(number)).mkdir()
        found.append(digests(part, tmp_path / str(number), ours, theirs))
    for setting, other in zip(SETTINGS[1:], found[1:], strict=True):
        changed = [name for name in found[0] if other[name] != found[0][name]]
        assert not changed, f"with {setting[0]} threads, {setting[1]} of BLAS"
    assert all(other.keys() == found[0].keys() for other in found)


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 13, 5), (40, 64, 300), (3, 301, 1), (9, 8, 517)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_in_a_fixed_order(shape: tuple[int, int, int], dtype: Any, rng: np.random.Generator) -> None:
    rows, depth, columns = shape
    left = rng.standard_normal((rows, depth)).astype(dtype)
    right = rng.standard_normal((depth, columns)).astype(dtype)
    left[:, depth // 3 : depth // 2] = 0.0
    found = product(left, right)
    assert found.dtype == dtype and found.shape == (rows, columns)
    exact = left.astype(np.longdouble) @ right.astype(np.longdouble)
    size = np.abs(left).astype(np.longdouble) @ np.abs(right).astype(np.longdouble)
    assert (np.abs(found - exact) <= (8 + depth / 8) * np.finfo(dtype).eps * size).all()
    # what stands beside a column is nothing to it
    assert np.array_equal(product(left, right[:, :1]), found[:, :1])
    moved = np.moveaxis(np.repeat(right[:, :, None], 2, axis=2), 0, 1)
    assert np.array_equal(along_axis(left, moved, 1), np.moveaxis(np.repeat(found[:, :, None], 2, axis=2), 0, 1))
    assert dot(left[0], right[:, 0]) == pytest.approx(float(exact[0, 0]), abs=1e-5 * float(size[0, 0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [65, 100, 2**14 + 3])
def test_a_row_is_transformed_alike_whatever_is_beside_it(dtype: Any, size: int, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((21, size)).astype(dtype)
    transforms = (fft.fourier, lambda x, axis: fft.cosine(x, 1, axis), lambda x, axis: fft.sine(x, 2, axis))
    before = fft.library()
    try:
        for library in ("scipy", "ducc0"):
            if library == "ducc0":
                pytest.importorskip("ducc0", reason="the extra 'fast' is not installed")
            fft.set_library(library)
            for transform in transforms:
                whole = transform(rows.copy(), 1)
                for count in (1, 3, 8, 17):
                    parts = [transform(rows[i : i + count].copy(), 1) for i in range(0, len(rows), count)]
                    assert np.array_equal(np.concatenate(parts), whole)
    finally:
        fft.set_library(before)
