"""How what is missing is added to the heatpg that runs here, and what is broken is installed again.

Never by the name heatpg in an index of packages: as long as none has it under this name, anybody could put something
there. What an extra asks for stands in the metadata of the installation, and those are packages that exist.
"""

from __future__ import annotations

import csv
import importlib.metadata
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

__all__ = ["how_to_add", "how_to_mend", "missing_files", "packages_of"]

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


def _parts(name: str) -> dict[str, importlib.metadata.Distribution]:
    """An installed distribution, and those of its requirements that are parts of it by their name, as mujoco-core."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [name]
    while waiting:
        part = waiting.pop(0)
        try:
            if part not in found:
                found[part] = importlib.metadata.distribution(part)
                wanted = (re.match(r"[\w.-]+", line) for line in found[part].requires or [])
                waiting += [each[0] for each in wanted if each is not None and each[0].startswith(f"{name}-")]
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def missing_files(name: str) -> int:
    """How many files of an installed distribution and its parts are not there; compiled modules of Python aside.

    An upgrade that splits a distribution leaves such gaps: the files of the new parts are written first, and then
    removed with the old distribution, which had them under the same names.

    Examples
    --------
    >>> from heatpg.tools.extras import missing_files
    >>> missing_files("numpy"), missing_files("nowhere")
    (0, 0)
    """
    # not by `files`, which from Python 3.12 on leaves out what is not there
    return sum(
        not Path(str(part.locate_file(row[0]))).exists()
        for part in _parts(name).values()
        for row in csv.reader((part.read_text("RECORD") or "").splitlines())
        if row and not row[0].endswith(".pyc")
    )


def how_to_mend(name: str) -> str:
    """What to type where an installed package cannot be imported; nothing if it is not installed.

    Examples
    --------
    >>> from heatpg.tools.extras import how_to_mend
    >>> how_to_mend("nowhere")
    ''
    """
    parts = _parts(name)
    if not parts:
        return ""
    gone = missing_files(name)
    because = f": {gone} of its files are missing, as after an upgrade in place" if gone else ""
    return (
        f"{name} {parts[name].version} is installed but cannot be imported{because}. Reinstall it: pip uninstall -y "
        f"{' '.join(parts)}; pip install {name}"
    )
