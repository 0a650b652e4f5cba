"""The variances that a solver went through, as they are stored: of each path only what is new in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

__all__ = ["Paths", "packed"]

Path = tuple[tuple[float, ...], ...]  # of one sigma: for each axis the variances from 0 on


def packed(paths: Sequence[Sequence[Sequence[float]]]) -> list[list[list[float]]]:
    """Paths as what is new in each: how many leading values are those of the sigma before, then the rest.

    The paths of a marching solver grow by one value per sigma, and would fill O(T^2) numbers if written out.

    Examples
    --------
    >>> from heatpg.store.paths import packed
    >>> packed([((0.0, 1.0),), ((0.0, 1.0, 4.0),)])
    [[[0, 0.0, 1.0]], [[2, 4.0]]]
    """
    # of each path only what differs from the one before it
    before: list[Sequence[float]] = []
    rows = []
    for path in paths:
        row: list[list[float]] = []
        for i, values in enumerate(path):
            old = before[i] if before else ()
            shared = 0
            while shared < min(len(old), len(values)) and old[shared] == values[shared]:
                shared += 1
            row.append([shared, *values[shared:]])
        rows.append(row)
        before = list(path)
    return rows


class Paths(Sequence[Path]):
    """The paths of a file, each written out when it is asked for.

    Written out all at once they take O(T^2) numbers, whatever the size of the file.

    Parameters
    ----------
    rows
        As `packed` gives them; they are checked before anything is made of them.
    sigmas
        How many there must be.
    axes
        How many axes each is of.

    Raises
    ------
    ValueError
        If they are not as many, or not of so many axes, or one shares more with the one before than that one has.

    Examples
    --------
    >>> from heatpg.store.paths import Paths
    >>> paths = Paths([[[0, 0.0, 1.0]], [[2, 4.0]]], 2, 1)
    >>> paths[1], len(paths)
    (((0.0, 1.0, 4.0),), 2)
    """

    def __init__(self, rows: Sequence[Sequence[Sequence[float]]], sigmas: int, axes: int) -> None:
        if len(rows) != sigmas:
            raise ValueError(f"{len(rows)} paths where {sigmas} are needed")
        lengths = [0] * axes
        self._shared: list[tuple[int, ...]] = []
        self._new: list[tuple[tuple[float, ...], ...]] = []
        for row in rows:
            if len(row) != axes:
                raise ValueError(f"a path of {len(row)} axes where {axes} are needed")
            shared = tuple(int(new[0]) for new in row)
            if not all(0 <= count <= old for count, old in zip(shared, lengths, strict=True)):
                raise ValueError("a path shares more with the one before than that one has")
            self._shared.append(shared)
            self._new.append(tuple(tuple(map(float, new[1:])) for new in row))
            lengths = [count + len(new) - 1 for count, new in zip(shared, row, strict=True)]

    def __len__(self) -> int:
        return len(self._new)

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Path, ...]: ...

    def __getitem__(self, index: int | slice) -> Path | tuple[Path, ...]:
        if isinstance(index, slice):
            return tuple(self[k] for k in range(len(self))[index])
        k = range(len(self))[index]
        return tuple(self._along(k, axis) for axis in range(len(self._new[k])))

    def _along(self, k: int, axis: int) -> tuple[float, ...]:
        # from the end: what is shared is in the path before, or is shared by that one too
        pieces = [self._new[k][axis]]
        needed = self._shared[k][axis]
        while needed:
            k -= 1
            shared = self._shared[k][axis]
            if needed > shared:
                pieces.append(self._new[k][axis][: needed - shared])
                needed = shared
        return tuple(value for piece in reversed(pieces) for value in piece)

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} paths>"
