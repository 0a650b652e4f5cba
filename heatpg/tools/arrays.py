"""Arrays as a caller gives them: of lists, tensors of other packages, variables of files; held to be real numbers.

One rule for every door. What is no number, although NumPy converts it without a word, is refused with what to write
instead: masks, complex values, dates, durations, text. Tensors are taken without their gradient and from their device.
"""

from __future__ import annotations

import decimal
import functools
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import HeatpgError, OptionError
from heatpg.tools.options import shown

__all__ = ["real_array", "real_numbers", "type_name", "unmasked"]

_PLAIN = (int, float, str, bytes, np.generic)  # of a list, which NumPy takes as they are; numbers of any kind
_ADVICE = {
    "c": "evolve the real and the imaginary part separately, or use the magnitude: abs(values)",
    "M": "convert to seconds: (times - times[0]) / np.timedelta64(1, 's')",
    "m": "convert to seconds: values / np.timedelta64(1, 's')",
    "b": "pass the number itself, such as 1.0",
}
_SEVERAL = ("directions", "parameters", "points", "positions", "values")  # words for many numbers
_TEXT = "SUT"  # kinds of NumPy: bytes, and text of fixed and of any length


@functools.cache
def type_name(kind: np.dtype[Any]) -> str:
    """The name of a type of numbers; NumPy puts it together again, in Python, each time it is asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.arrays import type_name
    >>> type_name(np.dtype(np.float32))
    'float32'
    """
    return kind.name


def real_array(
    what: str,
    given: Any,
    error: type[HeatpgError] = OptionError,
    *,
    allowed: object = None,
    extended: bool = False,
) -> NDArray[Any]:
    """An array of real numbers, of the type that the caller gave, in the byte order of this machine; bool is one.

    Parameters
    ----------
    what
        What the values are, as "Q" or "the covariance".
    given
        An array, a tensor of another package, a variable of a file, numbers in lists.
    error
        Of which kind the refusal is.
    allowed
        What would have been accepted.
    extended
        Whether extended precision is taken, and rounded to double.

    Returns
    -------
    array
        float16, float32, float64, integers or bool; the array that was given where nothing had to be converted.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.arrays import real_array
    >>> real_array("Q", [[1, 2], [3, 4]]).shape
    (2, 2)
    >>> real_array("Q", np.array(["2026-01-01"], dtype="M8[D]"))
    Traceback (most recent call last):
    heatpg.errors.OptionError: Q must be real numbers
      got: dtype datetime64[D]
      ...
    """
    array = _converted(what, given, error)
    kind = array.dtype.kind
    # types such as bfloat16, which a package adds to NumPy, are void to it
    if kind == "V" and array.dtype.names is None and array.dtype.type is not np.void:
        array = _narrow(what, array, error)
    elif kind == "O":
        array = _of_objects(what, array, given, error, allowed)
    elif kind == "f" and array.dtype.itemsize > 8 and extended:
        array = array.astype(np.float64)
    elif kind == "f" and array.dtype.itemsize > 8:
        raise error(
            f"{what}: extended precision is not supported", given=array.dtype, advice="convert with .astype(float)"
        )
    elif kind not in "biuf":
        raise error(
            f"{what} must be real numbers",
            given=f"dtype {array.dtype}"
            if array.ndim
            else shown(given)
            if kind in _TEXT
            else f"{array[()]} ({array.dtype})",
            allowed=allowed,
            advice="take the real part: np.real(values)" if extended and kind == "c" else _advice(array, given),
        )
    # files may hold the other byte order, which kernels do not read
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def real_numbers(
    what: str, given: Any, error: type[HeatpgError] = OptionError, *, allowed: object = None
) -> NDArray[np.float64]:
    """An array of real numbers in double precision, of which True is none: for all that is not a value of Q.

    It may be the array that was given. Parameters are those of `real_array`; extended precision is rounded.

    Examples
    --------
    >>> from heatpg.tools.arrays import real_numbers
    >>> real_numbers("sigma", [1, 2])
    array([1., 2.])
    >>> real_numbers("sigma", True)
    Traceback (most recent call last):
    heatpg.errors.OptionError: sigma must be real numbers
      got: True
      try: pass the number itself, such as 1.0
    """
    array = real_array(what, given, error, allowed=allowed, extended=True)
    truth = _truth(given)
    if array.dtype.kind == "b" or truth is not None:
        raise error(
            f"{what} must be real numbers",
            given="dtype bool" if truth is None else truth,
            allowed=allowed,
            advice=_ADVICE["b"],
        )
    return np.asarray(array, dtype=np.float64)


