"""The gradient flow of the mollified objective: its derivatives, its steps, and the points at which it rests.

y = (mu, log sigma) follows y' = P(y) grad J, J = L + tau d log(sigma). L solves the heat equation, so that every
derivative in sigma is one in mu, and value, gradient and Hessian of J all come from the derivatives of one field. The
flow itself is integrated with them; a learner takes plain steps of a given rate, as a rule with a sampled gradient.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.field import HeatField
from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.errors import NonFiniteError, UnsupportedError
from heatpg.policy.estimators import draw_units
from heatpg.policy.source import ActionValue, Source
from heatpg.quadrature.seeded import Seeded
from heatpg.tools.calls import checked_class

__all__ = [
    "AscentPath",
    "MollifiedFunction",
    "Objective",
    "SampledGradient",
    "Setting",
    "follow_flow",
    "plain_steps",
]

Array = NDArray[np.float64]

# Taste: of a step, in mu as a share of sigma (at least of a spacing), in log sigma as it is. Paths are drawn and
# compared to a percent; where they end is found by Newton's method, whatever the error on the way.
_LOCAL_ERROR = 1e-4
_LONGEST_MOVE = 0.5  # of a step, in units of `Setting.length`: a longer one could cross a valley unseen
_FIRST_MOVE = 0.1  # of the first step, in that unit: taste, the step control finds its own length from there
# In that unit Newton's method converges quadratically from here where the third derivative is of the order of the
# second: a step of 0.02 leaves 4e-4, then 1e-7, then 1e-14.
_NEWTON_REACH = 0.02
_NEWTON_STEPS = 20  # of which it needs four or five
# Of the largest curvature: a direction that is flatter counts as flat, such as along a ridge (taste).
_FLAT = 1e-9
_AT_FLOOR = 1e-9  # of log sigma: what counts as on the floor
_LANDING = 1e-3  # of log sigma: a step that ends by less beyond the floor is put onto it
# Nodes per axis of the lattice for a function: as many as about 70,000 points allow in three dimensions (taste). The
# trapezoid rule for a smooth integrand that vanishes at both ends converges faster than any power of its step.
_NODES = {1: 1025, 2: 129, 3: 41}
_NODES_REACH = 8.5  # where exp(-z^2 / 2) = 2e-16 is lost in the rounding of the sum


@checked_class()
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

    def __init__(self, function: Callable[..., Any] | Seeded, dimensions: int) -> None:
        if dimensions not in _NODES:
            raise UnsupportedError(
                "the exact gradient of a function is a lattice sum, available in up to 3 dimensions",
                given=f"{dimensions} dimensions",
                advice="use a sampled gradient: gradient='antithetic', rate=..., or see heatpg.quadrature.mollify",
            )
        self.value_at = ActionValue(function)
        line = np.linspace(-_NODES_REACH, _NODES_REACH, _NODES[dimensions])
        weights = np.exp(-0.5 * line**2)
        weights /= weights.sum()
        # w He_m(z), by He_(m+1) = z He_m - m He_(m-1)
        table = [np.ones_like(line), line]
        for m in range(1, 4):  # u is differentiated at most four times: the Hessian in log sigma holds Laplace^2 u
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
            # one sum over the lattice for all mixed derivatives: each axis turns its nodes into orders 0 to `order`
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
        # For n = 0 to 4 which derivative stands at each entry of the tensor of all n-th derivatives: the field gives
        # those by order along each axis, (i, j) of the Hessian is order 1 along i and along j.
        self._pick = [
            [tuple(axes.count(i) for i in range(dimensions)) for axes in itertools.product(range(dimensions), repeat=n)]
            for n in range(5)
        ]

    def __call__(self, y: Array, joint: bool, second: bool) -> tuple[Array, Array, Array]:
        """L of shape (P,), gradient (P, d + 1) and Hessian (P, d + 1, d + 1) of J; rows of log sigma are 0 if held."""
        d = y.shape[1] - 1
        sigma = np.exp(y[:, d:])
        # a derivative in log sigma costs two in mu
        order = (2 if second else 1) * (2 if joint else 1)
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
            # With s = sigma^2, d/dlog sigma = 2 s d/ds and u_s = 1/2 Laplace u, so that J_log = s Laplace u + tau d,
            # and once more J_loglog = 2 s Laplace u + s^2 Laplace^2 u. One sigma for all axes: `ratio` is 1 here.
            gradient[:, d] = s * laplacian + self.entropy * d
            if second:
                mixed = s[:, np.newaxis] * np.einsum("pijj->pi", full(3))
                hessian[:, :d, d] = hessian[:, d, :d] = mixed
                hessian[:, d, d] = 2.0 * s * laplacian + s**2 * np.einsum("piijj->p", full(4))
        return full(0), gradient, hessian


def _into_box(means: Array, grid: Grid | None) -> Array:
    """Where u is to be evaluated: on closed axes a mean that rounding has taken across a wall is put back onto it."""
    if grid is None:
        return means
    places = means.copy()
    for i, axis in enumerate(grid):
        if not (axis.rule.free_space or axis.rule.periodic):
            places[:, i] = np.clip(places[:, i], axis.lower, axis.upper)
    return places


def _speeds(method: str, y: Array) -> tuple[Array, Array]:
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
    """What is recorded of one start: points y = (mu, log sigma), flow times, values of L, and how it ended."""

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
        """Go on by one point."""
        self.y.append(y.copy())
        self.times.append(time)
        self.values.append(value)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What does not change from step to step.

    Attributes
    ----------
    method
        Name of the flow.
    joint
        Whether sigma moves too.
    floor, vanished, grown
        Sigma at which noise is kept (0 for none), that counts as 0, and beyond which the box is of no account.
    spacing
        Of the finest axis; 0 for a function.
    tolerance
        Accuracy of a stationary point, in the units of mu.
    round_off
        What slopes and curvatures in units of `length` must exceed to be more than rounding.
    grid
        Of the landscape; None for a function.
    ratio
        Sigma of each axis over the smallest, shape (d,).
    """

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
        """Log of the sigma below which an ascent does not go."""
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
    curved = np.abs(roots) > max(_FLAT * float(np.abs(roots).max()), round_off)
    along = vectors.T @ slope
    level = bool((np.abs(along[~curved]) <= round_off).all())
    if not curved.any():
        return np.zeros_like(slope), 0.0, level
    step = -vectors[:, curved] @ (along[curved] / roots[curved])
    return step, float(roots[curved][-1]), level


