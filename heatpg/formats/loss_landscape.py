"""Surfaces of the tool loss-landscape (Li et al., Visualizing the Loss Landscape of Neural Nets, 2018).

A surface is a file of HDF5 with ``xcoordinates``, ``ycoordinates`` (none for a line), and the values of a loss and an
accuracy on the training and the test data. The tool allocates (len(x), len(y)) numbers and writes them in the flat
order of ``numpy.meshgrid(x, y)``: the values are, whatever their shape says, the rows y of a table with the columns x.
A value of -1 means that a point is not computed yet.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from heatpg.errors import GridError, HeatpgError, OptionError
from heatpg.formats import Format, Positions, Sampled, Wanted, formats
from heatpg.formats._coordinates import the_variable
from heatpg.formats._hdf5 import begins_as_hdf5, datasets, numbers, opened
from heatpg.formats._points import completed, in_words, require_real

_X, _Y = "xcoordinates", "ycoordinates"
_USUAL = "train_loss"  # what the tool computes and plots
_UNFINISHED = -1.0
_MAXIMISED = ("acc", "accuracy")  # last part of a name: what is better the larger it is


@formats.register("loss-landscape")
class _LossLandscape(Format):
    """Surfaces of loss-landscape (Li et al. 2018): .h5 with xcoordinates, ycoordinates, train_loss, train_acc."""

    specific = True

    def takes(self, path: Path, head: bytes) -> bool:
        if not begins_as_hdf5(head):
            return False
        try:
            with opened(path) as file:
                return isinstance(file.get(_X, getlink=True), h5py.HardLink) and isinstance(file[_X], h5py.Dataset)
        except HeatpgError:
            return False  # what is wrong with it is told by the format of all files of HDF5

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        with opened(path) as file:
            found = datasets(file)
            x = numbers(path, found[_X]).reshape(-1)
            y = numbers(path, found[_Y]).reshape(-1) if _Y in found else None
            shape = x.shape if y is None else (y.size, x.size)
            arrays = {
                name: (each.shape, lambda each=each: numbers(path, each))
                for name, each in found.items()
                if name not in (_X, _Y) and each.shape and each.size == np.prod(shape) and each.dtype.kind in "iuf"
            }
            if wanted.axes or wanted.standard_error:
                raise OptionError(
                    f"{path.name} is a loss-landscape surface, which defines its axes and has no standard errors",
                    given="axes or standard_error",
                    advice="omit them",
                )
            usual = [_USUAL] if _USUAL in arrays else list(arrays)
            others = {name: each for name, each in found.items() if name not in (_X, _Y) and each.shape}
            if not arrays and others:
                raise GridError(
                    f"{path} has no values on its {' x '.join(map(str, shape))} points",
                    given=in_words([f"{name} of shape {each.shape}" for name, each in others.items()]),
                    allowed=f"{int(np.prod(shape))} numbers: {_X} holds {x.size}"
                    + ("" if y is None else f", {_Y} holds {y.size}"),
                    advice="delete the file and run plot_surface.py again",
                )
            if not arrays:
                raise GridError(
                    f"{path} has coordinates but no values yet",
                    given=", ".join(found),
                    advice="run plot_surface.py, which computes them",
                )
            name = the_variable(path, arrays, wanted.variable, usual)
            raw = require_real(path, name, arrays[name][1]())
        # see the top of this file: the order is that of the table, the shape may be the other way round
        values = raw.reshape(-1).reshape(shape)
        axes = (Positions("x", x),) if y is None else (Positions("y", y), Positions("x", x))
        missing = (values == _UNFINISHED) | np.isnan(values)
        lost = bool(np.isnan(values).any())
        open_ones = " or -1, which is not computed yet" if (values == _UNFINISHED).any() else ""
        values = completed(
            *(path, name, values, missing, axes, wanted.fill),
            why=f"NaN{open_ones}" if lost else "-1, which is not computed yet",
            # the tool computes what is below 0, and a NaN is not
            advice=f"plot_surface.py computes no NaN again: set it to -1 in {name}, or delete the file, and rerun it"
            if lost
            else "run plot_surface.py once more with the same --surf_file, which computes them",
        )
        loss = name.rpartition("_")[2] not in _MAXIMISED
        return Sampled(values, axes, minimise=loss, facts={"variable": name})
