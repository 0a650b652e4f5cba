"""Finding things by name: one file a thing, registered by a decorator, imported when first asked for."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from heatpg.errors import UnknownNameError

__all__ = ["Registry"]

Entry = TypeVar("Entry")
Kept = TypeVar("Kept")


class Registry(Generic[Entry]):
    """Names and what they stand for, gathered from the modules of one package.

    Parameters
    ----------
    kind
        What is registered here, for messages ("solver").
    package
        The package whose modules register themselves.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._entries: dict[str, Entry] = {}
        self._complete = False

    def add(self, name: str, entry: Entry) -> None:
        """Register an entry; a name is taken once."""
        if name in self._entries and self._entries[name] is not entry:
            raise UnknownNameError(f"the {self.kind} name {name!r} is taken", given=entry, allowed="a new name")
        self._entries[name] = entry

    def register(self, name: str) -> Callable[[Kept], Kept]:
        """Decorator form of `add`; what it decorates keeps its type."""

        def decorate(entry: Kept) -> Kept:
            self.add(name, cast(Entry, entry))
            return entry

        return decorate

    def _load_all(self) -> None:
        if not self._complete:
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{module.name}")
            self._complete = True

    def names(self) -> list[str]:
        """Every registered name, sorted."""
        self._load_all()
        return sorted(self._entries)

    def get(self, name: str) -> Entry:
        """Look an entry up.

        Raises
        ------
        UnknownNameError
            With every known name and the nearest ones.
        """
        if name not in self._entries:
            self._load_all()
        if name not in self._entries:
            near = difflib.get_close_matches(str(name), self._entries, n=2, cutoff=0.5)
            raise UnknownNameError(
                f"unknown {self.kind}",
                given=repr(name),
                allowed=", ".join(sorted(self._entries)),
                advice=f"did you mean {' or '.join(map(repr, near))}?" if near else "",
            )
        return self._entries[name]