def _truth(given: Any) -> bool | None:
    """The first True or False in a number or nested lists, where NumPy would make a number of it."""
    if isinstance(given, bool | np.bool_):
        return bool(given)
    if isinstance(given, list | tuple):
        for item in given:
            if not isinstance(item, float | int) or isinstance(item, bool):
                found = _truth(item)
                if found is not None:
                    return found
    return None


def _converted(what: str, given: Any, error: type[HeatpgError]) -> NDArray[Any]:
    """What NumPy makes of it, without a gradient, and refused where it makes nothing or loses a unit."""
    given = _of_package(what, given, error)
    try:
        array = np.asarray(unmasked(what, given, error))
    except HeatpgError:
        raise
    except OverflowError:
        raise error(f"{what} is out of range", given=shown(given), allowed="numbers of double precision") from None
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        if isinstance(given, list | tuple):
            raise error(
                f"{what} must be real numbers in a rectangular array",
                given="lists of different lengths, or entries that are not numbers",
                advice="pad or cut the rows to one length",
            ) from None
        raise _unconverted(what, given, error) from None
    if array.dtype.kind == "O" and array.ndim == 0 and not isinstance(given, numbers.Real | decimal.Decimal):
        raise _unconverted(what, given, error)
    return array


def _of_package(what: str, given: Any, error: type[HeatpgError]) -> Any:
    """Tensors of other packages, alone or in lists, as what NumPy converts."""
    if isinstance(given, np.ndarray | int | float | np.generic):
        return given
    if isinstance(given, list | tuple):
        if all(isinstance(item, _PLAIN) for item in given):
            # among numbers NumPy takes a duration for the number of its units
            for item in given:
                if isinstance(item, np.timedelta64 | np.datetime64):
                    real_array(what, item, error)
            return given
        return [_of_package(what, item, error) for item in given]
    # a unit that is dropped without a word: pint and astropy, in their words
    for unit, number in (("units", "magnitude"), ("unit", "to_value")):
        if hasattr(given, unit) and hasattr(given, number):
            way = "values.to(unit).magnitude" if number == "magnitude" else "values.to_value(unit)"
            raise error(
                f"{what} has a unit, but plain numbers are needed",
                given=f"{type(given).__name__} in {getattr(given, unit)}",
                advice=f"convert to the unit of the axis: {way}",
            )
    # torch: a gradient, another device and a lazy sign each make __array__ refuse
    if hasattr(given, "detach") and hasattr(given, "numpy"):
        try:
            for step in ("detach", "cpu", "resolve_neg"):
                given = getattr(given, step)() if hasattr(given, step) else given
        except (TypeError, RuntimeError, NotImplementedError):
            raise _unconverted(what, given, error) from None
    if isinstance(given, str | bytes) or not hasattr(given, "__array__"):
        # the common language of libraries of arrays, for those whose objects NumPy takes apart one by one
        return _by_exchange(given) if hasattr(given, "__dlpack__") else given
    try:
        return np.asanyarray(given)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        # bfloat16 of torch has no counterpart; all of its numbers are in single precision
        for way in ("float", "get"):
            if callable(getattr(given, way, None)):
                try:
                    return np.asanyarray(getattr(given, way)())
                except (TypeError, ValueError, RuntimeError, NotImplementedError):
                    continue
        if hasattr(given, "__dlpack__"):
            return _by_exchange(given)
        raise _unconverted(what, given, error) from None


def _by_exchange(given: Any) -> Any:
    try:
        return np.from_dlpack(given)
    except (TypeError, ValueError, RuntimeError, BufferError, NotImplementedError, AttributeError):
        return given


def _unconverted(what: str, given: Any, error: type[HeatpgError]) -> HeatpgError:
    """The refusal of what is no array to NumPy."""
    if hasattr(given, "total_seconds"):
        way = "convert with t.total_seconds()"
    elif hasattr(given, "toarray") or hasattr(given, "to_dense"):
        way = "values.toarray()" if hasattr(given, "toarray") else "values.to_dense()"
    elif hasattr(given, "__array__"):
        way = "convert it to a NumPy array first, outside transformations such as jit"
    elif hasattr(given, "__iter__") and not isinstance(given, dict | set | frozenset):
        way = "write list(values)"
    else:
        way = ""
    return error(
        f"{what} must be real numbers",
        given=f"something of type {type(given).__name__}",
        allowed="an array, or numbers in lists",
        advice=way,
    )


def _narrow(what: str, array: NDArray[Any], error: type[HeatpgError]) -> NDArray[Any]:
    """Numbers of a type that a package has added to NumPy, in single precision, which holds them."""
    try:
        return array.astype(np.float32)
    except (TypeError, ValueError):
        raise error(f"{what} must be real numbers", given=f"dtype {array.dtype}") from None


def _of_objects(
    what: str, array: NDArray[Any], given: Any, error: type[HeatpgError], allowed: object
) -> NDArray[np.float64]:
    """Numbers that came as objects, such as fractions, in double precision; anything else is refused with its place."""
    for index, entry in zip(np.ndindex(array.shape), array.flat, strict=True):
        if isinstance(entry, bool) or not isinstance(entry, numbers.Real | decimal.Decimal):
            kind = "nothing (None)" if entry is None else f"something of type {type(entry).__name__}"
            raise error(
                f"{what} must be real numbers",
                given=f"dtype object, at index {index} {kind}",
                allowed=allowed,
                advice=_entry_advice(entry),
            )
    try:
        return array.astype(np.float64)
    except (OverflowError, TypeError, ValueError):
        raise error(f"{what} is out of range", given=shown(given), allowed="numbers of double precision") from None


def _entry_advice(entry: Any) -> str:
    if entry is None:
        return "replace None by numbers, or leave these entries out"
    if isinstance(entry, str | bytes):
        return "convert text with float() first"
    if hasattr(entry, "year"):
        return "convert to seconds: [(t - times[0]).total_seconds() for t in times]"
    if hasattr(entry, "total_seconds"):
        return "convert with t.total_seconds()"
    return "convert with .astype(float), or entry by entry"


def _advice(array: NDArray[Any], given: Any) -> str:
    if array.dtype.kind in _TEXT:
        try:
            array.astype(np.float64)
        except ValueError:
            return "replace text by numbers"
        if isinstance(given, str | bytes):
            return f"write the number, or float({given!r})"
        if isinstance(given, list | tuple):
            return "write the numbers, or convert each text with float()"
        return "convert with .astype(float)"
    if array.dtype.names:
        return f"select one of its fields, such as values[{array.dtype.names[0]!r}]"
    return _ADVICE.get(array.dtype.kind, "")


def unmasked(what: str, given: Any, error: type[HeatpgError] = OptionError) -> Any:
    """The values themselves, if none of them is masked: NumPy drops a mask without a word where it makes an array.

    What lies under a mask is whatever was there before, of a file often 9.97e36.

    Parameters
    ----------
    what
        What the values are, as "Q" or "sigma".
    given
        An array, something that becomes one, or a list of such; only a mask is looked for.
    error
        Of which kind the refusal is.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.arrays import unmasked
    >>> unmasked("Q", np.ma.masked_equal([3.0, -1.0], -1.0))
    Traceback (most recent call last):
    heatpg.errors.OptionError: Q is masked at index (1,)...
    """
    if isinstance(given, list | tuple):
        # a list of masked arrays becomes an array without a mask
        for number, item in enumerate(given):
            if not isinstance(item, int | float):
                unmasked(f"{what}[{number}]", item, error)
        return given
    # a variable of a file turns into a masked array only when it is read; a mask of zeros hides nothing
    if hasattr(given, "__array__") and not isinstance(given, np.ndarray):
        given = np.asanyarray(given)
    if np.ma.is_masked(given):
        mask = np.ma.getmaskarray(given)
        first = tuple(int(i) for i in np.argwhere(mask)[0])
        verb = "are" if what.rpartition(" ")[2] in _SEVERAL else "is"
        raise error(
            f"{what} {verb} masked at index {first}; masked values are not allowed",
            given=f"{int(mask.sum())} of {mask.size} values masked",
            allowed="values without a mask",
            advice="replace them first, for example values.filled(0.0), or sample these points",
        )
    return given
