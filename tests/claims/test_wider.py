"""What claims rest on: random landscapes, dimensions and boundaries, by closed forms that share no code with heatpg.

Each test of a corrected claim holds the new words and shows a case in which the old ones were wrong.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

from heatpg import Axis, Grid, Landscape
from heatpg.evolution import solve
from heatpg.measure.operators import step_matrix
from heatpg.quadrature import mollify
from heatpg.scalespace import predicted_holder, survival
from heatpg.solvers import make

Array = NDArray[Any]
SEEDS = range(12)


class Bumps:
    """A sum of Gaussians, widths along axes, and everything about its heat flow by formulas; t is sigma^2."""

    def __init__(self, heights: Any, centres: Any, widths: Any) -> None:
        self.heights, self.centres = np.asarray(heights, float), np.asarray(centres, float)
        self.widths = np.broadcast_to(np.asarray(widths, float), self.centres.shape)

    @classmethod
    def random(cls, seed: int, dimensions: int, count: int = 5, signed: bool = False) -> Bumps:
        rng = np.random.default_rng([seed, dimensions])
        heights = rng.normal(size=count) if signed else rng.uniform(0.3, 1.0, count)
        return cls(heights, rng.uniform(-1.5, 1.5, (count, dimensions)), rng.uniform(0.2, 0.7, (count, dimensions)))

    def _parts(self, x: Array, t: float) -> tuple[Array, Array, Array]:
        """Value of each bump at x (N, m), shape (N, B), (x - c) / variance and 1 / variance."""
        total = self.widths**2 + t
        scaled = (x[:, None, :] - self.centres) / total
        height = self.heights * np.sqrt((self.widths**2 / total).prod(axis=1))
        return height * np.exp(-0.5 * ((x[:, None, :] - self.centres) * scaled).sum(axis=2)), scaled, 1.0 / total

    def value(self, x: Array, t: float = 0.0) -> Array:
        return np.asarray(self._parts(x, t)[0].sum(axis=1))

    def gradient(self, x: Array, t: float) -> Array:
        value, scaled, _ = self._parts(x, t)
        return np.asarray(-(value[:, :, None] * scaled).sum(axis=1))

    def hessian(self, x: Array, t: float) -> Array:
        value, scaled, inverse = self._parts(x, t)
        outer = scaled[..., :, None] * scaled[..., None, :] - inverse[None, :, :, None] * np.eye(x.shape[1])
        return np.asarray((value[..., None, None] * outer).sum(axis=1))

    def laplacian(self, x: Array, t: float) -> Array:
        return np.asarray(np.trace(self.hessian(x, t), axis1=1, axis2=2))

    def settle(self, x: Array, t: float, rounds: int = 30) -> Array:
        """Critical points by Newton's method from starts near them."""
        for _ in range(rounds):
            step = (np.linalg.pinv(self.hessian(x, t)) @ self.gradient(x, t)[..., None])[..., 0]
            # far from a critical point the quadratic model is of no use
            x = x - step / np.maximum(1.0, np.linalg.norm(step, axis=1, keepdims=True) / 0.2)
        return x

    def maxima(self, t: float) -> Array:
        """Strict maxima near bumps, without those that Newton's method loses."""
        found = self.settle(self.centres[self.heights > 0], t)
        curvature = np.linalg.eigvalsh(self.hessian(found, t))
        good = (np.abs(self.gradient(found, t)) < 1e-12).all(axis=1) & (curvature < -1e-3).all(axis=1)
        return np.unique(found[good].round(9), axis=0)


def extrema(line: Array, least: float = 1e-13) -> int:
    """Sign changes of the slope from the first to the last node, plateaus of round-off left out."""
    slopes = np.diff(line)
    signs = np.sign(slopes[np.abs(slopes) > least * np.ptp(line)])
    return int((signs[1:] != signs[:-1]).sum())


# The equation and its noise ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_value_and_score_gradient_are_those_of_the_formulas(dimensions: int) -> None:
    """Claims expected-return, heat-equation, score-gradient, correlated noise along axes, survival."""
    for seed in SEEDS[:4]:
        bumps = Bumps.random(seed, dimensions, signed=True)
        mu, t = np.random.default_rng(seed).uniform(-1, 1, (3, dimensions)), 0.04
        result = mollify(bumps.value, mu, math.sqrt(t), "hermite", points=24)
        assert result.gradient is not None
        assert np.abs(result.value - bumps.value(mu, t)).max() < 1e-9
        assert np.abs(result.gradient - bumps.gradient(mu, t)).max() < 1e-7
        change = (bumps.value(mu, t + 1e-4) - bumps.value(mu, t - 1e-4)) / 2e-4
        assert np.abs(change - 0.5 * bumps.laplacian(mu, t)).max() < 1e-4 * np.abs(change).max()


