"""The face of a package: its public names stand once, in ``__init__.pyi``, and each is loaded when it is first used.

Type checkers and editors read the stub as it is. At run time it is read as text, so that importing a package loads
none of its files; `lazy_loader`, which does the same for scikit-image, would be one more dependency for these lines.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["attach", "homes"]


def homes(stub: Path, package: str) -> dict[str, tuple[str, str | None]]:
    """Where each name of a stub lives: a module and the name in it; no name where the module itself is meant."""
    found: dict[str, tuple[str, str | None]] = {}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        # a stub of a face holds imports only; anything else has no home
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        for alias in node.names:
            # "from heatpg import plot" means the module itself
            whole = node.module == package
            found[alias.asname or alias.name] = (
                (f"{package}.{alias.name}", None) if whole else (node.module, alias.name)
            )
    return found


def attach(package: str, file: str) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """What a package needs to hand out the names of its stub: ``__all__``, ``__getattr__`` and ``__dir__``.

    Parameters
    ----------
    package
        Its ``__name__``.
    file
        Its ``__file__``; the stub is the file of the same name that ends in ``.pyi``.

    Examples
    --------
    >>> import heatpg.policy
    >>> "ascend" in heatpg.policy.__all__
    True
    """
    # its text is read when the package is imported, its files only when they are asked for
    known = homes(Path(file).with_suffix(".pyi"), package)
    # dunder names such as __version__ are found, and not offered by *
    names = sorted(name for name in known if not name.startswith("__"))

    def find(name: str) -> Any:
        if name not in known:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # `importlib` keeps what it has loaded, so asking again costs a look-up
        module, attribute = known[name]
        home = importlib.import_module(module)
        return home if attribute is None else getattr(home, attribute)

    def listing() -> list[str]:
        return sorted(known)

    return names, find, listing
