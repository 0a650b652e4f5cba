"""Numbers in words, with as many digits as tell them from their neighbours."""

from __future__ import annotations

import math

__all__ = ["apart_words", "number_words"]

_MOST = 17  # digits tell any two doubles apart


def number_words(value: float, low: float, high: float, digits: int = 4) -> str:
    """A number from a range: so many significant digits, and those that all numbers of the range have in common.

    Parameters
    ----------
    value
        The number.
    low, high
        The range. Only where it is farther from 0 than it is wide its numbers have digits in common.
    digits
        Significant digits of what is left.

    Examples
    --------
    >>> from heatpg.tools.numbers import number_words
    >>> number_words(1.7e9 + 1234.5, 1.7e9, 1.7e9 + 3600), number_words(1 / 3, 0.0, 1.0), number_words(-0.0, 0.0, 1.0)
    ('1700001234', '0.3333', '0')
    """
    # Halved, because the difference may overflow.
    width, far = 0.5 * high - 0.5 * low, 0.5 * max(low, -high)
    common = math.ceil(math.log10(far) - math.log10(width)) if far > width > 0 else 0
    return f"{value + 0.0:.{min(digits + common, _MOST)}g}"  # no -0


def apart_words(first: float, second: float, digits: int = 6) -> tuple[str, str]:
    """Two numbers in words, with as many digits as tell one from the other.

    Parameters
    ----------
    first, second
        The numbers.
    digits
        Significant digits that are enough where they differ.

    Examples
    --------
    >>> from heatpg.tools.numbers import apart_words
    >>> apart_words(1 / 15, 1 / 15 + 1e-9), apart_words(0.1, 0.25)
    (('0.066666667', '0.066666668'), ('0.1', '0.25'))
    """
    for count in range(digits, _MOST):
        words = f"{first:.{count}g}", f"{second:.{count}g}"
        if words[0] != words[1]:
            return words
    return f"{first:.{_MOST}g}", f"{second:.{_MOST}g}"