def test_noise_in_every_step_is_a_flow_over_gains_for_one_step_only() -> None:
    """Claim per-step-noise: "over the parameters it is none" was too much for a policy that acts once."""
    drift, gain, noise = 1.1, 0.8, 0.3
    z, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()
    for steps in (1, 2, 5):
        c = drift - gain
        per_step = -sum(c ** (2 * n) + noise**2 * sum(c ** (2 * m) for m in range(n)) for n in range(1, steps + 1))
        over_gains = -float(w @ sum((c - noise * z) ** (2 * n) for n in range(1, steps + 1)))
        assert (abs(per_step - over_gains) < 1e-12) is (steps == 1)


def test_the_trust_bound_needs_the_range_outside() -> None:
    """Claim trust-bound: with osc(Q) inside the box alone, 0 here, it would say that nothing can change."""
    for outside, sigma in itertools.product((1.0, -3.0, 100.0), (0.2, 1.0)):
        grid = Grid(Axis("x", -1.0, 1.0, 201, boundary="clip"))
        boxed = solve(Landscape(np.zeros(201), grid), sigma).values[0]
        from scipy.special import ndtr

        x = grid[0].coordinates
        leaves = ndtr((-1 - x) / sigma) + ndtr((x - 1) / sigma)
        assert (np.abs(boxed - outside * leaves) <= grid.trust(sigma, abs(outside)) + 1e-12).all()
        assert (np.abs(boxed - outside * leaves) > grid.trust(sigma, 0.0)).all()


# The maximum principle --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_maxima_sink_drift_and_are_none_jointly(dimensions: int) -> None:
    """Claims no-joint-maxima, no-enhancement, no-maxima-at-fixed-sigma, optimum-does-not-move: random landscapes."""
    examined, moved = 0, 0.0
    for seed in SEEDS:
        bumps = Bumps.random(seed, dimensions)
        for t in (0.01, 0.05):
            tops = bumps.maxima(t)
            examined += len(tops)
            if not len(tops):
                continue
            # a smaller variance raises each of them
            slope = 0.5 * bumps.laplacian(tops, t)
            assert (slope < 0).all()
            step = 1e-5
            before, after = bumps.settle(tops, t - step), bumps.settle(tops, t + step)
            rate = (bumps.value(after, t + step) - bumps.value(before, t - step)) / (2 * step)
            np.testing.assert_allclose(rate, slope, rtol=1e-4)
            # dmu / dt = -1/2 H^-1 grad Laplace u, the gradient by differences
            shifts = 1e-5 * np.eye(dimensions)
            third = np.stack(
                [(bumps.laplacian(tops + s, t) - bumps.laplacian(tops - s, t)) / 2e-5 for s in shifts], axis=1
            )
            law = -0.5 * np.linalg.solve(bumps.hessian(tops, t), third[..., None])[..., 0]
            drift = (after - before) / (2 * step)
            assert np.abs(drift - law).max() < 1e-3 * max(1.0, np.abs(law).max())
            moved = max(moved, float(np.abs(drift).max()))
    assert examined > 40 and moved > 0.1


