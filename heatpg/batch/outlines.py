"""What the index shows of a shard without its fields, and where it is known from without opening the shard.

To open a file of HDF5, read five things in it and close it takes milliseconds, and a batch has thousands of files. So
the journal holds what the index would read: an outline, once for all shards that share it, and with each task that is
done which outline its shard has. It is believed only of the very file that was written then, by its SHA-256 as the
trailer has it, its length, and the time of its last change. Every other shard is read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from heatpg.batch.journal import read_journal
from heatpg.batch.shards import Seen
from heatpg.core.grid import Axis
from heatpg.errors import HeatpgError
from heatpg.store.record import Record
from heatpg.tools.folders import Folder
from heatpg.tools.plain import canonical, json_like

__all__ = ["OUTLINE", "Outline", "known_outlines", "outline_event"]

OUTLINE = "outline"
"""Name of the event in the journal that holds an outline, and of the key that says which outline a shard has."""

Array = NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Outline:
    """What the index shows of a shard, but for its fields and whether its checks passed.

    Attributes
    ----------
    shape
        Shape of u: noise levels, batch, axes.
    dtype
        Type of its numbers, such as ``float64``.
    sigma
        The noise levels, with one number each or one for each axis.
    grid
        The axes, as `heatpg.Axis.as_dict` gives them.
    positions
        Positions of the nodes along each axis.
    compact
        Whether u is in compact storage, and so not there as it is.
    """

    shape: tuple[int, ...]
    dtype: str
    sigma: Array
    grid: tuple[Mapping[str, Any], ...]
    positions: tuple[Array, ...]
    compact: bool

    @classmethod
    def of(cls, record: Record, *, compact: bool) -> Self:
        """The outline of the file that a record is written to."""
        return cls(
            (len(record.sigma), *record.landscape.values.shape),
            str(record.landscape.values.dtype),
            np.asarray(record.sigma),
            tuple(axis.as_dict() for axis in record.grid),
            tuple(axis.coordinates for axis in record.grid),
            compact,
        )

    @functools.cached_property
    def axes(self) -> list[str]:
        """Names of the axes."""
        return [str(axis["name"]) for axis in self.grid]

    @property
    def lead(self) -> str:
        """Name of the first dimension of u."""
        return "sigma" if self.sigma.ndim == 1 else "level"

    @functools.cached_property
    def kind(self) -> tuple[object, ...]:
        """Tasks that agree in this fit into one array."""
        return self.lead, self.shape, self.dtype, tuple(self.axes), self.compact

    def as_dict(self) -> dict[str, Any]:
        """The outline as JSON-like values; the positions follow from the axes."""
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "sigma": self.sigma.tolist(),
            "grid": [dict(axis) for axis in self.grid],
            "compact": self.compact,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """The outline that `as_dict` gave.

        Raises
        ------
        ValueError
            If it is not one, as one of another version of heatpg may not be.
        """
        try:
            grid = tuple(given["grid"])
            axes = [Axis(**axis) for axis in grid]
            outline = cls(
                tuple(map(int, given["shape"])),
                np.dtype(given["dtype"]).name,
                np.array(given["sigma"], dtype=np.float64),
                grid,
                tuple(axis.coordinates for axis in axes),
                bool(given["compact"]),
            )
        except (HeatpgError, LookupError, TypeError, ValueError) as reason:
            raise ValueError("not an outline") from reason
        # what this version would not write in the same words it may not understand either
        whole = canonical(outline.as_dict()) == canonical(json_like(given))
        levels, *sizes = outline.shape
        fits = axes and levels == len(outline.sigma) and sizes[-len(axes) :] == [axis.size for axis in axes]
        if not whole or not fits:
            raise ValueError("not an outline")
        return outline


def _name(outline: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(json_like(outline)).encode()).hexdigest()


def outline_event(outline: Mapping[str, Any]) -> dict[str, Any]:
    """The event of the journal that holds an outline, given by `Outline.as_dict`, under its name."""
    return {"event": OUTLINE, "name": _name(outline), OUTLINE: dict(outline)}


def known_outlines(folder: Folder) -> dict[Seen, tuple[Outline, bool]]:
    """By what a shard was when its task ended, as `heatpg.batch.shards.look` sees it: its outline, and its verdict.

    Parameters
    ----------
    folder
        The folder of the batch, whose journals are read.

    Returns
    -------
    known
        The outline of each, and whether all of its checks passed; a shard of which no line tells is not among them.
    """
    outlines: dict[str, Outline] = {}
    shards: dict[Seen, tuple[str, bool]] = {}
    for event in read_journal(folder):
        given, name = event.get(OUTLINE), event.get("name")
        if event.get("event") == OUTLINE and isinstance(given, dict) and name == _name(given):
            # one of another version is not understood, and its shards are read
            with contextlib.suppress(ValueError):
                outlines[name] = Outline.from_dict(given)
        elif event.get("event") == "done" and isinstance(given, str):
            match [event.get(key) for key in ("task", "sha256", "bytes", "modified")]:
                case [str(task), str(sha256), int(length), int(modified)]:
                    shards[Seen(task, sha256, length, modified)] = given, event.get("failures") == []
    return {seen: (outlines[name], passed) for seen, (name, passed) in shards.items() if name in outlines}
