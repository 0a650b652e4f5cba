"""Requirements of an installed distribution, and whether they are met, for `heatpg doctor`.

The lines are those of its metadata, read by `packaging` as pip reads them. It is imported where it is needed only: the
doctor must be able to say that it is missing.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Requirement", "extra_lines", "requirements"]

_FOR_DEVELOPERS = ("test", "docs", "dev")  # extras that no user needs
_MOST_NAMES = 4  # packages of an extra that are named, so that it stays on its line. A taste


@dataclasses.dataclass(frozen=True)
class Requirement:
    """One distribution that heatpg wants.

    Attributes
    ----------
    name
        Name of the distribution.
    versions
        Which versions, as ``>=1.26``; empty for any.
    version
        The installed version; None where it is not installed.
    """

    name: str
    versions: str
    version: str | None

    @property
    def fits(self) -> bool:
        """Whether it is installed in one of these versions; a pre-release of one of them is good enough."""
        from packaging.specifiers import SpecifierSet
        from packaging.version import InvalidVersion, Version

        if self.version is None:
            return False
        allowed = SpecifierSet(self.versions)
        try:
            # by the standard 2.0rc1 is below 2.0; whoever tries it out has the interface of 2.0
            candidates = (self.version, Version(self.version).base_version)
            return any(allowed.contains(version, prereleases=True) for version in candidates)
        except InvalidVersion:  # it can be asked for by its name alone
            return self.versions in ("", f"==={self.version}")

    def as_dict(self) -> dict[str, Any]:
        """The requirement as JSON-like values."""
        return {**dataclasses.asdict(self), "fits": self.fits}


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except Exception:  # damaged metadata are as good as none
        return None


def requirements(texts: Iterable[str], extras: Iterable[str] = ()) -> dict[str, list[Requirement]]:
    """The requirements of a distribution by extra; those that are always there under the empty name.

    Parameters
    ----------
    texts
        Lines ``Requires-Dist`` of its metadata. An extra that names another one of heatpg brings that one's packages;
        what a marker leaves out on this machine is left out, and a line that cannot be read as well.
    extras
        Lines ``Provides-Extra``.

    Examples
    --------
    >>> from heatpg.cli.requirements import requirements
    >>> found = requirements(["numpy>=1.26", 'nowhere>=9; extra == "more"'], ["more"])
    >>> found[""][0].fits, found["more"][0].version
    (True, None)
    """
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Line

    # What an extra asks for directly, and which other extras of heatpg it names: heatpg[docs,test]; extra == "dev".
    names = list(extras)
    direct: dict[str, list[Requirement]] = {extra: [] for extra in ("", *names)}
    other: dict[str, list[str]] = {extra: [] for extra in names}
    for text in texts:
        try:
            line = Line(text)
        except InvalidRequirement:  # in a syntax that is newer than packaging; the other lines still count
            continue
        # what holds without an extra is wanted always, and not once more by each of them
        wanted = [extra for extra in ("", *names) if line.marker is None or line.marker.evaluate({"extra": extra})]
        for extra in [""] if "" in wanted else wanted:
            if line.name.lower() == "heatpg":
                other.setdefault(extra, []).extend(sorted(line.extras))
            else:
                direct[extra].append(Requirement(line.name, str(line.specifier), _installed(line.name)))

    def gathered(extra: str, seen: tuple[str, ...]) -> list[Requirement]:
        if extra in seen:  # two extras may name each other
            return []
        inner = [entry for word in other.get(extra, []) for entry in gathered(word, (*seen, extra))]
        # its own first, each once, in the order of the metadata
        return list(dict.fromkeys([*direct.get(extra, []), *inner]))

    return {extra: gathered(extra, ()) for extra in direct}


def extra_lines(extras: Mapping[str, Any]) -> list[str]:
    """What each extra is for; those for developers share a line, as their packages would bury the verdict."""
    useful = {name: extra for name, extra in extras.items() if name not in _FOR_DEVELOPERS}
    others = [f"{name} {'' if extras[name]['installed'] else 'not '}installed" for name in extras if name not in useful]
    width = max(map(len, [*useful, *(["others"] if others else [])]), default=0)
    words = [f"{'others':{width}}  {', '.join(others)} (only to develop heatpg, see CONTRIBUTING.md)"] if others else []
    return [_extra_line(name, extra, width) for name, extra in useful.items()] + words


def _extra_line(name: str, extra: Mapping[str, Any], width: int) -> str:
    purpose = f" ({extra['purpose']})" if extra["purpose"] else ""
    if extra["installed"]:
        names = [f"{entry['name']} {entry['version']}" for entry in extra["packages"]]
        more = [f"and {len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
        return f"{name:{width}}  {', '.join(names[:_MOST_NAMES] + more)}{purpose}"
    # a package that is there in a wrong version is as good as missing, and said with its version
    wrong = [
        f"{entry['name']} {entry['version']} is not {entry['versions']}"
        for entry in extra["packages"]
        if entry["version"] and not entry["fits"]
    ]
    why = f" ({', '.join(wrong)})" if wrong else ""
    return f"{name:{width}}  not installed{purpose}; to add it: {extra['install']}{why}"
