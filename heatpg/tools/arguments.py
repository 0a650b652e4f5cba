"""Validation of arguments: names, numbers, sequences of numbers.

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
    "real_number",
    "repeated_numbers",
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


def real_number(
    what: str, given: Any, error: type[HeatpgError] = OptionError, *, allowed: object = "a number"
) -> float:
    """The parameter as a float, which may be NaN or infinite; True, text, durations and complex values are none.

    Examples
    --------
    >>> from heatpg.tools.arguments import real_number
    >>> real_number("sigma", 3)
    3.0
    >>> real_number("sigma", True)
    Traceback (most recent call last):
    heatpg.errors.OptionError: sigma must be a number; got: True
    """
    if type(given) is float:
        return given
    try:
        if type(given) is int:
            return float(given)
        from heatpg.tools.arrays import real_numbers  # brings NumPy

        array = real_numbers(what, given, error)
        # float() takes lists and text of NumPy's as well, by one way or another
        if array.size != 1 or isinstance(given, list | tuple):
            raise error(f"{what} must be a number", given=f"{array.size} numbers")
    except OverflowError:
        raise error(f"{what} is out of range", given=shown(given), allowed=allowed) from None
    except HeatpgError as reason:
        # what makes one number of it is advised there, whatever makes an array of it
        masked = " masked at index " in reason.problem
        problem = reason.problem if masked else f"{what} must be a number"
        told = reason.given if masked else _told(given)
        raise error(problem, given=told, allowed=allowed, advice=_number_advice(given, reason)) from None
    return float(array.item())


def _told(given: Any) -> str:
    try:
        text = repr(given)
    except Exception:
        text = ""
    return text if 0 < len(text) <= 60 and "\n" not in text else shown(given)


def _number_advice(given: Any, reason: HeatpgError) -> str:
    if isinstance(given, bool | str | bytes) or given is None:
        return ""
    if " masked at index " in reason.problem:
        return reason.advice
    if hasattr(given, "total_seconds"):
        return "use its .total_seconds()"
    return reason.advice.replace("values", "value")


def finite_number(what: str, given: float, *, lower: float = -math.inf, upper: float = math.inf) -> float:
    """The parameter as a float, if it is finite and lower <= given <= upper."""
    if math.isfinite(lower + upper):
        # words for the message, before the value is checked
        wanted = f"a number from {lower:g} to {upper:g}"
    else:
        wanted = f"a number >= {lower:g}" if math.isfinite(lower) else "a finite number"
    number = real_number(what, given, allowed=wanted)
    if not math.isfinite(number) or not lower <= number <= upper:
        raise OptionError(f"{what} is out of range", given=number, allowed=wanted)
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
    if isinstance(given, str | bytes):
        raise OptionError(f"{what} must be a sequence of numbers", given=repr(given), allowed=wanted)
    try:
        entries = list(given)
    except TypeError:
        raise OptionError(f"{what} must be a sequence of numbers", given=repr(given), allowed=wanted) from None
    numbers = tuple(real_number(f"each of {what}", value, allowed=wanted) for value in entries)
    if len(numbers) != len(names) or not all(map(math.isfinite, numbers)):
        raise OptionError(
            f"{what} must be {len(names)} finite numbers", given=f"{len(numbers)} numbers: {numbers}", allowed=wanted
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

    from heatpg.tools.arrays import real_numbers

    array = real_numbers(what, given).ravel()
    if array.size not in (1, count):
        raise OptionError(
            f"{what} has the wrong number of entries",
            given=f"{array.size} numbers",
            allowed="1 number" if count == 1 else f"1 number, or {count}",
            advice="" if count == 1 else "pass matrices and lists of points row by row",
        )
    if not np.isfinite(array).all() or (positive and not (array > 0).all()):
        raise OptionError(
            f"{what} is out of range", given=given, allowed="finite numbers" + (" above 0" if positive else "")
        )
    repeated: list[float] = np.broadcast_to(array, (count,)).tolist()
    return repeated
