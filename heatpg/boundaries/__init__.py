"""What lies beyond the sampled box: one boundary a file, each the semantics of a policy.

A boundary tells how a line of nodes continues beyond its two ends. Everything else (ghost nodes of a
stencil, the images of a convolution, which trigonometric transform diagonalises the line) follows.

Two of them, clip and absorb, speak of the value *on* the wall. At vertex nodes that is the value of the end node. With
nodes in cells no node is there: the value on the face is then that of a polynomial through the cells next to it.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from heatpg.tools.registry import Registry

__all__ = ["Boundary", "Extension", "boundaries", "face_values", "face_weights"]

Nodes = Literal["vertex", "cell"]

# Values half a spacing beyond the first of so many nodes, of the polynomial through them (Lagrange).
_FACES = {3: (15 / 8, -10 / 8, 3 / 8), 4: (35 / 16, -35 / 16, 21 / 16, -5 / 16)}


def face_weights(size: int) -> NDArray[np.float64]:
    """Weights of the cells next to a wall for the value on it, inwards: four, or three if there are no more.

    Examples
    --------
    >>> from heatpg.boundaries import face_weights
    >>> float(face_weights(9) @ [0.125, 3.375, 15.625, 42.875])  # x^3 at 1/2, 3/2, 5/2, 7/2
    0.0
    """
    return np.array(_FACES[min(size, max(_FACES))])


def face_values(field: NDArray[Any], position: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Values on the lower and the upper wall along an array axis of cells, each with one node along it.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.boundaries import face_values
    >>> lower, upper = face_values(np.arange(0.5, 5.0), 0)
    >>> lower.round(12), upper.round(12)
    (array([0.]), array([5.]))
    """
    last = field.shape[position] - 1
    sides = []
    for side in (0, 1):
        value: NDArray[Any] = np.zeros((), field.dtype)
        for i, weight in enumerate(face_weights(last + 1).astype(field.dtype)):
            node = last - i if side else i
            value = value + weight * field[(slice(None),) * position + (slice(node, node + 1),)]
        sides.append(value)
    return sides[0], sides[1]


@dataclasses.dataclass(frozen=True, eq=False)
class Extension:
    """A line of ``n`` nodes continued beyond its ends.

    extended[i] = weight[i] * line[source[i]] + face[i, 0] * lower face value + face[i, 1] * upper face value.

    Attributes
    ----------
    source
        Node of the line that each extended node repeats, shape (before + n + after,).
    weight
        Factor of that node, same shape.
    before
        Number of extended nodes below the first node of the line.
    face
        Factors of the values on the two walls, shape (before + n + after, 2), where those count (`Boundary.faced`);
        otherwise of shape (before + n + after, 0).
    """

    source: NDArray[np.int64]
    weight: NDArray[np.float64]
    before: int
    face: NDArray[np.float64]

    def of(self, values: NDArray[Any], along: int) -> NDArray[Any]:
        """The lines along an array axis, continued; not for end nodes that are held, see `Boundary.holds_ends`."""
        shape = [1] * values.ndim
        shape[along] = -1
        result = np.take(values, self.source, axis=along)
        if (self.weight != 1.0).any():
            result *= self.weight.astype(values.dtype).reshape(shape)
        if self.face.shape[1]:
            for factor, value in zip(self.face.T, face_values(values, along), strict=True):
                result += factor.astype(values.dtype).reshape(shape) * value
        return result


class Boundary(ABC):
    """How a line continues beyond its ends, and what that means for the policy.

    Attributes
    ----------
    name
        The word that users write.
    meaning
        The policy that it describes, in one clause.
    elsewhere
        Its names in other programs; empty where there are none.
    free_space
        True where the line lies in free space, so that values outside are an assumption about Q.
    conserves_mass
        True where the integral of u over the box does not change with sigma.
    holds_ends
        True where the values on the two walls are held and the line is solved relative to the chord between them.
    uses_walls
        True where the value on a wall counts, whether a node is there or not.
    periodic
        True where both ends are the same place.
    """

    # class attributes, because a boundary has no options: there is one object of each
    name: ClassVar[str]
    meaning: ClassVar[str]
    elsewhere: ClassVar[str] = ""
    free_space: ClassVar[bool] = False
    conserves_mass: ClassVar[bool] = False
    holds_ends: ClassVar[bool] = False
    uses_walls: ClassVar[bool] = False
    periodic: ClassVar[bool] = False

    @abstractmethod
    def fold(self, index: NDArray[np.int64], size: int, nodes: Nodes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Source node and weight of every extended index (0 to size - 1 are the line itself)."""

    def faced(self, nodes: Nodes) -> bool:
        """Whether the values on the walls count and no node is there, so that they are taken from the cells nearby."""
        return self.uses_walls and nodes == "cell"

    def face(self, index: NDArray[np.int64], size: int) -> NDArray[np.float64]:
        """Factors of the two face values at every extended index, shape (indices, 2), where nodes are in cells."""
        raise NotImplementedError(f"{self.name} does not use the values on its walls")

    def extend(self, size: int, nodes: Nodes, before: int, after: int) -> Extension:
        """Continue a line by so many nodes on either side."""
        # `fold` takes any index, however far outside: wide noise meets a short line many times over
        index = np.arange(-before, size + after, dtype=np.int64)
        source, weight = self.fold(index, size, nodes)
        face = self.face(index, size) if self.faced(nodes) else np.zeros((len(index), 0))
        return Extension(source, weight, before, face)

    def extremes_outside(self, low: Any, high: Any) -> tuple[Any, Any]:
        """Smallest and largest value on the whole line, from those inside the box.

        The maximum principle bounds u by these: only a boundary with a prescribed value widens them.
        """
        return low, high


# Its files register themselves and are imported when a name is first asked for, so they may import this one.
# names of scipy.ndimage, numpy.pad, OpenCV, PyTorch and textbooks
_CELLS = "pass nodes='cell' with it, for a mirror half a spacing beyond the last node"
_SYNONYMS = {
    "absorb": dict.fromkeys(("dirichlet", "absorbing", "fixed", "killed"), ""),
    "clip": dict.fromkeys(("nearest", "edge", "replicate", "border_replicate", "clamp", "constant_extrapolation"), ""),
    "periodic": dict.fromkeys(("wrap", "circular", "border_wrap", "cyclic", "torus"), "")
    | {"grid-wrap": "pass nodes='cell' with it"},
    "reflect": dict.fromkeys(("mirror", "neumann", "neuman", "no-flux", "zero-flux", "border_reflect_101", "even"), "")
    | dict.fromkeys(("symmetric", "grid-mirror", "border_reflect", "half-sample"), _CELLS),
    "zero": dict.fromkeys(("constant", "zeros", "border_constant", "zero-padding"), "") | {"grid-constant": ""},
}

boundaries: Registry[Boundary] = Registry("boundary", "heatpg.boundaries", synonyms=_SYNONYMS)
