"""Whether seeds change anything: where they do not, several rollouts are one, done several times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heatpg.landscapes._stage import Plan

__all__ = ["Chance", "spread_first"]

# Points and pieces that are waited for. A taste: two seeds of 200 that fall at the same step at one point in ten, as in
# CartPole, do so at eight of eight in one of 1e8 landscapes.
_FIRST_POINTS = 8
_FIRST_PIECES = 3
_FEW_VALUES = 3  # a reward that comes at the goal alone gives 0 or 1 with any seed: more values tell of more

Vector = NDArray[np.float64]


def spread_first(count: int) -> list[int]:
    """Numbers from 0 to count - 1: first some from everywhere, then the others in order.

    Examples
    --------
    >>> from heatpg.landscapes._chance import spread_first
    >>> spread_first(10)
    [0, 1, 3, 4, 5, 6, 8, 9, 2, 7]
    """
    first = dict.fromkeys(int(i) for i in np.linspace(0, count - 1, min(count, _FIRST_POINTS)).round())
    return list(dict.fromkeys([*first, *range(count)]))


class Chance:
    """Looks at returns as they come, and tells once if seeds change nothing.

    Parameters
    ----------
    points, pieces
        How many there will be.
    plan
        What rollouts depend on.
    """

    def __init__(self, points: int, pieces: int, plan: Plan) -> None:
        self._plan = plan
        self._left = [points, pieces]
        self._wait = [max(points - _FIRST_POINTS, 0), max(pieces - _FIRST_PIECES, 0)]
        # half a unit in the last place for each addition, twice for the difference of two sums, and as much again
        self._relative = 4 * plan.rollout.horizon * float(np.finfo(float).eps)
        self._seen: list[Vector] = []
        self._settled = False

    def look(self, returns: Vector) -> str:
        """Take returns of further points, shape (points, seeds); a remark once seeds are seen to change nothing.

        Empty where nothing can be said yet, or has been said.
        """
        if self._settled or returns.shape[1] < 2:
            return ""
        self._seen.append(returns)
        self._left = [self._left[0] - len(returns), self._left[1] - 1]
        seen = np.concatenate(self._seen)
        resolution = self._relative * np.abs(seen).max()
        if (np.ptp(seen, axis=1) > resolution).any():
            self._settled = True
            return ""
        if any(left > wait for left, wait in zip(self._left, self._wait, strict=True)):
            return ""
        # where all points have few values, so may rollouts that chance does change; at the end two must do
        values = 1 + int((np.diff(np.sort(seen[:, 0])) > resolution).sum())
        if values < (_FEW_VALUES if self._left[0] else 2):
            return ""
        self._settled = True
        return self._words(*seen.shape)

    def _words(self, points: int, seeds: int) -> str:
        why = (
            "rollouts from this state are deterministic, or their noise comes from a key or counter that is restored "
            "with the state"
            if self._plan.restores
            else "the environment is deterministic, or its noise comes from a key or counter that reset restores"
        )
        return (
            f"the seeds change nothing: at {points} points from all over the grid the {seeds} returns are equal, so "
            f"the standard error says nothing, at {seeds} times the work: {why}. Take Rollout(seeds=1), or let the "
            "environment draw from self.np_random and the policy from its keyword generator (of gSDE call reset_noise "
            "in a method reset of the policy)"
        )
