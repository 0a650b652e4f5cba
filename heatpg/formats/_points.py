"""Points of a file that have no value: they are named, and refused or filled."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import HeatpgError, NonFiniteError, OptionError
from heatpg.formats import Positions
from heatpg.tools.arguments import finite_number

__all__ = ["completed", "in_every_word", "in_words", "reading", "require_real"]

Array = NDArray[Any]


@contextlib.contextmanager
def reading(path: Path, allowed: str, advice: str) -> Iterator[None]:
    """Whatever a library makes of a damaged file becomes a refusal in words.

    Raises
    ------
    OptionError
        In place of any exception that is not one of heatpg's.
    """
    try:
        yield
    except HeatpgError:
        raise
    except Exception as reason:
        given = str(reason)[:200] or type(reason).__name__
        raise OptionError(f"cannot read {path}", given=given, allowed=allowed, advice=advice) from None


def in_words(names: Sequence[str], most: int = 12) -> str:
    """Names in a message: not more than fit a line or two."""
    shown = ", ".join(name[:60] for name in names[:most]) or "none"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def in_every_word(**options: str | Sequence[str] | None) -> str:
    """How options are given in Python, on the command line, and in the specification of a batch.

    Parameters
    ----------
    options
        A name, or several in their order; None for a number that the reader chooses.

    Examples
    --------
    >>> from heatpg.formats._points import in_every_word
    >>> in_every_word(fill=None)
    'fill=NUMBER in Python, --fill NUMBER on the command line, fill = NUMBER in a specification'
    >>> print(in_every_word(axes=["x", "y"]))
    axes=('x', 'y') in Python, --axes x,y on the command line, axes = ["x", "y"] in a specification
    """
    python, words, toml = [], [], []
    for name, value in options.items():
        if value is None:
            of_python = of_shell = of_toml = "NUMBER"
        else:
            value = value if isinstance(value, str) else tuple(value)
            of_python = repr(value)
            of_shell = shlex.quote(value if isinstance(value, str) else ",".join(value))
            # a text of JSON is one of TOML
            of_toml = json.dumps(value, ensure_ascii=False)
        python.append(f"{name}={of_python}")
        words.append(f"--{name.replace('_', '-')} {of_shell}")
        toml.append(f"{name} = {of_toml}")
    return f"{', '.join(python)} in Python, {' '.join(words)} on the command line, {', '.join(toml)} in a specification"


def require_real(path: Path, name: str, values: Array) -> Array:
    """The values as floating-point numbers, if they are real numbers."""
    if values.dtype.kind not in "iufb":
        raise OptionError(
            f"{name} of {path} must be real numbers",
            given=f"type {values.dtype}",
            allowed="float, integer, bool",
            advice="for complex values write the real and the imaginary part as two variables and select one"
            if values.dtype.kind == "c"
            else "select another variable",
        )
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return native if native.dtype in (np.float32, np.float64) else native.astype(np.float64)


def completed(
    path: Path,
    name: str,
    values: Array,
    missing: Array,
    axes: Sequence[Positions],
    fill: float | None,
    *,
    why: str,
    advice: str,
) -> Array:
    """The values with the missing points filled.

    Parameters
    ----------
    path, name
        Of the file and the variable.
    values, missing
        Of one shape.
    axes
        One per axis of the values, where they are known.
    fill
        The value of missing points; None: they are refused.
    why
        What makes a point a missing one.
    advice
        What to do about them, before the way of filling them is named.

    Raises
    ------
    NonFiniteError
        Without a fill value, with the number of the missing points and the first of them.
    """
    count = int(missing.sum())
    if not count:
        return values
    if fill is None:
        first = tuple(int(i) for i in np.argwhere(missing)[0])
        where = ", ".join(
            f"{axis.name} = {float(axis.places[i]):.6g}"
            for axis, i in zip(axes, first, strict=False)
            if axis.places is not None
        )
        raise NonFiniteError(
            f"{name} of {path} is incomplete: {count} of {values.size} points have no value",
            given=f"{why}; the first at index {first}" + (f", {where}" if where else ""),
            advice=f"{advice}, or choose a value for these points: {in_every_word(fill=None)}",
        )
    return np.where(missing, np.asarray(finite_number("fill", fill), dtype=values.dtype), values)
