"""The classic format of NetCDF, read by SciPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.formats import FACES, LOSS, Format, Positions, Sampled, Wanted, formats
from heatpg.formats._coordinates import Arrays, fields_among, named, the_variable, without_single_nodes
from heatpg.formats._points import completed, reading, require_real
from heatpg.formats.hdf5 import PACKING, no_positions, unpacked, warn_of_lacking

Array = NDArray[Any]


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


@formats.register("netcdf3")
class _NetCDF3(Format):
    """The classic format of NetCDF: .nc."""

    def takes(self, path: Path, head: bytes) -> bool:
        return head.startswith(b"CDF")

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        from scipy.io import netcdf_file

        way = "convert it: nccopy -k nc4 old.nc new.nc, or write it again"
        # without a memory map, whose pages would change with the file
        with (
            reading(path, "NetCDF 3, with offsets of 32 or 64 bits", way),
            netcdf_file(path, "r", mmap=False, maskandscale=False) as file,
        ):
            return self._read(path, dict(file.variables), wanted)

    @staticmethod
    def _read(path: Path, variables: dict[str, Any], wanted: Wanted) -> Sampled:
        kept = {name: each for name, each in variables.items() if each.shape and each.data.dtype.kind in "iuf"}

        def values_of(name: str) -> tuple[Array, Array]:
            attributes = {key: getattr(kept[name], key) for key in PACKING if hasattr(kept[name], key)}
            raw = np.array(kept[name].data)
            return unpacked(raw.astype(raw.dtype.newbyteorder("=")), attributes, netcdf=True)

        def filled(name: str) -> Array:
            found, missing = values_of(name)
            return np.where(missing, np.nan, found) if missing.any() else found

        arrays: Arrays = {name: (tuple(each.shape), lambda name=name: filled(name)) for name, each in kept.items()}  # type: ignore[misc]
        spoken = {wanted.standard_error, *wanted.axes}
        free = {
            name: entry
            for name, entry in arrays.items()
            # a variable of the name of its dimension holds the positions along it
            if name not in spoken and tuple(kept[name].dimensions) != (name,)
        }
        # the last dimension of texts is that of their letters
        unread = [
            f"{name} (text)"
            for name, each in variables.items()
            if name not in kept and len(each.shape) > 1 and each.dimensions[0] != name
        ]
        name = the_variable(path, arrays, wanted.variable, fields_among(free), unread=unread)

        def unit(key: str) -> str:
            return _text(getattr(kept[key], "units", "")).split(" since ")[0].strip()

        def own(key: str) -> tuple[str, ...]:
            return tuple(_text(getattr(kept[key], word, "")) for word in ("boundary", "nodes", "long_name"))

        if wanted.axes:
            axes = tuple(Positions(key, x, unit(key)) for key, x in named(path, arrays, name, wanted.axes))
        else:
            for dim in map(str, kept[name].dimensions):
                if dim in variables and variables[dim].shape and variables[dim].data.dtype.kind == "S":
                    raise no_positions(path, dim)
            axes = tuple(
                Positions(dim, filled(dim), unit(dim), *own(dim))
                if dim in kept and tuple(kept[dim].dimensions) == (dim,)
                else Positions(dim, None)
                for dim in map(str, kept[name].dimensions)
            )
            warn_of_lacking(path, axes, kept[name].shape)
        values, missing = values_of(name)
        values = completed(
            *(path, name, require_real(path, name, values), missing, axes, wanted.fill),
            why="NaN, a fill value, or outside of the valid range",
            advice="finish the program that writes them",
        )
        error = None
        if wanted.standard_error:
            error = filled(the_variable(path, arrays, wanted.standard_error, (), role="standard error"))
        loss = True if _text(getattr(kept[name], LOSS[0], "")) == LOSS[1] else None
        stated = _text(getattr(kept[name], FACES[0], "")) == FACES[1]
        facts = {"variable": name}
        return without_single_nodes(Sampled(values, axes, error, minimise=loss, faces=stated, facts=facts))
