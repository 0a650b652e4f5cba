"""Sections of docstrings that several functions of a file share, written once.

`help`, the documentation and the descriptions of options in the schema read the docstring that comes out.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["completed"]

Function = TypeVar("Function", bound=Callable[..., Any])


def completed(*, parameters: str = "", returns: str = "", raises: str = "") -> Callable[[Function], Function]:
    """A decorator that adds to a numpydoc docstring what it does not say itself.

    Parameters
    ----------
    parameters
        Entries to stand first under Parameters.
    returns, raises
        Sections for a docstring that has none of this name.

    Examples
    --------
    >>> from heatpg.tools.docstrings import completed
    >>> @completed(returns="length\\n    In metres.")
    ... def measured() -> float:
    ...     '''Something.
    ...
    ...     Examples
    ...     --------
    ...     '''
    >>> print(measured.__doc__)
    Something.
    <BLANKLINE>
    Returns
    -------
    length
        In metres.
    <BLANKLINE>
    Examples
    --------
    """

    def complete(function: Function) -> Function:
        text = inspect.cleandoc(function.__doc__ or "")  # python -OO leaves no docstring
        if parameters:
            text = text.replace("\nParameters\n----------\n", f"\nParameters\n----------\n{parameters}\n", 1)
        # a section goes before those that follow it in the order of numpydoc
        for title, entries, followers in (
            ("Raises", raises, "References|Examples"),
            ("Returns", returns, "Raises|References|Examples"),
        ):
            if entries and f"\n{title}\n-" not in text:
                below = re.search(rf"\n(?:{followers})\n-", text)
                text, rest = (text[: below.start()], text[below.start() :]) if below else (f"{text}\n", "")
                text = f"{text}\n{title}\n{'-' * len(title)}\n{entries}\n{rest}"
        function.__doc__ = text
        return function

    return complete
