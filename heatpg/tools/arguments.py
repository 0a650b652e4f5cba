"""What a caller gives, held against what is allowed: names, numbers, sequences of numbers.

Each question names the parameter, so that the message can say which one to change, and returns the value in the type
that the rest of heatpg works with.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from heatpg.errors import HeatpgError, OptionError, UnknownNameError
from heatpg.tools.options import nearest, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "finite_number",
    "finite_numbers",
    "one_of",
    "positive_number",
    "repeated_numbers",
    "unmasked",
    "whole_number",
]


def one_of(what: str, given: str, allowed: Iterable[str]) -> str:
    """The name itself, if it is one of the allowed; otherwise an error with the nearest of them."""
    names = list(allowed)
    if given not in names:
        raise UnknownNameError(
            f"unknown {what}", given=shown(given), allowed=", ".join(names) or "none", advice=nearest(str(given), names)
        )
    return given


def finite_number(what: str, given: float, *, lower: float = -math.inf, upper: float = math.inf) -> float:
    """The parameter as a float, if it is finite and lower <= given <= upper."""
    if math.isfinite(lower + upper):
        # words for the message, before the value is looked at
        wanted = f"a number from {lower:g} to {upper:g}"
    else:
        wanted = f"a number >= {lower:g}" if math.isfinite(lower) else "a finite number"
    try:
        number = float(given)
    except (TypeError, ValueError):
        raise OptionError(f"{what} must be a number", given=repr(given), allowed=wanted) from None
    if not math.isfinite(number) or not lower <= number <= upper:
        raise OptionError(f"{what} is out of range", given=number, allowed=wanted, advice=f"change {what}")
    return number


def positive_number(what: str, given: float) -> float:
    """The parameter as a float, if it is finite and positive."""
    number = finite_number(what, given)
    if number <= 0:
        raise OptionError(f"{what} must be positive", given=number, allowed=f"{what} > 0")
    return number


def whole_number(what: str, given: Any, *, least: int = 1, most: int | None = None) -> int:
    """The parameter as an int, if it is a whole number from `least` to `most`; 4.0 is one, True is none.

    Examples
    --------
    >>> from heatpg.tools.arguments import whole_number
    >>> whole_number("samples", 1e3)
    1000
    """
    allowed = f"a whole number >= {least}" if most is None else f"a whole number from {least} to {most}"
    try:
        # 1e3 is how people write a thousand
        number = int(given) if isinstance(given, float) and given.is_integer() else operator.index(given)
    except TypeError:
        raise OptionError(f"{what} must be a whole number", given=repr(given), allowed=allowed) from None
    # True is 1 for Python, and a mistake here
    if isinstance(given, bool) or number < least or (most is not None and number > most):
        raise OptionError(f"{what} is out of range", given=repr(given), allowed=allowed)
    return number


def finite_numbers(what: str, given: Sequence[float], names: Sequence[str]) -> tuple[float, ...]:
    """The parameters as floats, if there is one for each name and all are finite."""
    wanted = f"{len(names)} finite numbers: {', '.join(names)}"
    try:
        numbers = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        raise OptionError(f"{what} must be a sequence of numbers", given=repr(given), allowed=wanted) from None
    if len(numbers) != len(names) or not all(map(math.isfinite, numbers)):
        raise OptionError(
            f"{what} does not fit", given=f"{len(numbers)} numbers: {numbers}", allowed=wanted, advice=f"change {what}"
        )
    return numbers


def repeated_numbers(what: str, given: ArrayLike, count: int, *, positive: bool = False) -> list[float]:
    """The parameters as floats, if there are so many, or one that is repeated so many times.

    Examples
    --------
    >>> from heatpg.tools.arguments import repeated_numbers
    >>> repeated_numbers("widths", 0.5, 3, positive=True)
    [0.5, 0.5, 0.5]
    """
    import numpy as np  # the other questions are asked before NumPy is needed

    unmasked(what, given)
    try:
        array = np.asarray(given, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise OptionError(f"{what} must be numbers", given=repr(given)) from None
    if array.size not in (1, count):
        raise OptionError(
            f"{what} does not fit",
            given=f"{array.size} numbers",
            allowed="1 number" if count == 1 else f"1 number, or {count}",
            advice="" if count == 1 else "matrices and lists of points are given row after row",
        )
    if not np.isfinite(array).all() or (positive and not (array > 0).all()):
        raise OptionError(
            f"{what} is out of range", given=given, allowed="finite numbers" + (" above 0" if positive else "")
        )
    repeated: list[float] = np.broadcast_to(array, (count,)).tolist()
    return repeated


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
    >>> from heatpg.tools.arguments import unmasked
    >>> unmasked("Q", np.ma.masked_equal([3.0, -1.0], -1.0))
    Traceback (most recent call last):
    heatpg.errors.OptionError: Q is masked at index (1,), ...
    """
    import numpy as np  # the other questions are asked before NumPy is needed

    if isinstance(given, list | tuple):
        # a list of masked arrays becomes an array without a mask
        for number, item in enumerate(given):
            unmasked(f"{what}[{number}]", item, error)
        return given
    # a variable of a file turns into a masked array only when it is read; a mask of zeros hides nothing
    if hasattr(given, "__array__") and not isinstance(given, np.ndarray):
        given = np.asanyarray(given)
    if np.ma.is_masked(given):
        mask = np.ma.getmaskarray(given)
        first = tuple(int(i) for i in np.argwhere(mask)[0])
        raise error(
            f"{what} is masked at index {first}, and a masked value is no number",
            given=f"{int(mask.sum())} of {mask.size} values masked",
            allowed="values without a mask",
            advice="replace them first: values.filled(number) with a number that you choose, or sample these points",
        )
    return given
