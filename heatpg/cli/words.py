"""Parse values of the command line: options, noise levels, bytes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from heatpg.cli.talk import note
from heatpg.errors import HeatpgError, OptionError, SigmaError
from heatpg.tools.arguments import one_of
from heatpg.tools.options import from_text

__all__ = ["by_axis", "parse_bytes", "parse_matrix", "parse_options", "parse_sigma", "sigma_numbers"]

# powers of 1000 and of 1024 as their names have it; read without regard to case
_UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "kiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def parse_bytes(text: str) -> float:
    """A number of bytes, as ``4GiB``, ``500 MB`` or ``2e9``.

    Examples
    --------
    >>> from heatpg.cli.words import parse_bytes
    >>> parse_bytes("1.5 GiB") == 1.5 * 2**30
    True
    """
    match = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    units = {name.lower(): size for name, size in _UNITS.items()}
    try:
        if match is None:
            raise ValueError
        count = float(match[1]) * units[match[2].lower()]
    except (ValueError, KeyError):
        count = 0.0
    if not 0 < count < math.inf:  # also 1e999, which is infinite
        raise OptionError(
            "the size must be a number of bytes",
            given=repr(text),
            allowed=f"a number and one of {', '.join(filter(None, _UNITS))}",
        )
    return count


def parse_options(pairs: Sequence[str], known: Mapping[str, str], what: str) -> dict[str, Any]:
    """Pairs ``key=value`` as keywords, by the annotations of the keywords that are known."""
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            example = f"{next(iter(known), 'key')}=..."
            raise OptionError(
                f"an option of the {what} must have the form key=value", given=repr(pair), allowed=example
            )
        # an unknown key first: its value could not be read without an annotation
        key = one_of(f"option of the {what}", key.strip(), list(known))
        if key in values:
            raise OptionError(
                f"the option {key!r} of the {what} is given twice", given=repr(pair), advice="remove one of them"
            )
        values[key] = from_text(key, text.strip(), known[key])
    return values


def by_axis(option: str, text: str) -> str | dict[str, str]:
    """One word for all axes, or one for each that is named: ``cell``, or ``x=cell,y=vertex``.

    Examples
    --------
    >>> from heatpg.cli.words import by_axis
    >>> by_axis("--nodes", "cell"), by_axis("--nodes", "x=cell, y=vertex")
    ('cell', {'x': 'cell', 'y': 'vertex'})
    """
    if "=" not in text:
        if "," in text:
            words = ", ".join(f"AXIS={word.strip()}" for word in text.split(","))
            raise OptionError(
                f"{option} takes one word for all axes, or one per axis with its name",
                given=repr(text),
                advice=f"name the axes: {option} {words.replace(', ', ',')}",
            )
        return text.strip()
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, word = (piece.strip() for piece in part.partition("="))
        if not (name and equals and word) or name in found:
            raise OptionError(
                f"invalid {option}", given=repr(text), allowed="NAME, or AXIS=NAME,AXIS=NAME with each axis once"
            )
        found[name] = word
    return found


def parse_faces(given: Sequence[str]) -> dict[str, tuple[float | None, float | None]]:
    """Values on the walls of axes, each as ``AXIS=LOWER,UPPER``; None where a number is left out.

    Examples
    --------
    >>> from heatpg.cli.words import parse_faces
    >>> parse_faces(["x=0,1", "y=,2.5"])
    {'x': (0.0, 1.0), 'y': (None, 2.5)}
    """
    found: dict[str, tuple[float | None, float | None]] = {}
    for text in given:
        name, equals, pair = (piece.strip() for piece in text.partition("="))
        sides = [side.strip() for side in pair.split(",")]
        try:
            if not (name and equals and len(sides) == 2 and any(sides)) or name in found:
                raise ValueError
            lower, upper = (float(side) if side else None for side in sides)
        except ValueError:
            raise OptionError(
                "invalid --faces",
                given=repr(text),
                allowed="AXIS=LOWER,UPPER with each axis once, for example x=0,1; x=0, states the lower wall alone",
            ) from None
        found[name] = lower, upper
    return found


def parse_matrix(text: str) -> list[list[float]]:
    """A covariance from its rows in brackets, as in JSON.

    Examples
    --------
    >>> from heatpg.cli.words import parse_matrix
    >>> parse_matrix("[[0.4, 0.25], [0.25, .3]]")
    [[0.4, 0.25], [0.25, 0.3]]
    """
    try:
        # .3 is a number for people, and not for JSON
        rows = json.loads(re.sub(r"(?<![0-9])\.(?=[0-9])", "0.", text))
        return [[float(number) for number in row] for row in rows]
    except (ValueError, TypeError):
        raise OptionError(
            "--covariance must be a square matrix",
            given=repr(text),
            allowed="rows in brackets: [[0.4,0.2],[0.2,0.3]]",
        ) from None


def sigma_numbers(text: str) -> list[float]:
    """Noise levels from ``0.02,0.05`` or, evenly spaced in the logarithm, ``0.01:1:16``.

    Examples
    --------
    >>> from heatpg.cli.words import sigma_numbers
    >>> sigma_numbers("0.01:1:3")
    [0.01, 0.1, 1.0]
    """
    from heatpg.core.noise import geometric_levels  # it loads NumPy, which the help of a command does without

    allowed = "comma-separated numbers (0.02,0.05), or first:last:count, evenly spaced in the logarithm (0.01:1:16)"
    try:
        # a list is taken in any order and with any gaps; a range is spaced as scale space is, in the logarithm
        if ":" not in text:
            return [_level(text, float(part)) for part in text.split(",")]
        words = text.split(":")
        if len(words) != 3:
            raise ValueError
        return geometric_levels(float(words[0]), float(words[1]), int(words[2]))
    except HeatpgError as reason:
        if not reason.problem.startswith("--sigma"):
            reason.problem = f"--sigma {text}: {reason.problem}"
        raise
    except (ValueError, IndexError):
        raise OptionError("invalid sigma", given=repr(text), allowed=allowed) from None


def _level(text: str, number: float) -> float:
    """A noise level, refused here: what reads sigma later speaks of arrays."""
    if not (math.isfinite(number) and number >= 0):
        raise SigmaError(
            "--sigma must be finite and not negative",
            given=text,
            advice=f"sigma is a standard deviation: --sigma {text.replace('-', '')}" if number < 0 else "",
        )
    return number


def _note_comma(words: Sequence[str]) -> None:
    """Ask back where ``0,3`` can be a number with a decimal comma, and is read as 0 and 3."""
    # only after a leading 0, and between whole numbers: 1,3 and 0,0.3 are what people mean by a list
    lists = [word.rpartition("=")[2].split(",") for word in words]
    if any(len(parts) > 1 and parts[0].strip() == "0" and all(p.strip().isdigit() for p in parts) for parts in lists):
        note("note: sigma = 0 gives Q itself; use a point as the decimal separator")


def parse_sigma(words: Sequence[str], *, quiet: bool = False) -> list[float] | dict[str, list[float]]:
    """One list of levels, or one for each axis.

    Parameters
    ----------
    words
        What ``--sigma`` was given, each time.
    quiet
        Whether nothing is said of what looks like a decimal comma.

    Examples
    --------
    >>> from heatpg.cli.words import parse_sigma
    >>> parse_sigma(["x=0.1,0.2", "y=0.3"])
    {'x': [0.1, 0.2], 'y': [0.3]}
    """
    if not quiet:
        _note_comma(words)
    # one list for all axes, or one for each of them by name, and nothing between
    if len(words) == 1 and "=" not in words[0]:
        return sigma_numbers(words[0])
    if not all("=" in word for word in words):
        raise OptionError(
            "sigma is given more than once", given=" ".join(words), allowed="once, or once per axis as axis=values"
        )
    levels: dict[str, list[float]] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name in levels:
            raise OptionError(
                f"the sigma of axis {name!r} is given twice",
                given=" ".join(words),
                advice=f"pass all levels of an axis at once: {name}=0.1,0.2",
            )
        levels[name] = sigma_numbers(text)
    return levels
