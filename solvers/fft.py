"""Real transforms along one axis, by ducc0 where it is installed and by SciPy otherwise.

Both give the same coefficients: the packed real Fourier transform of FFTPACK (1, cos, sin, ...), and cosine and sine
transforms without normalisation, whose inverses carry it. ducc0 (M. Reinecke, GPL-2.0-or-later) is about twice as fast
and never required: extra ``fast``. The environment variable ``HEATPG_TRANSFORMS`` (``auto``, ``scipy``, ``ducc0``)
chooses. Every call runs on one thread: the solvers hand over a block of lines at a time. SciPy rounds every line alike;
ducc0 rounds lines that share a vector differently from those left over, so it is given whole vectors of rows only, and
what it gives for a row does not depend on the rows beside it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from typing import Any, Literal

import numpy as np
import scipy.fft
import scipy.fftpack
from numpy.typing import NDArray

from heatpg.errors import MissingPackageError, OptionError
from heatpg.solvers.lines import workspace
from heatpg.tools.extras import how_to_add

__all__ = [
    "cosine",
    "fourier",
    "inverse_cosine",
    "inverse_fourier",
    "inverse_sine",
    "library",
    "set_library",
    "sine",
]

Array = NDArray[Any]
Kind = Literal[1, 2]

_INVERSE_TYPE = {1: 1, 2: 3}  # type 1 is its own inverse, type 2 has type 3
_VECTOR_BYTES = 64  # the widest vector that there is; a whole number of narrower ones
# lengths by which it is seen how many rows share a vector: a power of two, factors 3, 5 and 7, a large prime
_PROBE_SIZES = (64, 105, 107)
_LONGEST_SHARED = 2**14  # numbers of a row; longer ones are transformed one by one, as eight of them leave the cache
_chosen: str | None = None
_ducc: Any = None


def set_library(name: str) -> None:
    """Choose who transforms: ``auto``, ``scipy`` or ``ducc0``.

    Raises
    ------
    OptionError
        For another name.
    MissingPackageError
        For ducc0 where it is not installed.
    """
    global _chosen, _ducc
    allowed = "'auto', 'scipy', 'ducc0'"
    if name not in ("auto", "scipy", "ducc0"):
        raise OptionError("unknown transform library", given=repr(name), allowed=allowed)
    installed = importlib.util.find_spec("ducc0") is not None
    if name == "ducc0" and not installed:
        raise MissingPackageError(
            "ducc0 is not installed", given=repr(name), allowed=allowed, advice=how_to_add("fast")
        )
    # find_spec first: importing takes time, and may fail for reasons of its own
    wanted = "ducc0" if installed and name != "scipy" else "scipy"
    _ducc = importlib.import_module("ducc0.fft") if wanted == "ducc0" else None
    _chosen = wanted  # last, because other threads go by it


def library() -> str:
    """Who transforms: ``scipy`` or ``ducc0``.

    Examples
    --------
    >>> from heatpg.solvers.fft import library
    >>> library() in ("scipy", "ducc0")
    True
    """
    if _chosen is None:
        set_library(os.environ.get("HEATPG_TRANSFORMS", "auto"))
    return str(_chosen)


@functools.lru_cache(maxsize=8)
def _vector_rows(dtype: np.dtype[Any]) -> int:
    """The fewest rows that ducc0 rounds as those that fill the widest vector: as many as its own vectors hold."""
    # it does not tell for which processor it was compiled; a row that is left over is filled up with as many, so two
    # rows in place of eight are a quarter of the work for one line
    widest = _VECTOR_BYTES // dtype.itemsize
    probes = [
        np.cos(np.add.outer(np.arange(1.0, widest + 1.0), np.arange(size) ** 2)).astype(dtype) for size in _PROBE_SIZES
    ]
    transforms = [
        functools.partial(_ducc.r2r_fftpack, real2hermitian=True, forward=True),
        functools.partial(_ducc.r2r_fftpack, real2hermitian=False, forward=False, inorm=2),
        *(functools.partial(function, type=kind) for function in (_ducc.dct, _ducc.dst) for kind in (1, 2, 3)),
    ]

    def alike(rows: int) -> bool:
        return all(
            np.array_equal(transform(probe, axes=[1], nthreads=1)[:rows], transform(probe[:rows], axes=[1], nthreads=1))
            for transform in transforms
            for probe in probes
        )

    rows = 1
    while rows < widest and not alike(rows):
        rows *= 2
    return rows


def _with_ducc(name: str, field: Array, axis: int, **options: Any) -> Array:
    # one thread, because blocks of lines already run on the threads of the solvers
    function = functools.partial(getattr(_ducc, name), nthreads=1, **options)
    if field.ndim != 2 or axis != 1:
        return np.asarray(function(field, axes=[axis], out=field))
    if field.shape[1] > _LONGEST_SHARED:
        for row in field:
            function(row, axes=[0], out=row)
        return field
    lanes = _vector_rows(field.dtype)
    shared = len(field) // lanes * lanes
    if shared:
        function(field[:shared], axes=[1], out=field[:shared])
    if shared < len(field):
        # fresh memory would cost as much as the transform
        rest = workspace.take(3, (lanes, field.shape[1]), field.dtype)
        rest[: len(field) - shared] = field[shared:]
        rest[len(field) - shared :] = 0.0
        field[shared:] = function(rest, axes=[1], out=rest)[: len(field) - shared]
    return field


def fourier(field: Array, axis: int) -> Array:
    """Packed real Fourier coefficients along an axis; may overwrite its argument, as all of these may."""
    if library() == "ducc0":
        return _with_ducc("r2r_fftpack", field, axis, real2hermitian=True, forward=True)
    return np.asarray(scipy.fftpack.rfft(field, axis=axis, overwrite_x=True))


def inverse_fourier(coefficients: Array, axis: int) -> Array:
    """The inverse of `fourier`."""
    if library() == "ducc0":
        return _with_ducc("r2r_fftpack", coefficients, axis, real2hermitian=False, forward=False, inorm=2)
    return np.asarray(scipy.fftpack.irfft(coefficients, axis=axis, overwrite_x=True))


def cosine(field: Array, kind: Kind, axis: int) -> Array:
    """Discrete cosine transform of type 1 or 2 along an axis, not normalised."""
    if library() == "ducc0":
        return _with_ducc("dct", field, axis, type=kind)
    return np.asarray(scipy.fft.dct(field, type=kind, axis=axis, overwrite_x=True))


def inverse_cosine(coefficients: Array, kind: Kind, axis: int) -> Array:
    """The inverse of `cosine` of this type."""
    if library() == "ducc0":
        return _with_ducc("dct", coefficients, axis, type=_INVERSE_TYPE[kind], inorm=2)
    return np.asarray(scipy.fft.idct(coefficients, type=kind, axis=axis, overwrite_x=True))


def sine(field: Array, kind: Kind, axis: int) -> Array:
    """Discrete sine transform of type 1 or 2 along an axis, not normalised."""
    if library() == "ducc0":
        return _with_ducc("dst", field, axis, type=kind)
    return np.asarray(scipy.fft.dst(field, type=kind, axis=axis, overwrite_x=True))


def inverse_sine(coefficients: Array, kind: Kind, axis: int) -> Array:
    """The inverse of `sine` of this type."""
    if library() == "ducc0":
        return _with_ducc("dst", coefficients, axis, type=_INVERSE_TYPE[kind], inorm=2)
    return np.asarray(scipy.fft.idst(coefficients, type=kind, axis=axis, overwrite_x=True))
