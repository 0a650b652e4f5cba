"""Numbers in words, with as many digits as tell them from their neighbours."""

from __future__ import annotations

import math

__all__ = ["apart_words", "located_words", "number_words", "settled", "share_words", "snapped"]

_MOST = 17  # digits tell any two doubles apart
_ROUNDING = 1e-12  # of the scale of a difference: thousands of its roundings, and far below what is told. A taste
_FINEST = 1e-3  # of a grid spacing: digits of a location below it are those of rounding or of an interpolant. A taste
_ROOT = 1e-6  # of a noise level: a root-finding error below it says nothing of the accuracy, which the grid limits


def settled(value: float, scale: float) -> float:
    """A difference, or 0 where it is rounding error on the scale of the values.

    Examples
    --------
    >>> from heatpg.tools.numbers import settled
    >>> settled(-2.4e-14, 1.0), settled(1e-9, 1.0)
    (0.0, 1e-09)
    """
    return 0.0 if abs(value) <= _ROUNDING * abs(scale) else value


def snapped(location: float, spacing: float) -> float:
    """A location on a grid without the digits that its spacing does not allow: 5e-17 is 0.

    Examples
    --------
    >>> from heatpg.tools.numbers import snapped
    >>> snapped(5.072e-17, 0.1), snapped(-5.914e-13, 0.1), snapped(0.33333333, 0.1)
    (0.0, 0.0, 0.3333)
    """
    unit = _FINEST * spacing
    if not 0.0 < unit < math.inf or not abs(location) < math.inf:
        return location
    # a round unit, so that the number has few digits as well
    digits = -math.floor(math.log10(unit))
    return round(location, digits) + 0.0 if abs(digits) < 300 else location


def share_words(share: float) -> str:
    """A share in per cent; 100 % is said of the whole alone, and 0 % of nothing.

    Examples
    --------
    >>> from heatpg.tools.numbers import share_words
    >>> share_words(1.0 - 1e-15), share_words(0.99996), share_words(0.992), share_words(2e-4)
    ('100%', 'more than 99.9%', '99.2%', 'less than 0.1%')
    """
    # a sum of the weights of all nodes is 1 up to rounding errors
    if share >= 1.0 - _ROUNDING:
        return "100%"
    if share > 0.9995:
        return "more than 99.9%"
    return "less than 0.1%" if 0.0 < share < 0.0005 else f"{share:.1%}"


def located_words(sigma: float, uncertainty: float) -> str:
    """What is known of a noise level that was solved for: its uncertainty, or that the grid decides and not the root.

    Examples
    --------
    >>> from heatpg.tools.numbers import located_words
    >>> located_words(0.17, 3e-14), located_words(0.17, 0.02)
    ('accuracy limited by the grid', '+- 0.02')
    """
    if uncertainty <= _ROOT * abs(sigma):
        return "accuracy limited by the grid"
    return f"+- {uncertainty:.1g}"


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
