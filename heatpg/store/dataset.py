"""An evolution as a dataset of xarray, with the names of its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from heatpg.errors import MissingPackageError, UnsupportedError
from heatpg.formats import FACES, LOSS
from heatpg.store.record import Record
from heatpg.tools.extras import how_to_add

if TYPE_CHECKING:
    import xarray

__all__ = ["as_dataset"]


def as_dataset(record: Record) -> xarray.Dataset:
    """What `heatpg.Evolution.to_xarray` returns."""
    try:
        import xarray
    except ImportError:
        raise MissingPackageError("xarray is not installed", advice=how_to_add("xarray")) from None
    grid, landscape = record.grid, record.landscape
    axes = [axis.name for axis in grid]
    # the other names of the file are refused by Axis; these are not in every one
    beside = {"covariance", "axis2"} if record.covariance is not None else set()
    beside |= set() if landscape.returns is None else {"returns", "seed"}
    beside |= set() if record.known_error is None else {"u_standard_error"}
    beside |= set() if record.draw_groups is None else {"u_draw_groups", "draw_group"}
    beside |= {f"{axis}_{side}_face" for axis in landscape.faces for side in ("lower", "upper")}
    clash = sorted(beside.intersection(axes))
    if clash:
        raise UnsupportedError("this axis name is the name of another variable", given=clash, advice="rename the axis")
    batch = [f"batch{i + 1}" for i in range(len(landscape.batch_shape))]
    lead = "sigma" if record.sigma.ndim == 1 else "level"
    noise = (lead,) if record.sigma.ndim == 1 else (lead, "axis")
    unit = grid.unit

    def described(label: str, of_sigma: int = 0) -> dict[str, Any]:
        # where axes have different units, sigma has none that could be written
        power = {"units": unit if of_sigma == 1 else f"({unit}){of_sigma}"} if unit and of_sigma else {}
        return {"long_name": label, **power}

    coordinates: dict[str, Any] = {
        "sigma": (noise, record.sigma, described("standard deviation of the exploration noise", 1)),
        "time": (noise, record.sigma**2, described("time of the heat equation", 2)),
    }
    if lead == "level":
        coordinates |= {"level": np.arange(len(record)), "axis": axes}
    if record.covariance is not None:
        label = described("covariance of the exploration noise", 2)
        coordinates |= {"covariance": (("level", "axis", "axis2"), record.covariance, label), "axis2": axes}
    for name, size in zip(batch, landscape.batch_shape, strict=True):
        coordinates[name] = np.arange(size)
    for axis in grid:
        attributes = {"long_name": axis.title, "boundary": axis.boundary, "nodes": axis.nodes}
        bounds = {"lower": axis.lower, "upper": axis.upper}
        units_of_axis = {"units": axis.unit} if axis.unit else {}
        coordinates[axis.name] = (axis.name, axis.coordinates, {**attributes, **bounds, **units_of_axis})
    checks = [{"name": c.name, "status": c.status, "message": c.message} for c in record.report]
    sense = dict([LOSS]) if landscape.minimise else {}
    of_u = described("expected value under exploration noise") | sense
    of_q = described("action value Q, without noise") | sense | (dict([FACES]) if landscape.faces else {})
    fields: dict[str, Any] = {
        "u": ((lead, *batch, *axes), record.values, of_u),
        "landscape": ((*batch, *axes), landscape.values, of_q),
    }
    for name, first, array, words in (
        ("standard_error", (), landscape.standard_error, "standard error of Q, a mean over rollouts"),
        ("returns", ("seed",), landscape.returns, "return of each seed, of which Q is the mean"),
        ("u_standard_error", (lead,), record.known_error, record.error_words),
        ("u_draw_groups", ("draw_group", lead), record.draw_groups, "u of each group of draws, less u"),
    ):
        if array is not None:
            fields[name] = ((*first, *batch, *axes), array, described(words))
    for own, walls in landscape.faces.items():
        others = [*batch, *(other for other in axes if other != own)]
        for side, wall in zip(("lower", "upper"), walls, strict=True):
            if wall is not None:
                fields[f"{own}_{side}_face"] = (others, wall, described(f"Q on the {side} wall of {own}"))
    return xarray.Dataset(
        fields,
        coordinates,
        {
            "title": landscape.name,
            "solver": repr(record.solver),
            "reason": record.reason,
            "report": json.dumps({"level": record.report.level, "passed": record.report.passed, "checks": checks}),
        },
    )