def test_the_largest_value_within_a_box_may_rise() -> None:
    """Claim range-shrinks: of x^2 with its edge values continued, by quadrature, and on all of the line it does not."""

    def value(mu: float, sigma: float) -> float:
        # inside and outside of the box apart: the integrand has a kink
        density = lambda x: math.exp(-(((x - mu) / sigma) ** 2) / 2) / sigma / math.sqrt(2 * math.pi)  # noqa: E731
        inside = quad(lambda x: x * x * density(x), -1, 1, epsabs=1e-13)[0]
        return float(inside + 1 - quad(density, -1, 1, epsabs=1e-13)[0])

    sigmas = [0.1, 0.3, 0.7, 1.5, 3.0]
    largest = [max(value(mu, sigma) for mu in np.linspace(-1, 1, 21)) for sigma in sigmas]
    assert largest[1] < largest[0] and largest[-1] > largest[2] + 0.02
    grid = Grid(Axis("x", -1.0, 1.0, 401, boundary="clip"))
    solved = solve(Landscape.from_function(np.square, grid), sigmas).values
    assert np.abs(solved.max(axis=1) - largest).max() < 1e-3
    # never outside the range of Q; on the whole line the supremum is 1 at every sigma
    assert solved.max() < 1.0 and abs(value(60.0, 3.0) - 1.0) < 1e-12
    for boundary in ("periodic", "reflect"):
        for seed in SEEDS:
            q = np.random.default_rng(seed).standard_normal(64)
            u = solve(Landscape(q, Grid(Axis("x", 0.0, 64.0, 64, boundary=boundary))), np.geomspace(3, 30, 8)).values
            assert (np.diff(u.max(axis=1)) < 1e-12).all() and (np.diff(u.min(axis=1)) > -1e-12).all()


def test_a_joint_maximum_on_a_line_of_the_plane() -> None:
    """Claim no-joint-maxima: with noise in a component that mu does not have, by the closed form."""
    line = Bumps([1.0, -1.0], [[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0 / math.sqrt(101.0)]])
    origin = np.zeros((1, 2))
    best = minimize_scalar(
        lambda t: -float(line.value(origin, t)[0]), bounds=(0.05, 0.5), method="bounded", options={"xatol": 1e-10}
    )
    assert abs(best.x - 0.162549383455747) < 1e-7 and abs(-best.fun - 0.637949100462093) < 1e-12
    curvature = line.hessian(origin, best.x)[0]
    assert abs(curvature[0, 0] + 0.54875) < 1e-4  # a maximum along the line
    assert abs(curvature[1, 1] - 0.54875) < 1e-4  # and a minimum across it, which mu cannot see


@pytest.mark.parametrize("boundary", ["periodic", "reflect", "clip", "absorb"])
def test_extrema_of_a_line_never_grow_in_number(boundary: str) -> None:
    """Claim sturm, on rough lines with every boundary that adds no extremum of its own."""
    sigmas = np.geomspace(1.0, 20.0, 10)
    for seed in SEEDS:
        q = np.random.default_rng(seed).standard_normal(96)
        axis = Axis("x", 0.0, 96.0 if boundary == "periodic" else 95.0, 96, boundary=boundary)
        lines = [q, *solve(Landscape(q, Grid(axis)), sigmas, "exponential").values]
        # around a circle the slope from the last node to the first counts too
        counts = [extrema(np.append(u, u[:2]) if boundary == "periodic" else u) for u in lines]
        assert (np.diff(counts) <= 0).all(), counts


def test_zero_outside_adds_an_extremum_within_the_box() -> None:
    """Claim sturm: "never grows" was too much for the nodes of a box; of the line with its edge it holds."""
    axis = Axis("x", -1.0, 1.0, 201, boundary="zero")
    q = 2.0 + axis.coordinates
    for sigma in (0.05, 0.1, 0.2):
        u = solve(Landscape(q, Grid(axis)), sigma).values[0]
        assert extrema(q) == 0 and extrema(u) == 1 == extrema(np.concatenate([[0.0], q, [0.0]]))


def test_a_maximum_is_born_in_the_plane() -> None:
    """Claims creation-in-two-dimensions, smoothing-only-removes-maxima: two hills and a bridge by the formulas."""
    bumps = Bumps([1.0, 0.6, 0.9], [[0, 0], [3, 0], [1.3, 0]], [[1, 1], [0.7, 0.7], [0.9, 0.05]])
    x = np.stack([np.linspace(-3, 5, 20001), np.zeros(20001)], axis=1)

    def count(t: float) -> int:
        u = bumps.value(x, t)
        tops = np.flatnonzero((u[1:-1] > u[:-2]) & (u[1:-1] > u[2:])) + 1
        return int((bumps.hessian(x[tops], t)[:, 1, 1] < 0).sum())

    assert [count(t) for t in (0.0, 0.00331, 0.00332, 0.38, 0.381)] == [1, 1, 2, 2, 1]


