"""Letters that a terminal shows, and those that it would obey. It lies below errors, which are shown too."""

from __future__ import annotations

import unicodedata

__all__ = ["visible"]


def visible(text: str) -> str:
    """Text in which what is no letter is written out: a terminal or a browser would obey it, and show something else.

    Control characters, marks that turn the direction of writing, and parts of letters that no encoding has; line ends,
    tabs and blanks stay. Names, units and reasons come from files, and files from others.

    Examples
    --------
    >>> from heatpg.letters import visible
    >>> print(visible("ridge" + chr(27) + "[2J"), visible(chr(0x202e) + "abc"))
    ridge\\x1b[2J \\u202eabc
    """
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )
