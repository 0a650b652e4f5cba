"""Variables of MATLAB: version 7.3, which is HDF5 with the axes in reverse order, and the versions before, by SciPy.

An array has here the axes that MATLAB shows: rows first. Vectors of positions are rows or columns of numbers; meshes,
as ``meshgrid`` and ``ndgrid`` make them, tell by themselves along which axis they change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.errors import HeatpgError, OptionError
from heatpg.formats import Format, Positions, Sampled, Wanted, formats
from heatpg.formats._coordinates import (
    Arrays,
    fields_among,
    matched,
    named,
    the_variable,
    without_single_nodes,
)
from heatpg.formats._hdf5 import begins_as_hdf5, numbers, opened, text_attribute
from heatpg.formats._points import completed, reading, require_real
from heatpg.tools.resources import require_memory

Array = NDArray[Any]

_NUMERIC = ("double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))
_EXPANSION = 2000.0  # of a compressed file; deflate makes at most 1032 bytes of one. A taste


def _is_remark(kind: str, shape: tuple[int, ...]) -> bool:
    """Whether a variable that is not of numbers is one line of text."""
    return kind == "char" and sum(size != 1 for size in shape) <= 1


def _chosen(path: Path, arrays: Arrays, wanted: Wanted, unread: Sequence[str]) -> Sampled:
    spoken = {wanted.standard_error, *wanted.axes}
    # a scalar is a matrix of one number
    free = {key: each for key, each in arrays.items() if key not in spoken}
    name = the_variable(path, arrays, wanted.variable, fields_among(free), unread=unread)
    values = require_real(path, name, arrays[name][1]())
    others = [key for key in arrays if key not in (name, wanted.standard_error)]
    line = sum(size > 1 for size in values.shape) == 1
    if line:
        # a vector is a matrix of one row or one column
        arrays = {**arrays, name: ((values.size,), lambda: values.reshape(-1))}
        values = values.reshape(-1)
    found = named(path, arrays, name, wanted.axes) if wanted.axes else matched(path, arrays, name, others)
    if found is None:
        axes = tuple(Positions(f"x{i + 1}", None) for i in range(values.ndim))
    else:
        axes = tuple(Positions(key, places) for key, places in found)
    missing = np.isnan(values)
    values = completed(
        *(path, name, values, missing, axes, wanted.fill),
        why="NaN",
        advice="compute them and save the file again",
    )
    error = None
    if wanted.standard_error:
        key = the_variable(path, arrays, wanted.standard_error, (), role="standard error")
        error = arrays[key][1]()
        error = error.reshape(-1) if line else error
    return without_single_nodes(Sampled(values, axes, error, facts={"variable": name}))


@formats.register("matlab73")
class _Matlab73(Format):
    """Variables of MATLAB, saved with -v7.3."""

    specific = True

    def takes(self, path: Path, head: bytes) -> bool:
        if not begins_as_hdf5(head):
            return False
        if head.startswith(b"MATLAB 7.3"):
            return True
        try:  # the block of the user may be gone, as after h5repack
            with opened(path) as file:
                return any("MATLAB_class" in each.attrs for each in file.values() if isinstance(each, h5py.Dataset))
        except HeatpgError:
            return False

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        with opened(path) as file:
            found: dict[str, h5py.Dataset] = {}
            kinds: dict[str, str] = {}  # of what is not of numbers
            others: list[str] = []
            for key in file:
                hard = isinstance(file.get(key, getlink=True), h5py.HardLink)
                thing = file[key] if hard else None
                kind = "" if thing is None else text_attribute(thing, "MATLAB_class")
                # what is empty is stored as its size
                empty = isinstance(thing, h5py.Dataset) and "MATLAB_empty" in thing.attrs
                if isinstance(thing, h5py.Dataset) and kind in _NUMERIC and not empty and thing.dtype.names is None:
                    found[key] = thing
                elif not key.startswith("#"):
                    kinds[key] = "a link (not followed)" if thing is None else kind or "group"
                    if not _is_remark(kind, getattr(thing, "shape", ())):
                        others.append(f"{key} ({kinds[key]})")
            name = wanted.variable
            if name in kinds:
                raise OptionError(
                    f"{name} of {path} is not an array of real numbers",
                    given=f"{name} ({kinds[name]})",
                    allowed=", ".join(found) or "none",
                    advice="in MATLAB: Q = double(...); save('q.mat', 'Q', '-v7.3')",
                )

            def reader(dataset: h5py.Dataset) -> Array:
                return numbers(path, dataset).T

            arrays: Arrays = {
                key: (tuple(each.shape[::-1]), lambda each=each: reader(each))  # type: ignore[misc]
                for key, each in found.items()
            }
            return _chosen(path, arrays, wanted, others)


@formats.register("matlab5")
class _Matlab5(Format):
    """Variables of MATLAB, saved with -v7, -v6 or -v4, and of Octave."""

    specific = True

    def takes(self, path: Path, head: bytes) -> bool:
        # version 4 has no signature: its header is small numbers, and the ending decides
        old = path.suffix.lower() == ".mat" and not begins_as_hdf5(head)
        return (head.startswith(b"MATLAB 5.0 MAT-file") or old) and not head.startswith(b"MATLAB 7.3")

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        from scipy.io import loadmat, whosmat

        held = path.stat().st_size
        with reading(path, "a file of MATLAB", "save it again: save('q.mat', 'Q', 'x', 'y', '-v7.3')"):
            listed = whosmat(path)
            names, others = [], []
            for key, shape, kind in listed:
                sizes = [int(size) for size in shape]
                needed = math.prod(sizes)
                # at least a byte for each, and no size is believed that the file cannot hold
                if min(sizes, default=0) < 0 or needed > _EXPANSION * held:
                    raise ValueError(f"{key} has the declared shape {shape} in a file of {held:,} bytes")
                require_memory(16.0 * needed, f"{key} of {path}", "read it on a machine with more memory")
                if kind in _NUMERIC and needed:
                    names.append(key)
                elif not _is_remark(kind, shape):
                    others.append(f"{key} ({kind})")
            content = loadmat(path, variable_names=names) if names else {}
        arrays: Arrays = {
            key: (content[key].shape, lambda key=key: content[key])  # type: ignore[misc]
            for key in names
            if isinstance(content.get(key), np.ndarray)
        }
        return _chosen(path, arrays, wanted, others)