# Schemes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("boundary", "nodes"),
    [
        *((boundary, "vertex") for boundary in ("periodic", "reflect", "absorb", "clip", "zero")),
        # of absorb and clip on cells the weights are positive with respect to the values on the faces, too, which are
        # extrapolated from the cells
        *((boundary, "cell") for boundary in ("periodic", "reflect", "zero")),
    ],
)
def test_limits_of_the_schemes_hold_at_every_boundary(boundary: str, nodes: Any) -> None:
    """Claims explicit-scheme, crank-nicolson, positive-schemes: the smallest entry of one step, for short lines too."""
    for size in (3, 4, 9):
        axis = Axis("x", 0.0, 1.0, size, boundary=boundary, nodes=nodes)

        def least(name: str, ratio: float, axis: Axis = axis, **options: Any) -> float:
            return float(step_matrix(make(name, **options), axis, ratio * axis.spacing**2).min())

        assert min(least("explicit", r, step=r * axis.spacing**2) for r in (0.1, 0.5, 1.0)) > -1e-14
        assert min(least("crank_nicolson", r, steps=1, damping_steps=0) for r in (0.1, 1.0, 2.0)) > -1e-14
        assert min(least("implicit", r, steps=1) for r in (1e-3, 1.0, 1e3)) > -1e-14
        assert min(least("exponential", r) for r in (1e-3, 1.0, 1e3)) > -1e-14


def test_the_overshoot_of_the_trigonometric_interpolant_is_bounded_by_its_weights() -> None:
    """Claim spectral-overshoot, for the worst data of all: by half of sum |w| - 1 of osc(Q), w the weights."""
    axis = Axis("x", 0.0, 256.0, 256, boundary="periodic")
    worst = {}
    for sigma in (0.1, 0.25, 0.5, 1.0, 2.0, 3.0):
        k = 2 * np.pi * np.fft.rfftfreq(256)
        weights = np.fft.irfft(np.exp(-0.5 * (sigma * k) ** 2), 256)  # the symbol, without a solver
        unit = np.eye(256)[0]
        assert np.abs(solve(Landscape(unit, Grid(axis)), sigma, "spectral").values[0] - weights).max() < 1e-14
        worst[sigma] = 0.5 * (np.abs(weights).sum() - 1.0)
    assert max(worst.values()) < 0.0895 and worst[3.0] < 1e-14 < worst[2.0]


# Roughness and chaos ----------------------------------------------------------------------------------------------


def absolute_moment(q: float, dimensions: int) -> float:
    """E|Z|^q of a standard normal vector."""
    return 2 ** (q / 2) * math.gamma((dimensions + q) / 2) / math.gamma(dimensions / 2)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
