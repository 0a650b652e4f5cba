"""Claims on the one equation: the objective of a Gaussian policy solves the heat equation at t = sigma^2."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.claims import Evidence, claim
from heatpg.claims._statistics import MOST_ERRORS, standard_errors
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.evolution import solve
from heatpg.quadrature import mollify
from heatpg.scalespace import band_decay

__all__: list[str] = []

Array = NDArray[np.float64]

_claim = functools.partial(claim, part="the equation")

# unequal heights and widths: no symmetry hides a mistake
_HEIGHTS = np.array([1.0, 0.7])
_CENTERS = np.array([[-1.0, 0.5], [1.5, -0.5]])
_WIDTHS = np.array([[0.4, 0.5], [0.5, 0.45]])
_SIGMA = 0.5  # as wide as the bumps, so that smoothing changes much
_NODES = ((40, 72), (64, 64), (84, 56), (50, 60), (72, 80))  # nodes around both bumps and between them


def _bumps(points: Array) -> Array:
    """Two anisotropic bumps, small enough (2e-11) at the edges of [-5, 5]^2 that these do not matter."""
    offsets = (points[:, None, :] - _CENTERS) / _WIDTHS
    return np.asarray(np.exp(-0.5 * (offsets**2).sum(axis=2)) @ _HEIGHTS)


def _landscape() -> Landscape:
    bumps: Landscape = landscapes.gaussians(
        size=129, heights=tuple(_HEIGHTS), centers=tuple(_CENTERS.ravel()), widths=tuple(_WIDTHS.ravel())
    )
    return bumps


def _second_difference(field: Array, position: int, spacing: float) -> Array:
    """(-u_(i-2) + 16 u_(i-1) - 30 u_i + 16 u_(i+1) - u_(i+2)) / 12 h^2, wrong at two nodes from the edges."""
    near = np.roll(field, 1, position) + np.roll(field, -1, position)
    far = np.roll(field, 2, position) + np.roll(field, -2, position)
    return np.asarray((16.0 * near - far - 30.0 * field) / (12.0 * spacing**2))


def _samples(count: int) -> tuple[Array, Array]:
    """Means at nodes, shape (P, 2), and standard normal numbers, shape (count, 2)."""
    means = np.array([_landscape().grid.point(node) for node in _NODES])
    return means, np.random.default_rng(1).standard_normal((count, 2))


@_claim(
    "expected-return",
    "Smoothing the action value with the Gaussian of the policy gives the policy's expected return.",
    source="definition of the expectation; T. Wang, S. Herbert, S. Gao, ICML 2024, arXiv:2405.17832",
)
def expected_return() -> Evidence:
    """The solved field against samples of noisy actions, and against Gauss-Hermite quadrature."""
    means, z = _samples(100_000)
    flow = solve(_landscape(), _SIGMA)
    solved = np.array([flow.values[0][node] for node in _NODES])
    returns = np.stack([_bumps(mean + _SIGMA * z) for mean in means], axis=1)
    # the two sides have nothing in common but Q: one samples actions, the other solves
    off = standard_errors(returns, solved)
    rule = float(np.abs(np.asarray(mollify(_bumps, means, _SIGMA, tolerance=1e-11).value) - solved).max())
    return Evidence(
        f"at {len(means)} means the solved field is at most {off:.2f} standard errors from the mean return of "
        f"{len(z):,} noisy actions, and {rule:.1e} from Gauss-Hermite quadrature",
        {"standard_errors": off, "quadrature_difference": rule},
        off < MOST_ERRORS and rule < 1e-9,
    )


@_claim(
    "heat-equation",
    "The objective L(mu, sigma^2) solves u_t = 1/2 Laplace(u) at t = sigma^2.",
    source="Weierstrass transform; L. C. Evans, Partial Differential Equations, section 2.3, doi:10.1090/gsm/019",
)
def heat_equation() -> Evidence:
    """Differences of solved fields in t and in mu, and the factor between them."""
    landscape = _landscape()
    # a central difference over 2 % of t, wrong by something of the order of 1e-4
    t, step = _SIGMA**2, 0.01 * _SIGMA**2
    before, now, after = solve(landscape, np.sqrt([t - step, t, t + step])).values
    change = ((after - before) / (2.0 * step))[2:-2, 2:-2]
    # fourth order: 15/90 (h / W)^4 = 4e-5 of the Laplacian at the top of a bump of width W
    h = landscape.grid.spacing
    laplacian = (_second_difference(now, 0, h[0]) + _second_difference(now, 1, h[1]))[2:-2, 2:-2]
    # least squares of u_t = c Laplace(u)
    factor = float((change * laplacian).sum() / (laplacian**2).sum())
    size = math.sqrt(float((change**2).sum()))
    # the residual of each factor that has been claimed
    half, whole = (math.sqrt(float(((change - c * laplacian) ** 2).sum())) / size for c in (0.5, 1.0))
    return Evidence(
        f"u_t = {factor:.5f} Laplace(u) fits best; the residual is {half:.1e} of u_t with the factor 1/2 and "
        f"{whole:.2f} of it with the factor 1",
        {"factor": factor, "residual_half": half, "residual_one": whole},
        abs(factor - 0.5) < 1e-3 and half < 1e-2,
    )


@_claim(
    "wave-symbol-slip",
    "Exploration noise damps the wave cos(k x) by exp(-k^2 sigma^2).",
    corrected="The factor is exp(-k^2 sigma^2 / 2).",
    source="characteristic function of the normal distribution",
)
def wave_symbol_slip() -> Evidence:
    """k = 3, sigma^2 = 0.4: samples, the solver, and both formulas."""
    k, t = 3.0, 0.4
    # E cos(k (mu + noise)) at mu = 0
    samples = np.cos(k * math.sqrt(t) * np.random.default_rng(2).standard_normal(1_000_000))
    mean, error = float(samples.mean()), float(samples.std()) / 1000.0
    solved = float(solve(landscapes.cosine(size=64, dimensions=1, wavenumbers=(k,)), math.sqrt(t)).values[0, 0])
    formula, slip = math.exp(-0.5 * k * k * t), math.exp(-k * k * t)

    # both sides have to agree: chance or a wrong solver alone would not
    def agrees(value: float) -> bool:
        return abs(mean - value) < MOST_ERRORS * error and abs(solved - value) < 1e-12

    return Evidence(
        f"for k = 3 and sigma^2 = 0.4 a million samples give {mean:.4f} +- {error:.4f} and the solver {solved:.4f}; "
        f"exp(-k^2 sigma^2 / 2) = {formula:.4f}, exp(-k^2 sigma^2) = {slip:.4f}",
        {"monte_carlo": mean, "standard_error": error, "solved": solved, "formula": formula, "slip": slip},
        agrees(slip),
        corrected=agrees(slip) or agrees(formula),
    )


@_claim(
    "wave-decay",
    "Exploration noise multiplies a wave of wavenumber k by exp(-|k|^2 sigma^2 / 2).",
    source="Fourier symbol of the heat equation",
)
def wave_decay() -> Evidence:
    """The amplitude of every band of a fractal landscape in two dimensions, one sigma per axis."""
    flow = solve(
        landscapes.weierstrass(size=128, dimensions=2, terms=6), {"x1": [0.1, 0.15, 0.2], "x2": [0.1, 0.12, 0.25]}
    )
    decay = band_decay(flow)
    seen = int(decay.visible.sum())
    return Evidence(
        f"over {seen} bands of waves the amplitude falls as exp(-c |k|^2 sigma^2 / 2) with c = {decay.exponent:.9f}; "
        f"the worst band is off by {decay.worst:.1e}",
        {"exponent": decay.exponent, "worst": decay.worst},
        # a band counts as visible where round-off is at most a hundredth of it
        seen > 20 and abs(decay.exponent - 1.0) < 1e-6 and decay.worst < 0.01,
    )


@_claim(
    "known-evolutions",
    "A step becomes Phi(x / sigma), |x| has sqrt(2 / pi) sigma at 0, and a box of half-width w has height "
    "2 Phi(w / sigma) - 1.",
    source="distribution function and moments of the normal distribution",
)
def known_evolutions() -> Evidence:
    """Solved fields of a step, of |x| and of a box against the formulas."""
    from scipy.special import ndtr

    sigma, middle = 0.5, 400
    fields = {
        name: solve(landscapes.landscapes.get(name)(size=801), sigma) for name in ("step", "absolute_value", "box")
    }
    # zero is a node: the kink and the jump are read where they are
    x, h = fields["step"].grid[0].coordinates, fields["step"].grid.spacing[0]
    errors = {
        "step": float(np.abs(fields["step"].values[0] - ndtr(x / sigma)).max()),
        "absolute_value": abs(float(fields["absolute_value"].values[0, middle]) - math.sqrt(2.0 / math.pi) * sigma),
        "box": abs(float(fields["box"].values[0, middle]) - (2.0 * float(ndtr(1.0 / sigma)) - 1.0)),
    }
    # jumps and kinks are read by the trapezoid rule: h^2 / 12 times what Q or its slope jumps by, times the density
    bound = h**2 / 12.0 * 2.0 / sigma**2
    listed = ", ".join(f"{error:.1e}" for error in errors.values())
    return Evidence(
        f"for sigma = {sigma} the solver agrees to {listed} on nodes at distance {h:g}, whose jumps and kinks allow "
        f"{bound:.1e}",
        errors,
        max(errors.values()) < bound,
    )


@_claim(
    "score-gradient",
    "The policy gradient in the mean is the gradient of the smoothed objective: grad L = E[Q(a) (a - mu)] / sigma^2.",
    source="R. J. Williams, Mach. Learn. 8 (1992), doi:10.1007/BF00992696; integration by parts",
)
def score_gradient() -> Evidence:
    """The gradient of the solved field against the score expectation, by samples and by quadrature."""
    means, z = _samples(100_000)
    gradient = solve(_landscape(), _SIGMA).gradient(0)
    solved = np.array([[component[node] for component in gradient] for node in _NODES])
    # the score of a Gaussian: (a - mu) / sigma^2, here z / sigma
    units = np.stack([_bumps(mean + _SIGMA * z)[:, None] * z / _SIGMA for mean in means], axis=1)
    off = standard_errors(units, solved)
    exact = mollify(_bumps, means, _SIGMA, tolerance=1e-11).gradient
    rule = float(np.abs(np.asarray(exact) - solved).max())
    return Evidence(
        f"at {len(means)} means the gradient of the solved field is at most {off:.2f} standard errors from the mean of "
        f"Q(a) (a - mu) / sigma^2 over {len(z):,} actions, and {rule:.1e} from its quadrature",
        {"standard_errors": off, "quadrature_difference": rule},
        off < MOST_ERRORS and rule < 1e-8,
    )


@_claim(
    "axes-commute",
    "Splitting the flow axis by axis costs accuracy, as every splitting does.",
    corrected="On a tensor grid the operators along different axes commute, so the splitting is exact, for the "
    "discrete operators too.",
    source="exponential of a Kronecker sum",
)
def axes_commute() -> Evidence:
    """The flow by axes against the exponential of the whole matrix, and both orders of the axes."""
    from scipy.linalg import expm

    # small enough for a dense matrix, and two boundaries, so that the axes differ
    grid = Grid(Axis("x", 0.0, 1.3, 12, boundary="reflect", nodes="cell"), Axis("y", 0.0, 1.0, 10, boundary="periodic"))
    values = np.random.default_rng(3).standard_normal(grid.shape)
    sigmas = (0.21, 0.13)
    # the exponential solver is exact in time: what is left is the splitting
    joint = solve(Landscape(values, grid), [sigmas], "exponential").values[0]
    one: Any = solve(Landscape(values, grid), [(sigmas[0], 0.0)], "exponential").values[0]
    other: Any = solve(Landscape(values, grid), [(0.0, sigmas[1])], "exponential").values[0]
    order = max(
        float(np.abs(solve(Landscape(one, grid), [(0.0, sigmas[1])], "exponential").values[0] - joint).max()),
        float(np.abs(solve(Landscape(other, grid), [(sigmas[0], 0.0)], "exponential").values[0] - joint).max()),
    )
    # 1/2 sigma^2 d^2/dx^2 of each axis as a matrix, built here without the solvers
    halves = []
    for axis, sigma in zip(grid, sigmas, strict=True):
        second = np.eye(axis.size, k=1) + np.eye(axis.size, k=-1)
        if axis.boundary == "periodic":
            second[0, -1] = second[-1, 0] = 1.0
        # rows that sum to zero: the mirror at a wall between two cells
        second -= np.diag(second.sum(axis=1))
        halves.append(0.5 * sigma**2 / axis.spacing**2 * second)
    # the generator of the product is a sum of Kronecker products
    whole = expm(np.kron(halves[0], np.eye(grid.shape[1])) + np.kron(np.eye(grid.shape[0]), halves[1]))
    splitting = float(np.abs((whole @ values.ravel()).reshape(grid.shape) - joint).max())
    return Evidence(
        f"axis by axis and all at once differ by {splitting:.1e} of values of order 1, the two orders of the axes by "
        f"{order:.1e}",
        {"splitting_error": splitting, "order_of_axes": order},
        splitting > 1e-12,
        # any other disagreement is a fault of the solver, and neither statement is about it
        corrected=order < 1e-12 and splitting < 1e-12,
    )


@_claim(
    "correlated-noise",
    "Noise of full covariance is a heat flow too, with the symbol exp(-k^T Sigma k / 2).",
    source="characteristic function of the multivariate normal distribution",
)
def correlated_noise() -> Evidence:
    """A round bump under correlated noise, whose covariances add."""
    grid = Grid(*(Axis(name, -7.0, 7.0, 141, boundary="clip") for name in "xy"))
    covariance = np.array([[0.5, 0.3], [0.3, 0.4]])
    width = 0.6
    bump = Landscape.from_function(lambda x, y: np.exp(-(x**2 + y**2) / (2.0 * width**2)), grid)
    solved = solve(bump, covariance=covariance).values[0]
    # covariances of independent Gaussians add
    total = covariance + width**2 * np.eye(2)
    x, y = grid.mesh()
    inverse = np.linalg.inv(total)
    form = inverse[0, 0] * x * x + 2.0 * inverse[0, 1] * x * y + inverse[1, 1] * y * y
    exact = width**2 / math.sqrt(np.linalg.det(total)) * np.exp(-0.5 * form)
    off = float(np.abs(solved - exact).max())
    return Evidence(
        f"a round bump becomes the bump of covariance w^2 I + Sigma to within {off:.1e} of its height",
        {"error": off},
        off < 1e-11,
    )


# A scalar linear system: x' = a x + u, u = -K x, return -(x_1^2 + ... + x_H^2)
_DRIFT, _GAIN, _NOISE, _STEPS = 1.1, 0.8, 0.3, 5


def _return_over_gains() -> tuple[Landscape, int]:
    """The noise-free return over gains, and the node of the gain in question."""
    # 9 standard deviations either side: clipping what is further out changes the mean by less than round-off
    grid = Grid(Axis("gain", _GAIN - 9 * _NOISE, _GAIN + 9 * _NOISE, 271, boundary="clip"))
    return Landscape.from_function(lambda k: -sum((_DRIFT - k) ** (2 * n) for n in range(1, _STEPS + 1)), grid), 135


@_claim(
    "parameter-noise",
    "Gaussian noise on the parameters of a policy, drawn once per episode (evolution strategies), gives exactly a heat "
    "flow in parameter space.",
    source="E J(theta + sigma eps) is a Gaussian convolution; T. Wang, S. Herbert, S. Gao, arXiv:2405.17832",
)
def parameter_noise() -> Evidence:
    """A linear controller whose gain is drawn once an episode, or in every step, against the flow over gains."""
    landscape, node = _return_over_gains()
    solved = float(solve(landscape, _NOISE).values[0, node])
    # one gain for a whole episode
    gains = _GAIN + _NOISE * np.random.default_rng(4).standard_normal(200_000)
    returns = -sum((_DRIFT - gains) ** (2 * n) for n in range(1, _STEPS + 1))
    off = standard_errors(np.asarray(returns), solved)
    # a gain for each step: x_n is a product of independent factors, and their mean is no function of one gain
    drawn = _GAIN + _NOISE * np.random.default_rng(6).standard_normal((_STEPS, 200_000))
    often = standard_errors(-((_DRIFT - drawn) ** 2).cumprod(axis=0).sum(axis=0), solved)
    return Evidence(
        f"the flow of the noise-free return over gains is {solved:.4f}, {off:.2f} standard errors from the mean of "
        f"200,000 episodes with a gain each, and {often:.0f} from that of episodes with a gain for every step",
        {"standard_errors": off, "standard_errors_drawn_in_every_step": often, "flow": solved},
        off < MOST_ERRORS < often,
    )


@_claim(
    "per-step-noise",
    "Noise in every step of a feedback policy makes its objective a heat flow of the noise-free return.",
    corrected="It is a heat flow in the action alone, with the action values Q^pi of the policy held fixed "
    "(policy-gradient theorem); over the parameters of a policy that acts more than once it is not in general.",
    source="R. S. Sutton, D. McAllester, S. Singh, Y. Mansour, NIPS 1999 (policy-gradient theorem)",
)
def per_step_noise() -> Evidence:
    """The same controller with noise in every step, against flows over gains and of frozen Q^pi; and a single step."""
    landscape, node = _return_over_gains()
    over_gains = float(solve(landscape, _NOISE).values[0, node])
    # Q^pi(x, a) for x = 1: -sum_n E x_n^2, x_1 = a_0 + a, then x_(n+1) = c x_n + noise
    # x' = (a - K) x under the policy
    c = _DRIFT - _GAIN
    carried = sum(c ** (2 * n) for n in range(_STEPS))
    later = _NOISE**2 * sum(sum(c ** (2 * m) for m in range(n)) for n in range(1, _STEPS))
    grid = Grid(Axis("action", -_GAIN - 3.0, -_GAIN + 3.0, 301, boundary="clip"))
    frozen = Landscape.from_function(lambda a: -((_DRIFT + a) ** 2) * carried - later, grid)
    in_action = float(solve(frozen, _NOISE).values[0, 150])
    generator = np.random.default_rng(5)
    x, total = np.ones(200_000), np.zeros(200_000)
    for _ in range(_STEPS):
        x = c * x + _NOISE * generator.standard_normal(x.size)
        total -= x**2
    off_gains, off_action = (standard_errors(total, v) for v in (over_gains, in_action))
    # of a single step the action is linear in the gain, and -(c^2 + noise^2) is a flow over gains after all
    single = Landscape.from_function(lambda k: -((_DRIFT - k) ** 2), landscape.grid)
    one = abs(float(solve(single, _NOISE).values[0, node]) + c**2 + _NOISE**2)
    return Evidence(
        f"200,000 episodes return {total.mean():.4f}; the flow over gains says {over_gains:.4f}, {off_gains:.0f} "
        f"standard errors off, the flow of frozen Q^pi over the action {in_action:.4f}, {off_action:.2f} off; of a "
        f"single step the flow over gains is off by {one:.0e}",
        {"standard_errors_over_gains": off_gains, "standard_errors_frozen": off_action, "single_step": one},
        off_gains < MOST_ERRORS,
        off_action < MOST_ERRORS,
        # 9 standard deviations of the noise are on the grid: what is clipped is below round-off
        off_action < MOST_ERRORS and one < 1e-10,
    )
