"""Which arrays of a file are the positions along the axes of another one."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import GridError, OptionError, UnknownNameError
from heatpg.formats import Sampled
from heatpg.formats._points import in_every_word, in_words
from heatpg.tools.options import nearest, shown

__all__ = ["Arrays", "along", "fields_among", "matched", "named", "the_variable", "without_single_nodes"]

Array = NDArray[Any]
Reader = Callable[[], Array]
Arrays = Mapping[str, tuple[tuple[int, ...], Reader]]
"""Shape of each array of a file, and what reads it."""
_MOST_MESHES = 16  # arrays that are read to see whether they are meshes; a taste


def the_variable(
    path: Path, arrays: Arrays, wanted: str, usual: Sequence[str], *, role: str = "variable", unread: Sequence[str] = ()
) -> str:
    """The array that is wanted, or the one that it can only be.

    Parameters
    ----------
    path
        Of the file.
    arrays
        All that it holds.
    wanted
        What the caller has named.
    usual
        Those that may hold Q, if the caller has named none.
    role
        What the name stands for.
    unread
        What else the file holds and is no array of numbers: Q may be in it, and what is left its positions.
    """
    name = wanted.lstrip("/")
    if name:
        if name in arrays:
            return name
        raise UnknownNameError(
            f"{path} has no {role} with this name",
            given=shown(wanted),
            allowed=in_words(list(arrays)),
            advice=nearest(name, arrays),
        )
    if len(usual) == 1 and not (unread and _may_be_positions(arrays[usual[0]])):
        return usual[0]
    if len(usual) == 1:
        raise OptionError(
            f"{path} is ambiguous: {usual[0]} may be Q or positions",
            given=f"other candidates for Q are not numeric: {in_words(unread)}",
            advice=f"store Q as a separate array of numbers, or select {usual[0]} as Q: "
            + in_every_word(variable=usual[0]),
        )
    if not usual:
        raise GridError(
            f"{path} has no array that can be a landscape",
            given=in_words([*(f"{key} {shape}" for key, (shape, _) in arrays.items()), *unread]),
            allowed="an array of numbers with at least 3 nodes along each axis",
            advice="use another file",
        )
    raise OptionError(
        f"{path} has {len(usual)} variables that can be Q",
        given=in_words([f"{key} {arrays[key][0]}" for key in usual]),
        advice=f"select one: {in_every_word(variable=usual[0])}",
    )


def _may_be_positions(entry: tuple[tuple[int, ...], Reader]) -> bool:
    """Whether an array could be the positions along an axis: a vector, or a mesh."""
    shape, read = entry
    return _vector(shape) is not None or along(read(), shape) is not None


def along(array: Array, shape: tuple[int, ...]) -> tuple[int, Array] | None:
    """Along which axis of a mesh of this shape an array holds positions, and these; None if it holds none.

    A vector holds those of any axis of its length, and is not meant here; a mesh has one axis along which it changes.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.formats._coordinates import along
    >>> x, y = np.meshgrid([0.0, 1.0, 2.0], [5.0, 6.0])
    >>> along(x, (2, 3)), along(y, (2, 3))
    ((1, array([0., 1., 2.])), (0, array([5., 6.])))
    """
    if array.shape != shape or array.dtype.kind not in "iuf":
        return None
    changing = [i for i in range(array.ndim) if (np.diff(array, axis=i) != 0).any()]
    if len(changing) != 1:
        return None
    line = array[tuple(slice(None) if i == changing[0] else 0 for i in range(array.ndim))]
    return changing[0], line


def fields_among(arrays: Arrays) -> list[str]:
    """The arrays that may be Q: those with the most axes, less the meshes of positions that go with another one.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.formats._coordinates import fields_among
    >>> x, y = np.meshgrid([0.0, 1.0, 2.0], [5.0, 6.0])
    >>> fields_among({name: (z.shape, lambda z=z: z) for name, z in {"X": x, "Y": y, "Z": x * y, "x": x[0]}.items()})
    ['Z']
    """
    rank = {name: sum(size > 1 for size in shape) for name, (shape, _) in arrays.items()}
    most = max(rank.values(), default=0)
    usual = [name for name in arrays if rank[name] == most > 0]
    if most == 1 or not 1 < len(usual) <= _MOST_MESHES:
        return usual
    return [name for name in usual if along(arrays[name][1](), arrays[name][0]) is None] or usual


def without_single_nodes(found: Sampled) -> Sampled:
    """The same without axes of one node, which are none."""
    single = tuple(i for i, size in enumerate(found.values.shape) if size == 1)
    if not single:
        return found
    error = found.standard_error
    return dataclasses.replace(
        found,
        values=found.values.squeeze(single),
        axes=tuple(axis for i, axis in enumerate(found.axes) if i not in single),
        standard_error=error.squeeze(single) if error is not None and error.shape == found.values.shape else error,
    )


def _vector(shape: tuple[int, ...]) -> int | None:
    """Length of an array that is a row or a column of numbers; None for any other."""
    longer = [size for size in shape if size != 1]
    return longer[0] if len(longer) == 1 else None


def named(path: Path, arrays: Arrays, variable: str, axes: Sequence[str]) -> list[tuple[str, Array | None]]:
    """Names and positions along the axes of a variable, from the arrays that the caller has named in their order."""
    shape = arrays[variable][0]
    if len(axes) != len(shape):
        raise GridError(
            f"{variable} of {path} has {len(shape)} axes",
            given=f"{len(axes)} names: {', '.join(axes)}",
            allowed=f"{len(shape)} names, in the order of the shape {shape}",
        )
    found: list[tuple[str, Array | None]] = []
    for i, (name, size) in enumerate(zip(axes, shape, strict=True)):
        key = the_variable(path, arrays, name, (), role="coordinate")
        own, read = arrays[key]
        mesh = along(read(), shape) if own == shape and _vector(own) is None else None
        if mesh is not None and mesh[0] == i:
            found.append((key, mesh[1]))
            continue
        if _vector(own) != size:
            raise GridError(
                f"{key} of {path} does not contain the positions along axis {i + 1} of {variable}",
                given=f"shape {own}",
                allowed=f"{size} positions",
                advice=f"name the coordinates in the order of the shape {shape}",
            )
        found.append((key, read().reshape(-1)))
    return found


def matched(
    path: Path, arrays: Arrays, variable: str, candidates: Sequence[str]
) -> list[tuple[str, Array | None]] | None:
    """Positions along the axes of a variable, where there is one way only to match them; None where there are none.

    Raises
    ------
    OptionError
        Where several arrays, or several orders of them, fit.
    """
    shape = arrays[variable][0]
    # a mesh tells its axis by itself
    meshes: dict[int, list[tuple[str, Array]]] = {}
    for name in candidates:
        if name != variable and arrays[name][0] == shape and len(shape) > 1:
            mesh = along(arrays[name][1](), shape)
            if mesh is not None:
                meshes.setdefault(mesh[0], []).append((name, mesh[1]))
    if len(meshes) == len(shape) and all(len(each) == 1 for each in meshes.values()):
        return [meshes[i][0] for i in range(len(shape))]
    fits = [[name for name in candidates if name != variable and _vector(arrays[name][0]) == size] for size in shape]
    if not any(fits):
        return None
    ways = [way for way in itertools.islice(itertools.product(*fits), 1000) if len(set(way)) == len(way)]
    if len(ways) == 1:
        return [(name, arrays[name][1]().reshape(-1)) for name in ways[0]]
    if not ways:
        lacking = [i + 1 for i, names in enumerate(fits) if not names]
        raise GridError(
            f"{path} has positions only for some axes of {variable}",
            given=f"shape {shape}; no coordinate matches axis {', '.join(map(str, lacking))}"
            if lacking
            else f"shape {shape}; {in_words(sorted({name for names in fits for name in names}))}",
            advice="write one vector of positions per axis, or read it in Python: Landscape.from_array(values, axes)",
        )
    example = list(ways[0])
    raise OptionError(
        f"{variable} of {path} has the shape {shape}, and its coordinates match in {len(ways)} ways",
        given=in_words(sorted({name for names in fits for name in names})),
        advice=f"name them in the order of the shape: {in_every_word(axes=example)}, or in reverse order",
    )
