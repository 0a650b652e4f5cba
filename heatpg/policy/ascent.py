"""Ascent on the mollified objective L(mu, sigma^2) from any start: where a policy gradient goes, and where it stops.

L solves the heat equation, so dL/dmu = grad u and dL/dsigma^2 = 1/2 Laplace(u). Jointly in (mu, sigma^2) there is no
local maximum with sigma^2 > 0, yet an ascent may end at a poor one with sigma -> 0.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.core.field import RESOLVED, HeatField
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import GridError, NonFiniteError, SigmaError, UnknownNameError, UnsupportedError
from heatpg.evolution import solve
from heatpg.policy.estimators import (
    ESTIMATORS,
    ActionValue,
    Source,
    check_samples,
    draw_units,
    parse_means,
    parse_sigma,
    refuse_walls,
)
from heatpg.tools.arguments import whole_number

__all__ = ["METHODS", "Ascent", "MollifiedFunction", "ascend", "ascend_all"]

Array = NDArray[np.float64]

METHODS = ("fixed", "variance", "log_sigma", "natural", "annealed")
"""Names of the methods."""

_LOCAL_ERROR = 1e-4  # of a step: in mu as a share of sigma (at least of a spacing), in log sigma as it is
_NEWTON_REACH = 0.02  # from here Newton's method converges quadratically, as a share of sigma or a spacing
_VANISHED = 0.1  # of a spacing: far below what the grid can tell
_VANISHED_FUNCTION = 1e-3  # of the sigma at the start, where there is no grid
_GROWN = 4.0  # longest side of the box: beyond it the landscape is one hill
_COOLING = 0.85
_LAST_STAGE = 0.02  # of the sigma at the start, where there is no grid
_SAME_HEIGHT = 1e-6  # of the oscillation
_ROUND_OFF = 4096 * float(np.finfo(np.float64).eps)
_NODES = {1: 1025, 2: 129, 3: 41}
_NODES_REACH = 8.5


# The exact field --------------------------------------------------------------------------------------------------


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
    >>> from heatpg.policy.ascent import MollifiedFunction
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


class _Objective:
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
        parts = self.field.derivatives(_into_box(y[:, :d], self.grid), sigma * self.ratio, order)

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


def _into_box(means: Array, grid: Grid | None) -> Array:
    """Where u is to be read: the walls of closed axes hold what round-off takes across."""
    if grid is None:
        return means
    places = means.copy()
    for i, axis in enumerate(grid):
        if not (axis.rule.free_space or axis.rule.periodic):
            places[:, i] = np.clip(places[:, i], axis.lower, axis.upper)
    return places


def _speed(method: str, y: Array) -> tuple[Array, Array]:
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


# The result -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Ascent:
    """The path of one ascent, and where and why it ended.

    Attributes
    ----------
    means
        mu along the path, shape (n, d), the start first. On a periodic axis the path is not wrapped.
    sigmas
        Noise level along the path, shape (n,); with one sigma per axis shape (n, d).
    times
        Flow time, shape (n,); for steps of a given rate the rate times their number.
    values
        L along the path, shape (n,); NaN where only samples were drawn.
    at_means
        Q at the means, shape (n,): what the policy would earn without its noise.
    method
        Name of the method.
    gradient
        ``exact``, or the name of the estimator.
    status
        ``converged``: at a maximum, the highest one at its sigma as far as is known. ``stalled at a maximum``: at one
        that is not the highest. ``at the floor``: at a maximum with sigma on its floor. ``sigma went to zero``: at a
        maximum, with sigma below anything that the grid resolves. ``sigma outgrew the box``: the entropy bonus won.
        ``left the box``: mu crossed the box's edge. ``at a saddle``: stationary, and no maximum. ``on a plateau``: no
        slope to follow above round-off. ``budget spent``: still moving after the last step.
    sentence
        The end in words.
    """

    means: Array
    sigmas: Array
    times: Array
    values: Array
    at_means: Array
    method: str
    gradient: str
    status: str
    sentence: str

    @property
    def mean(self) -> Array:
        """Last mean, shape (d,)."""
        return np.asarray(self.means[-1])

    @property
    def sigma(self) -> Array:
        """Last sigma, a number or one per axis."""
        return np.asarray(self.sigmas[-1])

    def __len__(self) -> int:
        return len(self.means)

    def __str__(self) -> str:
        lines = [f"{self.method} ascent, {self.gradient} gradient, {len(self) - 1} steps: {self.status}"]
        for name, k in (("start", 0), ("end", -1)):
            value = f"  L {self.values[k]:.6g}" if math.isfinite(self.values[k]) else ""
            lines.append(
                f"  {name:5}  mu {_place(self.means[k])}  sigma {_place(np.atleast_1d(self.sigmas[k]))}{value}"
                f"  Q(mu) {self.at_means[k]:.6g}"
            )
        return "\n".join([*lines, self.sentence])

    def as_dict(self) -> dict[str, Any]:
        """The ascent as JSON-like values."""
        arrays = ("means", "sigmas", "times", "values", "at_means")
        return {name: getattr(self, name) for name in ("method", "gradient", "status", "sentence")} | {
            name: _json(getattr(self, name)) for name in arrays
        }


def _json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_json(row) for row in value]
    return float(value) if math.isfinite(value) else None


def _place(point: Array) -> str:
    return "(" + ", ".join(f"{x:.6g}" for x in point) + ")"


# The engine -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class _Path:
    """What is recorded of one start."""

    y: list[Array]
    times: list[float]
    values: list[float]
    status: str = "budget spent"

    def append(self, later: _Path) -> None:
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
class _Setting:
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


def _classify(
    y: Array, gradient: Array, hessian: Array, free: Array, setting: _Setting, reach: float
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


def _flow(objective: _Objective, y: Array, setting: _Setting, steps: int) -> list[_Path]:
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
    paths = [_Path([y[p].copy()], [0.0], [float(value[p])]) for p in range(count)]
    active = np.arange(count)

    def rates(z: Array, slope: Array, who: NDArray[np.int64]) -> Array:
        rate = _speed(setting.method, z)[0] * slope
        rate[~free[who], d] = 0.0
        return rate

    for _ in range(steps):
        if setting.joint:  # a floor holds sigma while the slope points below it
            free[active] = (y[active, d] > setting.lowest) | (gradient[active, d] > 0)
        kinds, newton = _classify(y[active], gradient[active], hessian[active], free[active], setting, _NEWTON_REACH)
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
        speed, change = _speed(setting.method, here)
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
                ended = _ended(y[p], bool(free[p]), setting)
                if ended:
                    paths[p].status = ended
                    continue
            stay.append(p)
        active = np.array(stay, dtype=np.int64)
        if not len(active):
            break
    return paths


def _ended(y: Array, joint: bool, setting: _Setting) -> str:
    if setting.outside(y[:-1]):
        return "left the box"
    if joint and y[-1] > math.log(setting.grown):
        return "sigma outgrew the box"
    return ""


def _polish(
    objective: _Objective, path: _Path, y: Array, time: float, newton: Array, free: bool, setting: _Setting
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


def _steps(
    objective: _Objective | None,
    q: ActionValue,
    y: Array,
    setting: _Setting,
    steps: int,
    rate: float,
    estimator: str,
    samples: int,
    generators: Sequence[np.random.Generator],
    entropy: float,
) -> list[_Path]:
    """Plain steps y <- y + rate P(y) grad J, with the exact gradient or an estimate of it."""
    paths = []
    d = y.shape[1] - 1
    for here, generator in zip(y, generators, strict=True):
        path = _Path([here.copy()], [0.0], [math.nan])
        for k in range(1, steps + 1):
            row = here[np.newaxis]
            if objective is None:
                slope = _sampled_slope(q, here, setting, estimator, samples, generator, entropy)
            else:
                value, slopes, hessian = objective(row, setting.joint, True)
                path.values[-1] = float(value[0])
                free = setting.joint and bool(here[d] > setting.lowest or slopes[0, d] > 0)
                # only a point that is as good as on the maximum ends plain steps
                reach = setting.tolerance / float(setting.length(row)[0])
                kind = _classify(row, slopes, hessian, np.array([free]), setting, reach)[0][0]
                if kind:
                    path.status = {"maximum": "maximum", "saddle": "at a saddle"}.get(kind, "on a plateau")
                    break
                slope = slopes[0]
            with np.errstate(over="ignore", invalid="ignore"):  # what overflows is named below
                move = rate * _speed(setting.method, row)[0][0] * slope
            if setting.joint and setting.method == "variance":  # a step in sigma^2, not in its logarithm
                s = math.exp(2.0 * here[d])
                move[d] = 0.5 * math.log(max(s + 2.0 * s * move[d], math.exp(2.0 * setting.lowest))) - here[d]
            elif not setting.joint:
                move[d] = 0.0
            here = here + move
            here[d] = max(here[d], setting.lowest) if setting.joint else here[d]
            here[:d] = _into_box(here[np.newaxis, :d], setting.grid)[0]
            if not np.isfinite(here).all():
                raise NonFiniteError(
                    "a step leads to infinity", given=f"rate={rate}, step {k}", advice="take a smaller rate"
                )
            path.add(here, k * rate, math.nan)
            ended = _ended(here, setting.joint, setting)
            if not ended and objective is None and setting.joint and setting.floor == 0 and here[d] <= setting.lowest:
                ended = "sigma went to zero"  # where samples are all noise
            if ended:
                path.status = ended
                break
        if objective is not None:
            path.values[-1] = float(objective(here[np.newaxis], False, False)[0][0])
        paths.append(path)
    return paths


def _sampled_slope(
    q: ActionValue,
    here: Array,
    setting: _Setting,
    estimator: str,
    samples: int,
    generator: np.random.Generator,
    entropy: float,
) -> Array:
    """Estimate of grad J in (mu, log sigma), both from the same noise."""
    d = len(here) - 1
    sigma = setting.ratio * math.exp(here[d])
    parameters = ("mean", "variance") if setting.joint else ("mean",)
    units = draw_units(q, here[:d], sigma, estimator, parameters, common=True, samples=samples, generator=generator)
    slope = np.zeros(d + 1)
    slope[:d] = units[0].mean(axis=0)
    if setting.joint:
        slope[d] = 2.0 * math.exp(2.0 * here[d]) * float(units[1].mean()) + entropy * d
    return slope


def _levels(schedule: ArrayLike | None, sigma: float, last: float) -> list[float]:
    """Noise levels of an annealed ascent, from sigma on, none above the one before it."""
    if schedule is None:
        count = max(0, math.ceil(math.log(last / sigma) / math.log(_COOLING)))
        return [sigma] if count == 0 else np.geomspace(sigma, last, count + 1).tolist()
    try:
        levels = np.asarray(schedule, dtype=np.float64)
    except (TypeError, ValueError):
        raise SigmaError("the schedule must be numbers", given=repr(schedule)) from None
    if levels.ndim != 1 or levels.size == 0 or not np.isfinite(levels).all() or not (levels > 0).all():
        raise SigmaError("the schedule must be positive numbers", given=repr(schedule))
    levels = np.concatenate(([sigma], levels))
    if (np.diff(levels) > 0).any():
        raise SigmaError(
            "the schedule must not rise", given=repr(schedule), allowed=f"falling numbers from sigma={sigma:g} on"
        )
    return [float(level) for level in levels]


def _number(value: Any, what: str, *, positive: bool) -> float:
    number = math.nan
    if not isinstance(value, bool) and isinstance(value, int | float | np.integer | np.floating):
        number = float(value)
    if not math.isfinite(number) or number < 0 or (positive and number == 0):
        raise UnsupportedError(
            f"{what} is out of range", given=repr(value), allowed="a number > 0" if positive else "a number >= 0"
        )
    return number


def _check_options(
    method: str, gradient: str, rate: float | None, floor: float, entropy: float, schedule: ArrayLike | None
) -> None:
    """Refuse options that this method would ignore."""
    if method not in METHODS:
        raise UnknownNameError("unknown method of ascent", given=repr(method), allowed=", ".join(map(repr, METHODS)))
    if gradient not in ("exact", *ESTIMATORS):
        raise UnknownNameError(
            "unknown gradient", given=repr(gradient), allowed=", ".join(map(repr, ("exact", *ESTIMATORS)))
        )
    if gradient != "exact" and rate is None:
        raise UnsupportedError(
            "a sampled gradient is followed in steps of a given rate",
            given=f"gradient={gradient!r}, rate=None",
            allowed="rate > 0, or gradient='exact'",
        )
    joint = method in ("variance", "log_sigma", "natural")
    if entropy and not joint:
        raise UnsupportedError(
            "an entropy bonus moves nothing while sigma is prescribed",
            given=f"method={method!r}, entropy={entropy}",
            allowed="variance, log_sigma, natural",
        )
    if floor and method == "fixed":
        raise UnsupportedError("a fixed sigma needs no floor", given=f"sigma_floor={floor}")
    if schedule is not None and method != "annealed":
        raise UnsupportedError("a schedule is for method='annealed'", given=f"method={method!r}")


def _parse_starts(starts: ArrayLike, grid: Grid | None) -> tuple[Array, bool]:
    places, single = parse_means(starts, grid)
    for i, axis in enumerate(grid or ()):
        outside = (places[:, i] < axis.lower) | (places[:, i] > axis.upper)
        if outside.any() and not axis.rule.periodic:
            raise GridError(
                f"a start lies outside the box along axis {axis.name!r}",
                given=_place(places[outside][0]),
                allowed=f"{axis.lower:g} to {axis.upper:g}",
            )
    return places, single


def _oscillation(source: Source, places: Array, sigma: Array) -> float:
    """Size of the differences of Q, over the box or over what the noise reaches; a flat Q is refused."""
    if isinstance(source, Landscape):
        size = source.oscillation
    else:
        q = ActionValue(source)
        noise = np.random.default_rng(0).standard_normal((1000, places.shape[1]))
        values = [q.value(np.concatenate((place[np.newaxis], place + sigma * noise))) for place in places]
        size = max(float(np.ptp(row)) for row in values)
    if not size > 0:
        raise UnsupportedError(
            "the landscape is flat: no place is higher than another",
            given="the same value everywhere" if isinstance(source, Landscape) else "the same value at 1000 samples",
        )
    return size


def ascend_all(
    source: Source,
    starts: ArrayLike,
    sigma: ArrayLike,
    *,
    method: str = "fixed",
    gradient: str = "exact",
    rate: float | None = None,
    steps: int = 2000,
    sigma_floor: float = 0.0,
    entropy: float = 0.0,
    schedule: ArrayLike | None = None,
    samples: int = 100,
    seed: int = 0,
    tolerance: float = 1e-6,
    slope: Callable[..., Any] | None = None,
) -> list[Ascent]:
    """Ascend from many starts at once; see `ascend`.

    Parameters
    ----------
    starts
        Means to start from, shape (P, d).
    source, sigma, method, gradient, rate, steps, sigma_floor, entropy, schedule, samples, seed, tolerance, slope
        As for `ascend`, the same for all starts. Each start has steps of its own and, if its gradient is sampled, noise
        of its own: the end of one does not depend on what the others are.

    Returns
    -------
    ascents
        One per start, in their order.

    Raises
    ------
    GridError, SigmaError, UnknownNameError, UnsupportedError, NonFiniteError
        As `ascend`.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.policy.ascent import ascend_all
    >>> q = landscapes.two_bumps(width=0.5)  # bumps at -1 and 1, which merge at sigma^2 = 0.75
    >>> [ascent.status for ascent in ascend_all(q, [[-0.5], [0.0], [0.5]], 0.3)]
    ['converged', 'at a saddle', 'converged']
    """
    entropy = _number(entropy, "the entropy bonus", positive=False)
    floor = _number(sigma_floor, "the floor of sigma", positive=False)
    tolerance = _number(tolerance, "the tolerance", positive=True)
    _check_options(method, gradient, rate, floor, entropy, schedule)
    pace = 0.0 if rate is None else _number(rate, "the rate", positive=True)
    steps, seed = whole_number("steps", steps), whole_number("seed", seed, least=0)
    q = ActionValue(source, slope)
    places, _ = _parse_starts(starts, q.grid)
    count, d = places.shape
    deviations, common = parse_sigma(sigma, d)
    joint = method in ("variance", "log_sigma", "natural")
    if not common and method != "fixed":
        raise SigmaError(
            "one sigma per axis is for method='fixed'", given=repr(sigma), allowed=f"one number for method={method!r}"
        )
    if gradient != "exact":
        refuse_walls(q)
        samples = check_samples(samples, gradient, d)
    first = float(deviations.min())
    if floor >= first:
        raise SigmaError("the floor of sigma must lie below its start", given=f"{floor:g}", allowed=f"< {first:g}")
    size = _oscillation(source, places, deviations)
    spacing = 0.0 if q.grid is None else min(q.grid.spacing)
    longest = 1e3 * first if q.grid is None else _GROWN * max(axis.length for axis in q.grid)
    setting = _Setting(
        method,
        joint,
        floor,
        _VANISHED * spacing if q.grid is not None else _VANISHED_FUNCTION * first,
        max(longest, 2.0 * first),
        spacing,
        tolerance * (spacing or first),
        _ROUND_OFF * size,
        q.grid,
        deviations / first,
    )
    if joint and first <= math.exp(setting.lowest):
        raise SigmaError(
            "sigma starts below what the grid resolves",
            given=f"{first:g}",
            allowed=f"> {math.exp(setting.lowest):g}, a tenth of a spacing",
        )
    objective = _Objective(source, d, setting.ratio, entropy) if gradient == "exact" else None
    generators = [np.random.default_rng([seed, p]) for p in range(count)]
    last = floor or (_LAST_STAGE * first if q.grid is None else RESOLVED * max(q.grid.spacing))
    levels = _levels(schedule, first, last) if method == "annealed" else [first]
    y = np.concatenate((places, np.full((count, 1), math.log(first))), axis=1)
    paths = [_Path([], [], []) for _ in range(count)]
    for level in levels:
        inside = [p for p in range(count) if paths[p].status != "left the box"]
        if not inside:
            break
        y[:, d] = math.log(level)
        if objective is not None and rate is None:
            found = _flow(objective, y[inside], setting, steps)
        else:
            share, mine = max(1, steps // len(levels)), [generators[p] for p in inside]
            found = _steps(objective, q, y[inside], setting, share, pace, gradient, samples, mine, entropy)
        for p, path in zip(inside, found, strict=True):
            paths[p].append(path)
            y[p] = path.y[-1]
    highest: dict[float, float] = {}
    return [_ascent(path, q, setting, gradient, highest) for path in paths]


def ascend(
    source: Source,
    start: ArrayLike,
    sigma: ArrayLike,
    *,
    method: str = "fixed",
    gradient: str = "exact",
    rate: float | None = None,
    steps: int = 2000,
    sigma_floor: float = 0.0,
    entropy: float = 0.0,
    schedule: ArrayLike | None = None,
    samples: int = 100,
    seed: int = 0,
    tolerance: float = 1e-6,
    slope: Callable[..., Any] | None = None,
) -> Ascent:
    """Follow the gradient of J = L(mu, sigma^2) + tau d log(sigma) from a start, and say where and why it ends.

    With s = sigma^2, u = L, J_mu = grad u and J_s = 1/2 Laplace(u) + tau d / (2 s):

    - ``fixed``: mu' = J_mu at a fixed sigma;
    - ``variance``: mu' = J_mu, s' = J_s;
    - ``log_sigma``: mu' = J_mu, (log sigma)' = 2 s J_s;
    - ``natural``: mu' = s J_mu, s' = (2 s^2 / d) J_s, by the Fisher matrix of N(mu, s I): 1 / s and d / (2 s^2);
    - ``annealed``: as fixed, at one sigma after the other, each from where the last one ended.

    Parameters
    ----------
    source
        A landscape of up to 3 dimensions (`HeatField`), or a function called as ``Q(x1, ..., xd)`` on arrays
        (`MollifiedFunction`). A sampled gradient has no limit of dimensions.
    start
        mu to start from, shape (d,), inside the box; along a periodic axis anywhere.
    sigma
        Noise to start with, one number; for ``fixed`` also one per axis, shape (d,).
    method
        One of the above.
    gradient
        ``exact``, or the name of an estimator: see `heatpg.policy.estimators.estimate_gradient`.
    rate
        None: the flow itself is followed, with steps that its local error chooses (exact gradients only). A number:
        plain steps of this rate; for ``variance`` in (mu, s), else in (mu, log sigma).
    steps
        Most steps; of the flow at each stage of a schedule, of plain steps in all.
    sigma_floor
        Sigma is held there while the slope points below it; of ``annealed`` the last sigma.
    entropy
        tau, weight of the entropy bonus, in the units of Q.
    schedule
        Noise levels after the first, falling. By default steps of about 0.85 down to the floor, or to 1.5 spacings.
    samples, seed
        Of a sampled gradient: evaluations per step, and the seed of the noise.
    tolerance
        Accuracy of a maximum that the flow ends at, in spacings of the finest axis (for a function, in sigmas). Plain
        steps end when they are so near.
    slope
        Gradient of a function, for the estimator ``reparametrised``.

    Returns
    -------
    ascent
        The path, and its end in a word and in a sentence.

    Raises
    ------
    GridError
        For starts of the wrong shape or outside the box.
    SigmaError
        For noise that is not positive, a floor above it, a schedule that rises.
    UnknownNameError, UnsupportedError
        For unknown methods and gradients, flat landscapes, batch axes, options that a method would ignore, sampled
        gradients without a rate or at an absorbing wall.
    NonFiniteError
        For a start that is not finite, a Q that is not, or a rate so large that a step leads to infinity.

    Notes
    -----
    The flow is integrated in (mu, log sigma) with a local error of 1e-4 sigma per step by an L-stable Rosenbrock
    method; a maximum that comes near is then found by Newton's method. Below 1.5 spacings the field is interpolated.
    At a tenth of a spacing (for a function at a thousandth of the first sigma) sigma counts as 0: it is held there, and
    mu goes on to a maximum. In (mu, sigma^2) sigma gets there in finite time, before mu has settled; in (mu, log sigma)
    and by natural gradient it decays like the inverse square root of time. Sampled ascents end there.

    Without an entropy bonus no joint ascent can end at a maximum with sigma > 0: there is none (strong maximum
    principle). It may yet end at a poor one, with sigma -> 0. With a bonus on a Gaussian bump of height h and width w
    in d dimensions, sigma comes to rest where h w^d s = tau (w^2 + s)^(d/2 + 1), at the smaller of the two roots.

    References
    ----------
    L. F. Shampine, M. W. Reichelt, The MATLAB ODE suite, SIAM J. Sci. Comput. 18 (1997) 1-22,
    doi:10.1137/S1064827594276424. S. Amari, Natural gradient works efficiently in learning, Neural Comput. 10 (1998)
    251-276, doi:10.1162/089976698300017746.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> from heatpg.policy.ascent import ascend
    >>> q = landscapes.unequal_bumps(size=321)  # heights 0.6 at -1 and 1 at +1
    >>> for sigma in (0.9, 1.2):
    ...     end = ascend(q, [-1.0], sigma, method="natural")
    ...     print(end.mean.round(2), end.status)
    [-1.] sigma went to zero
    [1.] sigma went to zero
    """
    places, single = _parse_starts(start, source.grid if isinstance(source, Landscape) else None)
    if not single:
        raise GridError(
            "one start is wanted", given=f"shape {places.shape}", allowed="shape (d,)", advice="use ascend_all"
        )
    return ascend_all(
        source,
        places,
        sigma,
        method=method,
        gradient=gradient,
        rate=rate,
        steps=steps,
        sigma_floor=sigma_floor,
        entropy=entropy,
        schedule=schedule,
        samples=samples,
        seed=seed,
        tolerance=tolerance,
        slope=slope,
    )[0]


def _ascent(path: _Path, q: ActionValue, setting: _Setting, gradient: str, highest: dict[float, float]) -> Ascent:
    """The result, with the end put into words."""
    y, d = np.stack(path.y), len(path.y[0]) - 1
    means, sigmas = y[:, :d], np.exp(y[:, d:]) * setting.ratio
    landscape = q.source if isinstance(q.source, Landscape) else None
    values = np.array(path.values)
    if landscape is not None and gradient != "exact" and d <= 3:
        values = HeatField(landscape).value(means, sigmas)
    at_means = q.value(means)
    level, place = float(np.exp(y[-1, d])), f"mu = {_place(means[-1])}"
    top = None if landscape is None else float(landscape.values.max())
    status, sentence = path.status, ""
    if status == "maximum" and setting.joint and y[-1, d] <= setting.lowest:
        if setting.floor == 0:
            status = "sigma went to zero"
        else:
            status, sentence = "at the floor", f"a maximum at {place} with sigma on its floor {level:.4g}"
    elif status == "maximum":
        status, sentence = "converged", f"a maximum at {place}, sigma = {level:.4g}"
        if landscape is not None and not setting.joint:
            if level not in highest:
                sigma = sigmas[-1].tolist()
                highest[level] = float(solve(landscape, [sigma] if d > 1 else sigma).values.max())
            if values[-1] < highest[level] - _SAME_HEIGHT * landscape.oscillation:
                status = "stalled at a maximum"
                sentence += f": L = {values[-1]:.6g}, where another place has {highest[level]:.6g}"
            else:
                sentence += ", the highest at this sigma"
    elif status == "sigma outgrew the box":
        sentence = f"sigma grew to {level:.4g} at {place}: the entropy bonus outweighs the landscape"
    elif status == "left the box":
        sentence = f"the mean crossed the edge of the box at {place}, sigma = {level:.4g}"
    elif status == "at a saddle":
        sentence = f"stationary but no maximum at {place}, sigma = {level:.4g}: any noise moves on from here"
    elif status == "on a plateau":
        sentence = f"no slope above round-off at {place}, sigma = {level:.4g}"
    elif status == "budget spent":
        sentence = f"still moving at {place}, sigma = {level:.4g}, after {len(y) - 1} steps"
    if status == "sigma went to zero":
        sentence = f"sigma fell to {level:.3g} and below at {place}: the policy became deterministic"
    if top is not None:
        sentence += f"; Q is {at_means[-1]:.6g} there, and {top:.6g} at best"
    if setting.spacing and status != "sigma went to zero" and level < (1.0 - 1e-9) * RESOLVED * setting.spacing:
        sentence += "; sigma is below 1.5 spacings, where the field is interpolated"
    return Ascent(
        means,
        sigmas if (setting.ratio != 1.0).any() else sigmas[:, 0],
        np.array(path.times),
        values,
        at_means,
        setting.method,
        gradient,
        status,
        sentence + ".",
    )
