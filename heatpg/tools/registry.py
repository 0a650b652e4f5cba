"""Finding things by name: one file a thing, registered by a decorator, imported when first used.

Other distributions may bring more, as entry points of a group: their names are known without loading anything of them.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import os
import pkgutil
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar, cast

from heatpg.errors import HeatpgWarning, MissingPackageError, OptionError, UnknownNameError
from heatpg.tools.calls import checked_entry
from heatpg.tools.options import add_synonyms, nearest

__all__ = ["Plugin", "Registry"]

Entry = TypeVar("Entry")
Kept = TypeVar("Kept")


@dataclasses.dataclass(frozen=True)
class Plugin:
    """A name that another distribution brings.

    Parameters
    ----------
    name
        The name.
    distribution, version
        Who brings it.
    point
        The entry point, which loads it.
    """

    name: str
    distribution: str
    version: str
    point: importlib.metadata.EntryPoint

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class Registry(Generic[Entry]):
    """Names and what they stand for, gathered from the modules of one package and from plug-ins.

    Parameters
    ----------
    kind
        What is registered here, for messages ("solver").
    package
        The package whose modules register themselves.
    entry_points
        Group of entry points by which other distributions bring more; without it nobody does. What an entry point
        loads is code of that distribution. With ``HEATPG_NO_PLUGINS=1`` in the environment there are none.
    synonyms
        Names of other programs for an entry, each with a remark or an empty text: a wrong name is answered with them.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        *,
        entry_points: str = "",
        synonyms: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        add_synonyms(synonyms)
        self.kind = kind
        self.package = package
        self.entry_points = entry_points
        self._entries: dict[str, Entry] = {}
        self._complete = False
        self._plugins: dict[str, Plugin] | None = None
        self._loaded: dict[str, Entry] = {}

    def add(self, name: str, entry: Entry) -> None:
        """Register an entry; a name is taken once."""
        # the same entry twice is a module that was loaded twice, not two things of one name
        if name in self._entries and self._entries[name] is not entry:
            raise UnknownNameError(
                f"the {self.kind} name {name!r} is already registered", given=entry, allowed="a new name"
            )
        self._entries[name] = entry

    def register(self, name: str) -> Callable[[Kept], Kept]:
        """Decorator form of `add`; what it decorates keeps its type, and answers wrong keywords in words."""

        def decorate(entry: Kept) -> Kept:
            checked = checked_entry(name, entry)
            self.add(name, cast(Entry, checked))
            return checked

        return decorate

    def _load_all(self) -> None:
        if not self._complete:
            # modules register themselves while they are imported: all of them, because a name may stand in any file
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{module.name}")
            # only now: a module that cannot be imported is to be told each time
            self._complete = True

    def own_names(self) -> list[str]:
        """The names that heatpg itself brings, sorted."""
        self._load_all()
        return sorted(self._entries)

    def plugins(self) -> dict[str, Plugin]:
        """What other distributions bring, by name; nothing of it is loaded.

        A name of heatpg is never replaced, and of two distributions the first in the alphabet has a name; both are
        told by a warning, once.
        """
        if self._plugins is None:
            self._load_all()
            found: dict[str, Plugin] = {}
            for plugin in self._installed():
                # the first in the alphabet keeps a name, so that it does not depend on the order of installation
                taken = "heatpg" if plugin.name in self._entries else found.get(plugin.name)
                if taken is not None and taken != plugin:
                    warnings.warn(
                        f"the {self.kind} {plugin.name!r} of {plugin} is ignored: {taken} already has one with this "
                        f"name",
                        HeatpgWarning,
                        stacklevel=3,
                    )
                found.setdefault(plugin.name, plugin)
            self._plugins = {name: plugin for name, plugin in found.items() if name not in self._entries}
        return self._plugins

    def _installed(self) -> list[Plugin]:
        # asked at the first question and not at import, so that a program may still set it
        if not self.entry_points or os.environ.get("HEATPG_NO_PLUGINS", "") not in ("", "0"):
            return []
        found = []
        for point in importlib.metadata.entry_points(group=self.entry_points):
            owner = point.dist
            told = ("unknown", "") if owner is None else (owner.name, owner.version)
            found.append(Plugin(point.name, *told, point))
        # in one order on every machine
        return sorted(found, key=lambda plugin: (plugin.name, plugin.distribution))

    def names(self) -> list[str]:
        """Every registered name and those of plug-ins, sorted."""
        return sorted({*self.own_names(), *self.plugins()})

    def _load(self, plugin: Plugin) -> Entry:
        if plugin.name not in self._loaded:
            advice = f"report this to the authors of {plugin.distribution}, or set HEATPG_NO_PLUGINS=1"
            try:
                loaded = plugin.point.load()
            except Exception as reason:  # whatever its modules raise
                raise MissingPackageError(
                    f"the {self.kind} {plugin.name!r} of {plugin} cannot be loaded",
                    given=f"{plugin.point.value}: {type(reason).__name__}: {reason}",
                    advice=advice,
                ) from reason
            if not callable(loaded):
                raise OptionError(
                    f"the {self.kind} {plugin.name!r} of {plugin} cannot be called",
                    given=f"{plugin.point.value}: {type(loaded).__name__}",
                    advice=advice,
                )
            self._loaded[plugin.name] = cast(Entry, loaded)
        return self._loaded[plugin.name]

    def get(self, name: str) -> Entry:
        """Look an entry up; a plug-in is loaded when it is first used.

        Raises
        ------
        UnknownNameError
            With every known name and the nearest ones.
        MissingPackageError
            For a plug-in that cannot be loaded, with its distribution.
        OptionError
            For one that is no function.
        """
        # asked for at every turn, of boundaries above all
        known = self._entries.get(name) if isinstance(name, str) else None
        if known is not None:
            return known
        if not isinstance(name, str):
            raise UnknownNameError(
                f"the name of a {self.kind} must be a text", given=repr(name), allowed=", ".join(self.names())
            )
        # a name of an own file is found without looking for plug-ins, which takes time
        self._load_all()
        if name not in self._entries and name in self.plugins():
            return self._load(self.plugins()[name])
        if name not in self._entries:
            raise UnknownNameError(
                f"unknown {self.kind}",
                given=repr(name),
                allowed=", ".join(self.names()),
                advice=nearest(str(name), self.names()),
            )
        return self._entries[name]
