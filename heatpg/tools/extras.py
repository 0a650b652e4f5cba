"""How what is missing is added to the heatpg that runs here.

Never by the name heatpg in an index of packages: as long as none has it under this name, anybody could put something
there. What an extra asks for stands in the metadata of the installation, and those are packages that exist.
"""

from __future__ import annotations

import importlib.metadata
import re
import shlex
from collections.abc import Sequence

__all__ = ["how_to_add", "packages_of"]

_LINE = re.compile(r"""\s*([^;\s(]+)\s*\(?([^;)]*)\)?\s*;.*\bextra\s*==\s*["']([^"']+)["']""")
_OWN = re.compile(r"heatpg\[([^\]]*)\].*", flags=re.IGNORECASE)


def packages_of(extra: str, lines: Sequence[str]) -> list[str]:
    """What an extra asks for, in the words of pip; extras of heatpg within it are written out.

    Parameters
    ----------
    extra
        Its name.
    lines
        Lines ``Requires-Dist`` of the metadata.

    Examples
    --------
    >>> from heatpg.tools.extras import packages_of
    >>> packages_of("rl", ['numpy>=1.26', 'gymnasium>=1.0; extra == "rl"', 'mujoco>=3.1; extra == "rl"'])
    ['gymnasium>=1.0', 'mujoco>=3.1']
    """
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [extra]
    while waiting:
        name = waiting.pop()
        if name in seen:  # two extras may name each other
            continue
        seen.add(name)
        for match in filter(None, map(_LINE.match, lines)):
            package = f"{match[1]}{match[2].strip()}"
            own = _OWN.fullmatch(package)
            if match[3] == name and own:
                waiting += [word.strip() for word in own[1].split(",")]
            elif match[3] == name:
                found[package] = None
    return list(found)


def how_to_add(extra: str) -> str:
    """What to type to get an extra of heatpg.

    Examples
    --------
    >>> from heatpg.tools.extras import how_to_add
    >>> how_to_add("rl").startswith("pip install ")
    True
    """
    try:
        packages = packages_of(extra, importlib.metadata.distribution("heatpg").requires or [])
    except importlib.metadata.PackageNotFoundError:
        packages = []
    if not packages:
        # it runs from a folder: what is there is a clone
        return f"pip install '.[{extra}]' in the clone of heatpg"
    return f"pip install {' '.join(map(shlex.quote, packages))}"
