"""Endings of the files that a landscape can be read from; a command line tells files from names by them."""

from __future__ import annotations

import re

from heatpg.tools.publishing import RESULTS

__all__ = ["ENVIRONMENT", "MEANT", "OTHERS", "SOURCES", "environment_id", "is_environment", "program_of"]

OTHERS = (".npy", ".npz", ".csv", ".tsv", ".mat", ".nc", ".cdf", ".h5", ".hdf5")
"""Of files of other programs."""
SOURCES = tuple(dict.fromkeys((*RESULTS, *OTHERS)))
"""Of all files."""

MEANT = "an environment, include its version, as in Pendulum-v1; for a file, include its extension"
"""Advice for a name that is not known: what else it may have been, before a list of extensions."""
ENVIRONMENT = r"(\w+/)?[A-Za-z][\w-]*-v[0-9]+"
"""Pattern of the name of an environment as Gymnasium registers it."""

_PROGRAM = re.compile(r"(.*\.py)(?::(\w*))?")


def program_of(source: str) -> tuple[str, str] | None:
    """A Python file and the name of a function in it, empty if none is named; None for any other source.

    Examples
    --------
    >>> from heatpg.tools.endings import program_of
    >>> program_of("returns.py"), program_of("a/returns.py:ppo"), program_of("returns.npy")
    (('returns.py', ''), ('a/returns.py', 'ppo'), None)
    """
    match = _PROGRAM.fullmatch(source)
    return None if match is None else (match[1], match[2] or "")


def is_environment(source: str) -> bool:
    """Whether a name is one as Gymnasium registers them: ``Pendulum-v1``, ``ALE/Pong-v5``, ``my_module:Mine-v0``."""
    return re.fullmatch(rf"([\w.]+:)?{ENVIRONMENT}", source) is not None


def environment_id(source: str) -> str:
    """The name of an environment as it is registered: Gymnasium's own module before it adds nothing.

    Examples
    --------
    >>> from heatpg.tools.endings import environment_id
    >>> environment_id("gymnasium:Pendulum-v1"), environment_id("my_module:Mine-v0")
    ('Pendulum-v1', 'my_module:Mine-v0')
    """
    return source.removeprefix("gymnasium:")
