"""The gradient flow of the mollified objective: its exact derivatives, its steps, and the points at which it rests.

y = (mu, log sigma) follows y' = P(y) grad J, J = L + tau d log(sigma). L solves the heat equation, so that every
derivative in sigma is one in mu, and value, gradient and Hessian of J all come from the derivatives of one field.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.field import HeatField
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import UnsupportedError
from heatpg.policy.source import ActionValue, Source

__all__ = [
    "AscentPath",
    "MollifiedFunction",
    "Objective",
    "Setting",
    "classify",
    "ended_by",
    "follow_flow",
    "into_box",
    "speeds",
]

Array = NDArray[np.float64]

_LOCAL_ERROR = 1e-4  # of a step: in mu as a share of sigma (at least of a spacing), in log sigma as it is
_NEWTON_REACH = 0.02  # from here Newton's method converges quadratically, as a share of sigma or a spacing
_NODES = {1: 1025, 2: 129, 3: 41}
_NODES_REACH = 8.5


class MollifiedFunction:
    """u and its derivatives for a function that can be called, in up to three dimensions.

    d^a u / dx^a = E[Q(x + sigma Z) He_a(Z)] / sigma^|a| by the trapezoid rule on a lattice of z, which is exact to
    round-off for features of Q that are wider than a few of its steps.

    Parameters
    ----------
    function
        Called as ``Q(x1, ..., xd)`` with one array per axis.
    dimensions
        d, 1 to 3.

    Raises
    ------
    UnsupportedError
        Beyond three dimensions, where no lattice fits.

    Notes
    -----
    The lattice reaches 8.5 sigma with steps of 0.017, 0.13 and 0.43 sigma in 1, 2 and 3 dimensions (1025, 129^2 and
    41^3 points). For Q with jumps the error is of first order in the step.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.policy.flow import MollifiedFunction
    >>> wave = MollifiedFunction(lambda x: np.cos(3 * x), 1)
    >>> bool(abs(wave.derivatives(np.array([[0.0]]), np.array([0.5]), 2)[0, 2] + 9 * np.exp(-9 / 8)) < 1e-12)
    True
    """

    def __init__(self, function: Callable[..., Any], dimensions: int) -> None:
        if dimensions not in _NODES:
            raise UnsupportedError(
                "the exact gradient of a function is a sum over a lattice, which fits up to 3 dimensions",
                given=f"{dimensions} dimensions",
                advice="sample it: gradient='antithetic', rate=..., or see heatpg.quadrature.mollify",
            )
        self.value_at = ActionValue(function)
        line = np.linspace(-_NODES_REACH, _NODES_REACH, _NODES[dimensions])
        weights = np.exp(-0.5 * line**2)
        weights /= weights.sum()
        # w He_m(z), by He_(m+1) = z He_m - m He_(m-1)
        table = [np.ones_like(line), line]
        for m in range(1, 4):
            table.append(line * table[m] - m * table[m - 1])
        self._weights = weights * np.stack(table)
        self._nodes = np.stack(np.meshgrid(*(line,) * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
        self._dimensions = dimensions

    def derivatives(self, points: Array, sigma: Array, order: int) -> Array:
        """As `HeatField.derivatives`; sigma is a number or has shape (d,), (points, 1) or (points, d)."""
        d, count = self._dimensions, _NODES[self._dimensions]
        deviations = np.broadcast_to(sigma, points.shape)
        result = np.zeros((len(points), *((order + 1,) * d)))
        for p, (point, deviation) in enumerate(zip(points, deviations, strict=True)):
            total = self.value_at.value(point + deviation * self._nodes).reshape((count,) * d)
            for axis in range(d):
                table = self._weights[: order + 1] / deviation[axis] ** np.arange(order + 1)[:, np.newaxis]
                total = np.tensordot(total, table, axes=(0, 1))
            result[p] = total
        return result


class Objective:
    """J = L + tau d log(sigma) in y = (mu, log sigma): its value, gradient and Hessian, exactly."""

    def __init__(self, source: Source, dimensions: int, ratio: Array, entropy: float) -> None:
        self.grid: Grid | None = source.grid if isinstance(source, Landscape) else None
        self.field = HeatField(source) if isinstance(source, Landscape) else MollifiedFunction(source, dimensions)
        self.ratio = ratio
        self.entropy = entropy
        self._pick = [
            [tuple(axes.count(i) for i in range(dimensions)) for axes in itertools.product(range(dimensions), repeat=n)]
            for n in range(5)
        ]

    def __call__(self, y: Array, joint: bool, second: bool) -> tuple[Array, Array, Array]:
        """L of shape (P,), gradient (P, d + 1) and Hessian (P, d + 1, d + 1) of J; rows of log sigma are 0 if held."""
        d = y.shape[1] - 1
        sigma = np.exp(y[:, d:])
        order = (1 if not second else 2) if not joint else (2 if not second else 4)
        parts = self.field.derivatives(into_box(y[:, :d], self.grid), sigma * self.ratio, order)

        def full(n: int) -> Array:
            places: list[tuple[Any, ...]] = [(slice(None), *index) for index in self._pick[n]]
            return np.stack([parts[place] for place in places], axis=1).reshape(len(y), *((d,) * n))

        gradient, hessian = np.zeros((len(y), d + 1)), np.zeros((len(y), d + 1, d + 1))
        gradient[:, :d] = full(1)
        if second:
            hessian[:, :d, :d] = full(2)
        if joint:
            s = sigma[:, 0] ** 2
            laplacian = np.trace(full(2), axis1=1, axis2=2)
            # dJ/dlog sigma = 2 s (1/2 Laplace u + tau d / (2 s)), s = sigma^2, and u_s = 1/2 Laplace u once more
            gradient[:, d] = s * laplacian + self.entropy * d
            if second:
                mixed = s[:, np.newaxis] * np.einsum("pijj->pi", full(3))
                hessian[:, :d, d] = hessian[:, d, :d] = mixed
                hessian[:, d, d] = 2.0 * s * laplacian + s**2 * np.einsum("piijj->p", full(4))
        return full(0), gradient, hessian


def into_box(means: Array, grid: Grid | None) -> Array:
    """Where u is to be read: the walls of closed axes hold what round-off takes across."""
    if grid is None:
        return means
    places = means.copy()
    for i, axis in enumerate(grid):
        if not (axis.rule.free_space or axis.rule.periodic):
            places[:, i] = np.clip(places[:, i], axis.lower, axis.upper)
    return places


def speeds(method: str, y: Array) -> tuple[Array, Array]:
    """Diagonal P(y) of the flow y' = P grad J in (mu, log sigma), and its derivative in log sigma.

    variance: mu' = J_mu, s' = J_s with s = sigma^2 and J_s = J_log / (2 s), so (log sigma)' = J_log / (4 s^2).
    log_sigma: (log sigma)' = J_log. natural: the Fisher matrix of N(mu, s I) is 1 / s in mu and 2 d in log sigma
    (d / (2 s^2) in s), so mu' = s J_mu, (log sigma)' = J_log / (2 d).
    """
    d = y.shape[1] - 1
    speed, change = np.ones(y.shape), np.zeros(y.shape)
    s = np.exp(2.0 * y[:, d])
    if method == "variance":
        speed[:, d] = 0.25 / s**2
        change[:, d] = -1.0 / s**2
    elif method == "natural":
        speed[:, :d] = s[:, np.newaxis]
        change[:, :d] = 2.0 * s[:, np.newaxis]
        speed[:, d] = 0.5 / d
    return speed, change


@dataclasses.dataclass
class AscentPath:
    """What is recorded of one start."""

    y: list[Array]
    times: list[float]
    values: list[float]
    status: str = "budget spent"

    def append(self, later: AscentPath) -> None:
        """Go on with another path."""
        begin = self.times[-1] if self.times else 0.0
        self.y += later.y
        self.times += [begin + time for time in later.times]
        self.values += later.values
        self.status = later.status

    def add(self, y: Array, time: float, value: float) -> None:
        self.y.append(y.copy())
        self.times.append(time)
        self.values.append(value)


@dataclasses.dataclass(frozen=True)
class Setting:
    """Options of a run that do not change from step to step."""

    method: str
    joint: bool
    floor: float
    vanished: float
    grown: float
    spacing: float
    tolerance: float
    round_off: float
    grid: Grid | None
    ratio: Array

    @property
    def lowest(self) -> float:
        """Log of the sigma that is not gone below."""
        return math.log(max(self.floor, self.vanished))

    def outside(self, mean: Array) -> bool:
        """Whether the mean has crossed an edge of the box: closed walls send it back, an absorbing one does not."""
        for x, axis in zip(mean, self.grid or (), strict=False):
            if (axis.rule.free_space or axis.rule.holds_ends) and not axis.lower <= x <= axis.upper:
                return True
        return False

    def length(self, y: Array) -> Array:
        """Distance over which u changes, shape (P,): sigma, or the spacing below it."""
        return np.maximum(np.exp(y[:, -1]), self.spacing)


def _newton(gradient: Array, hessian: Array, scale: Array, round_off: float) -> tuple[Array, float, bool]:
    """Newton's step in units of the scale, the largest curvature, and whether what is flat has no slope.

    Directions without curvature, such as that along the top of a ridge, are left out of the step.
    """
    slope = gradient * scale
    roots, vectors = np.linalg.eigh(hessian * np.outer(scale, scale))
    curved = np.abs(roots) > max(1e-9 * float(np.abs(roots).max()), round_off)
    along = vectors.T @ slope
    level = bool((np.abs(along[~curved]) <= round_off).all())
    if not curved.any():
        return np.zeros_like(slope), 0.0, level
    step = -vectors[:, curved] @ (along[curved] / roots[curved])
    return step, float(roots[curved][-1]), level


def classify(
    y: Array, gradient: Array, hessian: Array, free: Array, setting: Setting, reach: float
) -> tuple[list[str], Array]:
    """Which of the points are stationary, and Newton's step to the stationary point, shape (P, d + 1).

    ``maximum``: within reach of one, where the step leads. ``saddle``: on one. ``plateau``: no slope. Empty: moving.
    """
    steps, kinds = np.zeros(y.shape), []
    for p, length in enumerate(setting.length(y)):
        n = y.shape[1] if free[p] else y.shape[1] - 1
        scale = np.append(np.full(y.shape[1] - 1, length), 1.0)[:n]
        step, curvature, level = _newton(gradient[p, :n], hessian[p, :n, :n], scale, setting.round_off)
        size = float(np.abs(step).max())
        steps[p, :n] = step * scale
        kind = ""
        if level and curvature < 0 and size < reach:
            kind = "maximum"
        elif level and curvature > 0 and size * length < setting.tolerance:
            kind = "saddle"
        elif np.abs(gradient[p, :n] * scale).max() <= setting.round_off:
            kind = "plateau"
        kinds.append(kind)
    return kinds, steps


def follow_flow(objective: Objective, y: Array, setting: Setting, steps: int) -> list[AscentPath]:
    """Integrate y' = P(y) grad J from every start with its own steps, by a Rosenbrock pair of orders 2 and 3.

    W = I - c t J, W k1 = F(y), W (k2 - k1) = F(y + t k1 / 2) - k1, y_new = y + t k2; L-stable, so that narrow ridges do
    not shorten the steps (Shampine and Reichelt 1997).
    """
    c, e = 1.0 / (2.0 + math.sqrt(2.0)), 6.0 + math.sqrt(2.0)
    count, n = y.shape
    d = n - 1
    y = y.copy()
    free = np.full(count, setting.joint)
    time, step = np.zeros(count), np.zeros(count)
    value, gradient, hessian = objective(y, setting.joint, True)
    paths = [AscentPath([y[p].copy()], [0.0], [float(value[p])]) for p in range(count)]
    active = np.arange(count)

    def rates(z: Array, slope: Array, who: NDArray[np.int64]) -> Array:
        rate = speeds(setting.method, z)[0] * slope
        rate[~free[who], d] = 0.0
        return rate

    for _ in range(steps):
        if setting.joint:  # a floor holds sigma while the slope points below it
            free[active] = (y[active, d] > setting.lowest) | (gradient[active, d] > 0)
        kinds, newton = classify(y[active], gradient[active], hessian[active], free[active], setting, _NEWTON_REACH)
        stay = []
        for i, p in enumerate(active):
            if kinds[i] == "maximum":
                _polish(objective, paths[p], y[p], time[p], newton[i], bool(free[p]), setting)
            elif kinds[i]:
                paths[p].status = "at a saddle" if kinds[i] == "saddle" else "on a plateau"
            else:
                stay.append(p)
        active = np.array(stay, dtype=np.int64)
        if not len(active):
            break
        here = y[active]
        f0 = rates(here, gradient[active], active)
        scale = np.append(np.repeat(setting.length(here)[:, np.newaxis], d, axis=1), np.ones((len(here), 1)), axis=1)
        new = step[active] == 0.0
        step[active[new]] = 0.1 / np.abs(f0[new] / scale[new]).max(axis=1)
        t = step[active][:, np.newaxis]
        speed, change = speeds(setting.method, here)
        jacobian = speed[:, :, np.newaxis] * hessian[active]
        jacobian[:, :, d] += change * gradient[active]
        held = ~free[active]
        jacobian[held, d, :] = jacobian[held, :, d] = 0.0
        w = np.eye(n) - c * t[:, :, np.newaxis] * jacobian
        k1 = np.linalg.solve(w, f0[..., np.newaxis])[..., 0]
        middle = here + 0.5 * t * k1
        middle[:, d] = np.clip(middle[:, d], here[:, d] - 1.0, here[:, d] + 1.0)
        f1 = rates(middle, objective(middle, setting.joint, False)[1], active)
        k2 = np.linalg.solve(w, (f1 - k1)[..., np.newaxis])[..., 0] + k1
        there = here + t * k2
        there[:, d] = np.clip(there[:, d], here[:, d] - 2.0, here[:, d] + 2.0)
        value, slopes, curvatures = objective(there, setting.joint, True)
        f2 = rates(there, slopes, active)
        k3 = np.linalg.solve(w, (f2 - e * (k2 - f1) - 2.0 * (k1 - f0))[..., np.newaxis])[..., 0]
        error = np.abs(t / 6.0 * (k1 - 2.0 * k2 + k3) / scale).max(axis=1) / _LOCAL_ERROR
        # steps of more than half of what u changes over could jump across a valley unseen
        moved = np.abs(there - here) / scale
        error = np.maximum(error, (moved.max(axis=1) / 0.5) ** 3)
        factor = np.clip(0.9 * np.maximum(error, 1e-6) ** (-1.0 / 3.0), 0.1, 10.0)
        accepted = error <= 1.0
        crossing = accepted & free[active] & (there[:, d] < setting.lowest - 1e-9)
        # onto the floor, not through it: the same step, shortened by the share that is beyond
        share = (here[crossing, d] - setting.lowest) / (here[crossing, d] - there[crossing, d])
        factor[crossing] = np.clip(share, 0.1, 1.0)
        landed = crossing & (there[:, d] > setting.lowest - 1e-3)
        there[landed, d] = setting.lowest
        accepted &= ~crossing | landed
        if landed.any():
            value[landed], slopes[landed], curvatures[landed] = objective(there[landed], setting.joint, True)
        step[active] *= np.where(landed, 1.0, factor)
        done = active[accepted]
        y[done], gradient[done], hessian[done] = there[accepted], slopes[accepted], curvatures[accepted]
        time[done] += t[accepted, 0]
        stay = []
        for i, p in enumerate(active):
            if accepted[i]:
                paths[p].add(y[p], float(time[p]), float(value[i]))
                ended = ended_by(y[p], bool(free[p]), setting)
                if ended:
                    paths[p].status = ended
                    continue
            stay.append(p)
        active = np.array(stay, dtype=np.int64)
        if not len(active):
            break
    return paths


def ended_by(y: Array, joint: bool, setting: Setting) -> str:
    if setting.outside(y[:-1]):
        return "left the box"
    if joint and y[-1] > math.log(setting.grown):
        return "sigma outgrew the box"
    return ""


def _polish(
    objective: Objective, path: AscentPath, y: Array, time: float, newton: Array, free: bool, setting: Setting
) -> None:
    """Newton's method to the maximum that is near."""
    n = len(y) if free else len(y) - 1
    length = float(setting.length(y[np.newaxis])[0])
    scale = np.append(np.full(len(y) - 1, length), 1.0)
    there = y + newton
    for _ in range(20):
        _, gradient, hessian = objective(there[np.newaxis], free, True)
        step, _, _ = _newton(gradient[0, :n], hessian[0, :n, :n], scale[:n], setting.round_off)
        there[:n] += step * scale[:n]
        if np.abs(step).max() * length <= 0.1 * setting.tolerance:
            break
    value, _, _ = objective(there[np.newaxis], setting.joint, False)
    path.add(there, time, float(value[0]))
    path.status = "left the box" if setting.outside(there[:-1]) else "maximum"