@pytest.mark.parametrize("p", [0.2, 0.5, 0.9, 1.0])
def test_bounds_of_a_hoelder_landscape(p: float, dimensions: int) -> None:
    """Claim scaling-laws: sign(x) |x|^p / 2^(1-p) and |x|^p have the constant K = 1; sigma = 1 by scaling."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2**18, dimensions))
    size = np.linalg.norm(z, axis=1)
    for place in (0.0, 0.3, 2.0):
        start = np.zeros(dimensions)
        start[0] = place
        for f in (
            lambda x: np.linalg.norm(x, axis=-1) ** p,
            lambda x: np.sign(x[..., 0]) * np.abs(x[..., 0]) ** p / 2 ** (1 - p),
        ):
            change = f(start + z) - f(start)
            error = 5.0 / math.sqrt(len(z))  # five standard errors of means of order 1
            assert (np.abs(change) <= size**p + 1e-14).all()
            assert abs(change.mean()) <= absolute_moment(p, dimensions) + error
            assert change.std() <= math.sqrt(absolute_moment(2 * p, dimensions)) + error
            assert np.linalg.norm((change[:, None] * z).mean(axis=0)) <= absolute_moment(1 + p, dimensions) + error
    if p == 1.0 and dimensions == 1:
        # what was said of the spread, K E|Z|^p sigma^p, is less than that of Q = x
        assert z.std() > 1.2 * absolute_moment(1.0, 1)


@pytest.mark.parametrize("turn", [0.05, 0.1, 0.2, 0.35, 0.5])
@pytest.mark.parametrize("gamma", [0.5, 0.9])
def test_a_mean_exponent_bounds_no_roughness(turn: float, gamma: float) -> None:
    """Claims chaos-makes-returns-rough and discount-of-the-double-pendulum: "guaranteed" needs a bound of all growth.

    Tent maps of slopes 1 / a and 1 / (1 - a): V(a^j x) falls by gamma a step towards the fixed point 0, so its exponent
    there is -ln gamma / ln(1/a), and -ln gamma over the mean exponent only for a = 1/2.
    """
    mean = -turn * math.log(turn) - (1 - turn) * math.log(1 - turn)
    local = -math.log(gamma) / math.log(1 / turn)
    x = 0.37 * turn ** np.arange(12, 24 if turn < 0.3 else 40)
    start, total = x.copy(), np.zeros_like(x)
    for n in range(400):
        total += gamma**n * x**2
        x = np.where(x < turn, x / turn, (1 - x) / (1 - turn))
    slope = float(np.polyfit(np.log(start), np.log(total), 1)[0])
    assert abs(slope - local) < 0.02
    predicted = predicted_holder(gamma, mean, 1.0)
    if turn == 0.5:
        assert predicted.exponent == pytest.approx(min(1.0, local), abs=1e-12)
    else:
        assert predicted.exponent > local + 0.01
        assert "guarantee" not in predicted.sentence and "bound from below" not in predicted.sentence


# The optimum ------------------------------------------------------------------------------------------------------


def test_a_high_ridge_keeps_the_argmax() -> None:
    """Claim narrow-ridge-is-erased: "however high it is" was too much; beside a ridge or a hill the height decides."""
    x, y = np.meshgrid(np.linspace(-2, 2, 401), np.linspace(-2, 2, 401), indexing="ij")

    def on_ridge(height: float, sigma: float) -> bool:
        across, round_ = 0.05**2 + 2 * sigma**2, 0.2**2 + sigma**2
        u = height * 0.05 / math.sqrt(across) * np.exp(-((x - y) ** 2) / 2 / across)
        u = u + 0.2**2 / round_ * np.exp(-((x - 0.5) ** 2 + (y + 0.5) ** 2) / 2 / round_)
        i, j = np.unravel_index(u.argmax(), u.shape)
        return bool(abs(x[i, 0] - y[0, j]) < 0.5)

    assert all(on_ridge(3.0, sigma) for sigma in (0.01, 0.2, 0.4, 0.8))
    assert not any(on_ridge(1.2, sigma) for sigma in (0.2, 0.4))


@pytest.mark.parametrize("dimensions", [1, 2, 3, 6, 17])
def test_the_argmax_jumps_where_the_formula_says_or_never(dimensions: int) -> None:
    """Claim sigma-jump: without r w1^2 < w2^2 the formula has no root, and the higher peak leads at every sigma."""
    rng = np.random.default_rng(dimensions)
    jumps = stays = 0
    for _ in range(200):
        h1, h2 = sorted(rng.uniform(0.2, 1.0, 2))[::-1]
        w1, w2 = rng.uniform(0.05, 1.0, 2)
        r = (h1 / h2) ** (2 / dimensions)

        def lead(log_t: float, h1: float = h1, h2: float = h2, w1: float = w1, w2: float = w2) -> float:
            t = math.exp(log_t)
            return math.log(h1 / h2) + 0.5 * dimensions * (
                math.log(w1**2 / (w1**2 + t)) - math.log(w2**2 / (w2**2 + t))
            )

        if r * w1**2 < w2**2 * (1 - 1e-3):
            jumps += 1
            found = math.exp(brentq(lead, -40, 40, xtol=1e-13))
            assert found == pytest.approx(w1**2 * w2**2 * (r - 1) / (w2**2 - r * w1**2), rel=1e-9)
        elif r * w1**2 > w2**2:
            stays += 1
            assert min(lead(s) for s in np.linspace(-40, 40, 401)) > 0
    assert jumps > 20 and stays > 20
    expected = {1: 0.03757, 2: 0.02504, 3: 0.02005, 6: 0.01391, 17: 0.00817}[dimensions]
    r = 1.25 ** (2 / dimensions)
    assert abs(math.sqrt(0.05**2 * (r - 1) / (1 - r * 0.05**2)) - expected) < 5e-6


@pytest.mark.parametrize(("dimensions", "codimension"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)])
def test_what_survives_of_features_across_any_directions(dimensions: int, codimension: int) -> None:
    """Claim survival-law, turned at random, by quadrature."""
    rng = np.random.default_rng(dimensions)
    turn = np.linalg.qr(rng.normal(size=(dimensions, dimensions)))[0][:, :codimension]
    result = mollify(
        lambda a: np.exp(-((a @ turn) ** 2).sum(axis=1) / (2 * 0.5**2)), np.zeros(dimensions), 0.3, "hermite", points=30
    )
    assert abs(result.value - float(survival(0.3, 0.5, codimension))) < 1e-8


def test_the_argmax_jumps_before_its_peak_dies() -> None:
    """Claim jump-is-death: at the end of a fold the higher values beside it belong to another maximum already."""
    apart = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        bumps = Bumps(rng.uniform(0.7, 1.0, 4), [[-3.0], [-1.0], [1.0], [3.0]], rng.uniform(0.1, 0.7, (4, 1)))
        x = np.linspace(-6.0, 6.0, 1201)[:, None]
        place = float(x[bumps.value(x, 0.0).argmax(), 0])
        jump = death = math.inf
        for t in np.geomspace(1e-3, 4.0, 150):
            if not math.isfinite(death):
                point = bumps.settle(np.array([[place]]), t, rounds=4)
                alive = abs(float(point[0, 0]) - place) < 0.1 and float(bumps.hessian(point, t)[0, 0, 0]) < 0
                place, death = (float(point[0, 0]), math.inf) if alive else (place, t)
            field = bumps.value(x, t)
            # another place by more than a maximum drifts between two levels, and higher
            if not math.isfinite(jump) and abs(float(x[field.argmax(), 0]) - place) > 0.1:
                jump = t
            if math.isfinite(jump) and math.isfinite(death):
                break
        assert jump <= death, seed
        apart += math.isfinite(jump) and jump < death
    assert apart >= 5


def test_a_maximum_dies_in_a_fold_or_by_symmetry_in_its_place() -> None:
    """Claim death-is-a-fold: the middle one of three bumps does not approach its end, as it is there all the time."""
    folds = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        bumps = Bumps([1.0, rng.uniform(0.4, 0.8)], [[1.0], [-1.0]], rng.uniform(0.25, 0.4, (2, 1)))
        x = np.linspace(-1.6, 0.5, 4001)[:, None]

        def steepest(t: float, bumps: Bumps = bumps, x: Array = x) -> float:
            """The lowest slope right of the lower bump: below zero while it has its minimum."""
            return float(bumps.gradient(x[1000:], t).min())

        if steepest(0.05) > 0 or steepest(1.5) < 0:
            continue
        # the end: slope and curvature are 0; Newton's method on both
        at = np.array([float(x[1000 + bumps.gradient(x[1000:], 0.5).argmin(), 0]), brentq(steepest, 0.05, 1.5)])
        for _ in range(40):

            def both(v: Array, bumps: Bumps = bumps) -> Array:
                point = np.array([[v[0]]])
                return np.array([bumps.gradient(point, v[1])[0, 0], bumps.hessian(point, v[1])[0, 0, 0]])

            columns = [(both(at + 1e-6 * e) - both(at - 1e-6 * e)) / 2e-6 for e in np.eye(2)]
            at = at - np.linalg.solve(np.stack(columns, axis=1), both(at))
        distances = []
        shares = np.array([1e-5, 1e-4])
        for share in shares:
            t = at[1] * (1 - share)

            def rate(place: float, t: float = t, bumps: Bumps = bumps) -> float:
                return float(bumps.gradient(np.array([[place]]), t)[0, 0])

            distances.append(at[0] - brentq(rate, at[0] - 0.2, at[0] - 1e-6))
        slope = math.log(distances[1] / distances[0]) / math.log(10)
        assert abs(slope - 0.5) < 0.02
        folds += 1
    assert folds >= 10
    # a pitchfork: the slope at 0 is 0 at every t, the curvature changes its sign
    three = Bumps([1.0, 0.6, 1.0], [[-1.2], [0.0], [1.2]], 0.3)
    origin = np.zeros((1, 1))
    assert all(abs(three.gradient(origin, t)[0, 0]) < 1e-15 for t in (0.1, 0.2, 0.3))
    end = brentq(lambda t: float(three.hessian(origin, t)[0, 0, 0]), 0.1, 0.4)
    x = np.linspace(-2.5, 2.5, 5001)[:, None]
    counts = [extrema(three.value(x, t)) for t in (0.95 * end, 1.05 * end)]
    assert counts == [5, 3]  # three maxima and two minima, then two and one