def _classify(
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
        # Newton's method is drawn to a maximum and to a saddle alike, and the flow passes saddles by: so a maximum
        # counts from afar, with the step that leads to it, and a saddle only within the tolerance of it.
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
    not shorten the steps (Shampine and Reichelt 1997). All starts advance together, because u is evaluated at many
    points at once for little more than at one; each has its own time and step length.
    """
    c, e = 1.0 / (2.0 + math.sqrt(2.0)), 6.0 + math.sqrt(2.0)
    count, n = y.shape
    d = n - 1
    y = y.copy()
    free = np.full(count, setting.joint)  # whether log sigma moves: not on the floor while the slope points below
    time, step = np.zeros(count), np.zeros(count)
    value, gradient, hessian = objective(y, setting.joint, True)
    paths = [AscentPath([y[p].copy()], [0.0], [float(value[p])]) for p in range(count)]
    active = np.arange(count)

    def rates(z: Array, slope: Array, which: NDArray[np.int64]) -> Array:
        rate = _speeds(setting.method, z)[0] * slope
        rate[~free[which], d] = 0.0
        return rate

    for _ in range(steps):
        if setting.joint:
            free[active] = (y[active, d] > setting.lowest) | (gradient[active, d] > 0)
        # Arrivals first: the flow reaches a maximum only in the limit, Newton's method in a few steps.
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
        step[active[new]] = _FIRST_MOVE / np.abs(f0[new] / scale[new]).max(axis=1)
        t = step[active][:, np.newaxis]
        # Jacobian of F = P grad J: P times the Hessian, and in the column of log sigma what P itself changes
        speed, change = _speeds(setting.method, here)
        jacobian = speed[:, :, np.newaxis] * hessian[active]
        jacobian[:, :, d] += change * gradient[active]
        held = ~free[active]
        jacobian[held, d, :] = jacobian[held, :, d] = 0.0
        w = np.eye(n) - c * t[:, :, np.newaxis] * jacobian
        k1 = np.linalg.solve(w, f0[..., np.newaxis])[..., 0]
        # Sigma is clipped only lest exp(log sigma) overflows: a step so long is refused below.
        middle = here + 0.5 * t * k1
        middle[:, d] = np.clip(middle[:, d], here[:, d] - 1.0, here[:, d] + 1.0)
        f1 = rates(middle, objective(middle, setting.joint, False)[1], active)
        k2 = np.linalg.solve(w, (f1 - k1)[..., np.newaxis])[..., 0] + k1
        there = here + t * k2
        there[:, d] = np.clip(there[:, d], here[:, d] - 2.0, here[:, d] + 2.0)
        value, slopes, curvatures = objective(there, setting.joint, True)
        f2 = rates(there, slopes, active)
        # k3 serves the estimate of the error alone, the difference from the third-order solution
        k3 = np.linalg.solve(w, (f2 - e * (k2 - f1) - 2.0 * (k1 - f0))[..., np.newaxis])[..., 0]
        error = np.abs(t / 6.0 * (k1 - 2.0 * k2 + k3) / scale).max(axis=1) / _LOCAL_ERROR
        # The limit of moves enters as an error: its cube, because the step is chosen by error^(-1/3).
        moved = np.abs(there - here) / scale
        error = np.maximum(error, (moved.max(axis=1) / _LONGEST_MOVE) ** 3)
        # The error is of third order in the step; 0.9 for safety, and at most a factor 10 at once (both customary).
        factor = np.clip(0.9 * np.maximum(error, 1e-6) ** (-1.0 / 3.0), 0.1, 10.0)
        accepted = error <= 1.0
        crossing = accepted & free[active] & (there[:, d] < setting.lowest - _AT_FLOOR)
        # onto the floor, not through it: the same step, shortened by the share that is beyond
        share = (here[crossing, d] - setting.lowest) / (here[crossing, d] - there[crossing, d])
        factor[crossing] = np.clip(share, 0.1, 1.0)
        landed = crossing & (there[:, d] > setting.lowest - _LANDING)
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
                ended = _ended_by(y[p], bool(free[p]), setting)
                if ended:
                    paths[p].status = ended
                    continue
            stay.append(p)
        active = np.array(stay, dtype=np.int64)
        if not len(active):
            break
    return paths


def _ended_by(y: Array, joint: bool, setting: Setting) -> str:
    """Why an ascent ends at a point that is not stationary; empty where it goes on."""
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
    for _ in range(_NEWTON_STEPS):
        _, gradient, hessian = objective(there[np.newaxis], free, True)
        # without sigma if it is held: its row of the Hessian is that of a slope that need not vanish
        step, _, _ = _newton(gradient[0, :n], hessian[0, :n, :n], scale[:n], setting.round_off)
        there[:n] += step * scale[:n]
        if np.abs(step).max() * length <= 0.1 * setting.tolerance:
            break
    value, _, _ = objective(there[np.newaxis], setting.joint, False)
    path.add(there, time, float(value[0]))
    path.status = "left the box" if setting.outside(there[:-1]) else "maximum"


@dataclasses.dataclass(frozen=True)
class SampledGradient:
    """The gradient of J from samples, each start with its own noise."""

    q: ActionValue
    estimator: str
    samples: int
    entropy: float

    def slope(self, here: Array, setting: Setting, generator: np.random.Generator) -> Array:
        """Estimate of grad J in (mu, log sigma), both from the same noise."""
        d = len(here) - 1
        sigma = setting.ratio * math.exp(here[d])
        parameters = ("mean", "variance") if setting.joint else ("mean",)
        units = draw_units(
            self.q, here[:d], sigma, self.estimator, parameters,
            common=True, samples=self.samples, generator=generator,
        )  # fmt: skip
        slope = np.zeros(d + 1)
        slope[:d] = units[0].mean(axis=0)
        if setting.joint:  # d/dlog sigma = 2 sigma^2 d/dsigma^2
            slope[d] = 2.0 * math.exp(2.0 * here[d]) * float(units[1].mean()) + self.entropy * d
        return slope


def plain_steps(
    gradient: Objective | SampledGradient,
    y: Array,
    setting: Setting,
    steps: int,
    rate: float,
    generators: Sequence[np.random.Generator],
) -> list[AscentPath]:
    """Plain steps y <- y + rate P(y) grad J, with the exact gradient or an estimate of it."""
    paths = []
    d = y.shape[1] - 1
    for here, generator in zip(y, generators, strict=True):
        path = AscentPath([here.copy()], [0.0], [math.nan])
        for k in range(1, steps + 1):
            row = here[np.newaxis]
            if isinstance(gradient, SampledGradient):
                slope = gradient.slope(here, setting, generator)
            else:
                value, slopes, hessian = gradient(row, setting.joint, True)
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
                move = rate * _speeds(setting.method, row)[0][0] * slope
            if setting.joint and setting.method == "variance":
                # A step in s = sigma^2 and not in its logarithm: s + ds, ds = 2 s d(log sigma), held above the floor.
                s = math.exp(2.0 * here[d])
                move[d] = 0.5 * math.log(max(s + 2.0 * s * move[d], math.exp(2.0 * setting.lowest))) - here[d]
            elif not setting.joint:
                move[d] = 0.0
            here = here + move
            here[d] = max(here[d], setting.lowest) if setting.joint else here[d]
            here[:d] = _into_box(here[np.newaxis, :d], setting.grid)[0]
            if not np.isfinite(here).all():
                raise NonFiniteError("a step diverges", given=f"rate={rate}, step {k}", advice="use a smaller rate")
            path.add(here, k * rate, math.nan)
            ended = _ended_by(here, setting.joint, setting)
            vanished = setting.joint and setting.floor == 0 and here[d] <= setting.lowest
            if not ended and vanished and isinstance(gradient, SampledGradient):
                ended = "sigma went to zero"  # samples there are all noise, while exact steps go on to a maximum
            if ended:
                path.status = ended
                break
        if not isinstance(gradient, SampledGradient):
            path.values[-1] = float(gradient(here[np.newaxis], False, False)[0][0])
        paths.append(path)
    return paths
