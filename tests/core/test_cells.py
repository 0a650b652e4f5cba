"""Nodes in cells by every door for arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve
from tests.references import end_error_of_waves

CENTRES = (np.arange(32) + 0.5) / 32
WAVE = np.cos(np.pi * CENTRES)


def test_cells_keep_their_half_cells_by_every_door(tmp_path: Path) -> None:
    """cos(pi x) between mirrors at 0 and 1: walls at the centres were .0216 off."""
    np.save(tmp_path / "wave.npy", WAVE)
    np.savez(tmp_path / "wave.npz", values=WAVE, x=CENTRES)
    landscapes = [
        Landscape.from_array(WAVE, boundary="reflect", spacing=1 / 32, nodes="cell"),
        Landscape.from_file(tmp_path / "wave.npz", boundary="reflect", nodes="cell"),
    ]
    for landscape in landscapes:
        axis = landscape.grid[0]
        assert (axis.lower, axis.upper, axis.nodes) == (0.0, 1.0, "cell")
        assert np.abs(axis.coordinates - CENTRES).max() < 1e-15
        u = evolve(landscape, 0.2).values[0]
        allowed = end_error_of_waves(np.pi / 32, 0.2 * 32, 32, "cell")  # 9e-7
        assert np.abs(u - np.exp(-((0.2 * np.pi) ** 2) / 2) * WAVE).max() < allowed
    pixels = Landscape.from_file(tmp_path / "wave.npy", boundary="reflect", nodes="cell").grid[0]
    assert (pixels.lower, pixels.upper, pixels.nodes) == (0.0, 32.0, "cell")


def test_xarray_keeps_what_heatpg_has_said_of_its_nodes() -> None:
    xarray = pytest.importorskip("xarray")
    grid = Grid(Axis("x", 0.0, 1.0, 32, boundary="reflect", nodes="cell"))
    data = evolve(Landscape(WAVE, grid), 0.2).to_xarray().landscape
    assert Landscape.from_xarray(data).grid == grid
    for boundary in ("clip", "periodic"):
        axis = Landscape.from_xarray(data, boundary=boundary).grid[0]
        assert (axis.boundary, axis.nodes) == (boundary, "cell")
        assert (axis.lower, axis.upper) == pytest.approx((0.0, 1.0), abs=1e-15)
    foreign = xarray.DataArray(WAVE, [("x", CENTRES)])
    axis = Landscape.from_xarray(foreign, boundary="reflect", nodes="cell").grid[0]
    assert axis.nodes == "cell" and axis.upper == pytest.approx(1.0, abs=1e-15)
    assert Landscape.from_xarray(foreign, boundary="reflect").grid[0].nodes == "vertex"


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_files_of_xarray_keep_what_heatpg_has_said_of_its_axes(tmp_path: Path, engine: str) -> None:
    pytest.importorskip("xarray")
    pytest.importorskip(engine)
    grid = Grid(Axis("x", 0.0, 1.0, 32, boundary="reflect", nodes="cell"))
    data = evolve(Landscape(WAVE, grid), 0.2).to_xarray().landscape
    data.attrs.clear()
    data.to_netcdf(tmp_path / "own.nc", engine=engine)
    kept = Landscape.from_file(tmp_path / "own.nc").grid[0]
    assert (kept.boundary, kept.nodes) == ("reflect", "cell")
    other = Landscape.from_file(tmp_path / "own.nc", boundary="clip").grid[0]
    assert (other.boundary, other.nodes) == ("clip", "cell")
    for axis in (kept, other):
        assert (axis.lower, axis.upper) == pytest.approx((0.0, 1.0), abs=1e-15)
    spoken = Landscape.from_file(tmp_path / "own.nc", boundary="clip", nodes="vertex").grid[0]
    assert (spoken.nodes, spoken.lower) == ("vertex", CENTRES[0])
