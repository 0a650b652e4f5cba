"""NetCDF 4 and HDF5 of any program: a variable with dimension scales, as xarray, netCDF4 and h5py write them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.errors import OptionError
from heatpg.formats import FACES, LOSS, Format, Positions, Sampled, Wanted, formats
from heatpg.formats._coordinates import (
    Arrays,
    fields_among,
    matched,
    named,
    the_variable,
    without_single_nodes,
)
from heatpg.formats._hdf5 import begins_as_hdf5, datasets, leaving, numbers, opened, text_attribute
from heatpg.formats._points import completed, require_real
from heatpg.tools.warn import warn_caller

__all__ = ["PACKING", "default_fill", "no_positions", "unpacked", "warn_of_lacking"]

Array = NDArray[Any]

PACKING = ("scale_factor", "add_offset", "_FillValue", "missing_value", "valid_min", "valid_max", "valid_range")
"""Attributes of CF that say how numbers are packed, and which of them are none."""
_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable"  # the name of a scale without positions
# what netCDF writes where nothing was written (netcdf.h)
_DEFAULT_FILLS = {
    "i1": -127,
    "u1": 255,
    "i2": -32767,
    "u2": 65535,
    "i4": -2147483647,
    "u4": 4294967295,
    "i8": -9223372036854775806,
    "u8": 18446744073709551614,
    "f4": 9.9692099683868690e36,
    "f8": 9.9692099683868690e36,
}


def default_fill(dtype: np.dtype[Any]) -> float | None:
    """What netCDF writes where nothing was written; none for bytes, every one of which may be data."""
    return None if dtype.itemsize == 1 else _DEFAULT_FILLS.get(f"{dtype.kind}{dtype.itemsize}")


def _single(attributes: Mapping[str, Any], name: str) -> float | None:
    """An attribute, if it is one number."""
    value = np.asarray(attributes[name]).reshape(-1) if name in attributes else np.zeros(0)
    return float(value[0]) if value.size == 1 and value.dtype.kind in "iuf" else None


def unpacked(raw: Array, attributes: Mapping[str, Any], *, netcdf: bool) -> tuple[Array, Array]:
    """Numbers as the conventions of CF have them packed, and where there are none.

    Parameters
    ----------
    raw
        As they are stored.
    attributes
        Those of the variable.
    netcdf
        Whether the file is one of netCDF, which marks what was never written.

    Returns
    -------
    values, missing
        In double precision where they were packed.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.formats.hdf5 import unpacked
    >>> packed = {"scale_factor": 0.5, "add_offset": 10.0, "_FillValue": np.int16(-1)}
    >>> values, missing = unpacked(np.array([0, 4, -1], np.int16), packed, netcdf=True)
    >>> values[~missing], missing
    (array([10., 12.]), array([False, False,  True]))
    """
    if str(attributes.get("_Unsigned", "")).lower() == "true" and raw.dtype.kind == "i":
        raw = raw.view(raw.dtype.str.replace("i", "u"))
    missing = np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, dtype=bool)
    marks = [attributes[name] for name in ("_FillValue", "missing_value") if name in attributes]
    if netcdf and "_FillValue" not in attributes:
        marks += [mark for mark in [default_fill(raw.dtype)] if mark is not None]
    for mark in marks:
        # in the type of the data, whose rounding the mark has
        for each in np.asarray(mark).reshape(-1):
            if np.asarray(each).dtype.kind in "iuf":
                with np.errstate(all="ignore"):
                    missing |= raw == np.asarray(each).astype(raw.dtype)
    least, most = _single(attributes, "valid_min"), _single(attributes, "valid_max")
    span = np.asarray(attributes.get("valid_range", ())).reshape(-1)
    if span.size == 2 and span.dtype.kind in "iuf":
        least, most = float(span[0]), float(span[1])
    if least is not None:
        missing |= raw < least
    if most is not None:
        missing |= raw > most
    scale, offset = _single(attributes, "scale_factor"), _single(attributes, "add_offset")
    if scale is None and offset is None:
        return raw, missing
    return raw.astype(np.float64) * (1.0 if scale is None else scale) + (offset or 0.0), missing


def no_positions(path: str | Path, name: str) -> OptionError:
    """The refusal of an axis whose coordinate is of texts."""
    return OptionError(
        f"the coordinate {name!r} of {path} contains text, not positions",
        allowed="numbers",
        advice="replace it by numbers, select one of its entries, or pass other coordinates for all axes",
    )


def warn_of_lacking(path: Path, axes: Sequence[Positions], shape: Sequence[int]) -> None:
    """Tell which axes have no positions while others have some; where none has any, the file is a plain array."""
    lacking = [each.name for each, n in zip(axes, shape, strict=True) if each.places is None and n > 1]
    if lacking and any(each.places is not None for each in axes):
        warn_caller(f"{path.name} has no positions along {', '.join(lacking)}; a grid spacing of 1 is assumed")


@dataclasses.dataclass(frozen=True)
class _File:
    """The datasets of numbers in a file, and which of them are scales."""

    path: Path
    numeric: dict[str, h5py.Dataset]
    scales: set[str]
    netcdf: bool
    unread: list[str]

    @classmethod
    def of(cls, path: Path, file: h5py.File) -> _File:
        every = datasets(file)
        numeric = {
            name: each
            for name, each in every.items()
            if each.shape
            and each.dtype.kind in "iufbc"
            and each.dtype.names is None
            and not text_attribute(each, "NAME").startswith(_NO_VARIABLE)
        }
        scales = {name for name, each in every.items() if text_attribute(each, "CLASS") == "DIMENSION_SCALE"}
        # what the library of netCDF leaves in any file that it writes
        marks = "_NCProperties" in file.attrs or any("_Netcdf4Dimid" in each.attrs for each in every.values())
        # a single text is a remark, and no field
        unread = [
            f"{name} (type {each.dtype}, shape {each.shape})"
            for name, each in every.items()
            if name not in numeric and name not in scales and each.size and each.size > 1
        ]
        return cls(
            path, numeric, scales, marks, unread + [f"{name} (a link to another file)" for name in leaving(file)]
        )

    def arrays(self) -> Arrays:
        return {name: (each.shape, lambda each=each: self.read(each)) for name, each in self.numeric.items()}  # type: ignore[misc]

    def read(self, dataset: h5py.Dataset) -> Array:
        """A dataset without packing, NaN where there is no value."""
        values, missing = unpacked(numbers(self.path, dataset), _packing(dataset), netcdf=self.netcdf)
        return np.where(missing, np.nan, values) if missing.any() else values

    @staticmethod
    def scale_of(dataset: h5py.Dataset, position: int) -> h5py.Dataset | None:
        """The positions along an axis, if a scale of numbers is attached to it; a scale of texts is refused."""
        texts = []
        for scale in dataset.dims[position].values():
            if text_attribute(scale, "NAME").startswith(_NO_VARIABLE):
                continue
            if scale.shape == (dataset.shape[position],) and scale.dtype.kind in "iuf":
                return scale
            if scale.dtype.kind in "OSU":
                texts.append(str(scale.name).rpartition("/")[2])
        if texts:
            raise no_positions(dataset.file.filename, texts[0])
        return None

    def positions(self, dataset: h5py.Dataset) -> Positions:
        """A vector of positions, with its name and unit."""
        return Positions(
            str(dataset.name).rpartition("/")[2],
            self.read(dataset).reshape(-1),
            _unit(dataset),
            text_attribute(dataset, "boundary"),
            text_attribute(dataset, "nodes"),
            text_attribute(dataset, "long_name"),
        )


def _packing(dataset: h5py.Dataset) -> dict[str, Any]:
    known = {name: dataset.attrs[name] for name in PACKING if name in dataset.attrs}
    return known | {"_Unsigned": text_attribute(dataset, "_Unsigned")}


def _unit(dataset: h5py.Dataset) -> str:
    # of times the reference is no part of the unit: "days since 2000-01-01"
    return text_attribute(dataset, "units").split(" since ")[0].strip()


def _label(dataset: h5py.Dataset, position: int) -> str:
    """The name of a dimension without positions."""
    for scale in dataset.dims[position].values():
        return str(scale.name).rpartition("/")[2]
    return str(dataset.dims[position].label) or f"x{position + 1}"


@formats.register("hdf5")
class _Hdf5(Format):
    """NetCDF 4 and HDF5 of any program: one variable, with dimension scales or vectors of positions."""

    def takes(self, path: Path, head: bytes) -> bool:
        return begins_as_hdf5(head)

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        with opened(path) as file:
            return self._read(_File.of(path, file), wanted)

    def _read(self, file: _File, wanted: Wanted) -> Sampled:
        path, arrays = file.path, file.arrays()
        spoken = {wanted.standard_error.lstrip("/"), *(name.lstrip("/") for name in wanted.axes)}
        free = {name: arrays[name] for name in arrays if name not in file.scales and name not in spoken}
        name = the_variable(path, arrays, wanted.variable, fields_among(free), unread=file.unread)
        dataset = file.numeric[name]
        raw = numbers(path, dataset)
        self._require_written(path, dataset)
        axes = self._axes(file, arrays, name, wanted)
        values, missing = unpacked(raw, _packing(dataset), netcdf=file.netcdf)
        values = completed(
            *(path, name, require_real(path, name, values), missing, axes, wanted.fill),
            why="NaN, a fill value, or outside of the valid range",
            advice="finish the program that writes them",
        )
        error = None
        if wanted.standard_error:
            error = arrays[the_variable(path, arrays, wanted.standard_error, (), role="standard error")][1]()
        loss = True if text_attribute(dataset, LOSS[0]) == LOSS[1] else None
        stated = text_attribute(dataset, FACES[0]) == FACES[1]
        facts = {"variable": name}
        return without_single_nodes(Sampled(values, axes, error, minimise=loss, faces=stated, facts=facts))

    @staticmethod
    def _require_written(path: Path, dataset: h5py.Dataset) -> None:
        """Refuse a dataset of which HDF5 would make up what is not in the file."""
        if dataset.chunks:
            needed = math.prod(-(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True))
            there = dataset.id.get_num_chunks()
        else:
            needed, there = dataset.nbytes, dataset.id.get_storage_size()
        # with a fill value of its own the points are told one by one
        marked = dataset.id.get_create_plist().fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED
        if there < needed and not marked:
            raise OptionError(
                f"{dataset.name.lstrip('/')} of {path} is incomplete",
                given=f"{there} of {needed} chunks" if dataset.chunks else f"{there} of {needed} bytes",
                advice="finish the program that writes it, or set the fill value of HDF5 to NaN when it is created, "
                "so that missing points can be detected",
            )

    @staticmethod
    def _axes(file: _File, arrays: Arrays, name: str, wanted: Wanted) -> tuple[Positions, ...]:
        dataset = file.numeric[name]
        if wanted.axes:
            chosen = named(file.path, arrays, name, wanted.axes)
            return tuple(Positions(key.rpartition("/")[2], x, _unit(file.numeric[key])) for key, x in chosen)
        scales = [file.scale_of(dataset, i) for i in range(dataset.ndim)]
        if any(scale is not None for scale in scales):
            axes = tuple(
                Positions(_label(dataset, i), None) if scale is None else file.positions(scale)
                for i, scale in enumerate(scales)
            )
            warn_of_lacking(file.path, axes, dataset.shape)
            return axes
        folder = name.rpartition("/")[0]
        others = [key for key in arrays if key not in (name, wanted.standard_error.lstrip("/"))]
        # coordinates stand beside the variable
        beside = [key for key in others if key.rpartition("/")[0] == folder]
        found = matched(file.path, arrays, name, beside or others)
        if found is None:
            return tuple(Positions(_label(dataset, i), None) for i in range(dataset.ndim))
        return tuple(Positions(key.rpartition("/")[2], x, _unit(file.numeric[key])) for key, x in found)
