"""What lies beyond the sampled box: one boundary a file, each the semantics of a policy.

A boundary tells how a line of nodes continues beyond its two ends. Everything else (ghost nodes of a
stencil, the images of a convolution, which trigonometric transform diagonalises the line) follows.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from heatpg.tools.registry import Registry

__all__ = ["Boundary", "Extension", "boundaries"]

Nodes = Literal["vertex", "cell"]


@dataclasses.dataclass(frozen=True, eq=False)
class Extension:
    """A line of ``n`` nodes continued beyond its ends: extended[i] = weight[i] * line[source[i]].

    Attributes
    ----------
    source
        Node of the line that each extended node repeats, shape (before + n + after,).
    weight
        Factor of that node, same shape.
    before
        Number of extended nodes below the first node of the line.
    """

    source: NDArray[np.int64]
    weight: NDArray[np.float64]
    before: int


class Boundary(ABC):
    """How a line continues beyond its ends, and what that means for the policy.

    Attributes
    ----------
    name
        The word that users write.
    meaning
        The policy that it stands for, in one clause.
    free_space
        True where the line lies in free space, so that what lies outside is an assumption about Q.
    conserves_mass
        True where the integral of u over the box does not change with sigma.
    holds_ends
        True where the two end values are held and the line is solved relative to the chord between them.
    periodic
        True where both ends are the same place.
    """

    # class attributes, because a boundary has no options: there is one object of each
    name: ClassVar[str]
    meaning: ClassVar[str]
    free_space: ClassVar[bool] = False
    conserves_mass: ClassVar[bool] = False
    holds_ends: ClassVar[bool] = False
    periodic: ClassVar[bool] = False

    @abstractmethod
    def fold(self, index: NDArray[np.int64], size: int, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Source node and weight of every extended index (0 to size - 1 are the line itself)."""

    def extend(self, size: int, nodes: Nodes, before: int, after: int) -> Extension:
        """Continue a line by so many nodes on either side."""
        # `fold` takes any index, however far outside: wide noise meets a short line many times over
        index = np.arange(-before, size + after, dtype=np.int64)
        source, weight = self.fold(index, size, nodes)
        return Extension(source, weight, before)

    def extremes_outside(self, low: Any, high: Any) -> tuple[Any, Any]:
        """Smallest and largest value on the whole line, from those inside the box.

        The maximum principle bounds u by these: only a boundary that brings in a value of its own widens them.
        """
        return low, high


# Its files register themselves and are imported when a name is first asked for, so they may import this one.
boundaries: Registry[Boundary] = Registry("boundary", "heatpg.boundaries")
