"""Lines of text that fit a width; for reports and for the terminal, which must work where NumPy does not."""

from __future__ import annotations

import re
import textwrap

from heatpg.letters import visible

__all__ = ["hanging", "one_line", "typeset", "visible"]

_GLUE = "\N{NO-BREAK SPACE}"
_TOGETHER = re.compile(r"\S+ (?:<=|>) (?=\S)|-> (?=\S)")  # a figure and its bound; an arrow and what it points to
# of a number that stands by itself: not the sign of an exponent, and not the hyphen of a range or of a name
_MINUS = re.compile(r"(?<![\w.)-])-(?=\.?\d)")
_NARROWEST = 24  # letters of a message in one line; with less room it goes on nearer to the margin. A taste


def one_line(text: str) -> str:
    """`visible` for a name, in which line ends are written out too: what follows would pass for a line of ours.

    Examples
    --------
    >>> from heatpg.tools.lines import one_line
    >>> print(one_line("ridge" + chr(10) + "all is well"))
    ridge\\nall is well
    """
    return "".join(letter.encode("unicode_escape").decode() if letter in "\n\t" else letter for letter in visible(text))


def hanging(line: str, indent: int, width: int) -> list[str]:
    """A line in lines of a width, all but the first indented; words are never broken.

    Examples
    --------
    >>> from heatpg.tools.lines import hanging
    >>> hanging("solver     the transform, exact in time", 11, 30)
    ['solver     the transform,', '           exact in time']
    """
    if len(line) <= width:
        return [line]
    if width - indent < _NARROWEST:
        indent = min(indent, 4)
    # a blank that textwrap does not take for one holds together what reads as one
    whole = _TOGETHER.sub(lambda found: found[0].replace(" ", _GLUE), line)
    lines = textwrap.wrap(
        whole,
        max(width, indent + 1),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part.replace(_GLUE, " ") for part in lines]


def typeset(text: str) -> str:
    """A sentence for a figure or a page: with the minus and the plus-minus sign that its other numbers have.

    A terminal and a log keep the signs that can be typed and searched.

    Examples
    --------
    >>> from heatpg.tools.lines import typeset
    >>> print(typeset("jumps to (-1, 2) from Walker2d-v5 at 1e-05 +- 3e-07"))
    jumps to (−1, 2) from Walker2d-v5 at 1e-05 ± 3e-07
    """
    return _MINUS.sub("\N{MINUS SIGN}", text).replace("+-", "\N{PLUS-MINUS SIGN}")
