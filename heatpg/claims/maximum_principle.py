"""Claims on extrema under smoothing and the strong maximum principle."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg import landscapes
from heatpg.claims import Evidence, claim
from heatpg.claims._circles import extrema_around
from heatpg.core.extrema import local_maxima, on_edge
from heatpg.core.field import HeatField
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.evolution import solve
from heatpg.policy import ascend
from heatpg.scalespace import ScaleSpace, track
from heatpg.solvers import make

__all__: list[str] = []

Array = NDArray[Any]

_claim = functools.partial(claim, part="the maximum principle")

_ROUND_OFF = 1e-12  # of osc(Q): thousands of operations in double precision, each 1e-16
_EVANS = "strong maximum principle; L. C. Evans, Partial Differential Equations, section 2.3, doi:10.1090/gsm/019"


def _creation() -> ScaleSpace:
    """Two hills and a thin bridge between them, followed through sigma."""
    axes = Axis("x", -4.0, 6.0, 301, boundary="clip"), Axis("y", -3.0, 3.0, 241, boundary="clip")
    # few levels: birth and death are located between them
    return track(solve(landscapes.creation(Grid(*axes)), [0.05, 0.1, 0.3, 0.7]))


def _inner_maxima(field: Array, grid: Grid) -> list[tuple[int, ...]]:
    """Nodes of local maxima that no edge holds, the highest first."""
    nodes = [
        tuple(int(i) for i in np.unravel_index(flat, grid.shape))
        for flat in local_maxima(field, grid, _ROUND_OFF * float(np.ptp(field)))
    ]
    return sorted((node for node in nodes if not on_edge(node, grid)), key=lambda node: -float(field[node]))


@_claim(
    "range-shrinks",
    "The largest value of the objective never rises with sigma and the smallest never falls; both are strictly "
    "inside the range of Q.",
    corrected="In the whole space, on a circle and between reflecting edges. Over a box whose edge values "
    "continue outside (clip) u is strictly inside the range of Q, but its largest value may rise again; with zero "
    "outside the range includes 0, and fixed edge values (absorb) do not change.",
    source=_EVANS,
)
def range_shrinks() -> Evidence:
    """Fractal and random landscapes without open edges, at twelve sigmas each; then x^2 and x on boxes with edges."""
    generator = np.random.default_rng(1)
    cases = [
        landscapes.weierstrass(size=512, terms=8),
        landscapes.weierstrass(size=64, dimensions=2, terms=5),
        Landscape(
            generator.standard_normal((48, 48)),
            Grid(Axis("x", 0.0, 1.0, 48, boundary="reflect"), Axis("y", 0.0, 1.0, 48, boundary="periodic")),
        ),
    ]
    rise, gap = -math.inf, math.inf
    for q in cases:
        # from three spacings on, where the solvers keep the range
        fields = solve(q, np.geomspace(3.0, 12.0, 12) * q.grid.spacing[0]).values
        axes = tuple(range(1, fields.ndim))
        tops, bottoms = fields.max(axis=axes) / q.oscillation, fields.min(axis=axes) / q.oscillation
        # how far the largest value rises, or the smallest falls, at worst
        rise = max(rise, float(np.diff(tops).max()), float(-np.diff(bottoms).min()))
        top, bottom = float(q.values.max()) / q.oscillation, float(q.values.min()) / q.oscillation
        # the strong principle: strictly inside at once
        gap = min(gap, top - float(tops[0]), float(bottoms[0]) - bottom)
    # far noise sees 1 on both sides of x^2, so what the box lost at its edges comes back; E clip(x + noise)^2
    parabola = Landscape.from_function(np.square, Grid(Axis("x", -1.0, 1.0, 201, boundary="clip")))
    clipped = solve(parabola, [0.3, 3.0]).values.max(axis=1)
    # 1 + x, with zero outside, and with its ends held
    zeroed, held = (
        solve(Landscape.from_function(lambda x: 2.0 + x, Grid(Axis("x", -1.0, 1.0, 201, boundary=edge))), 0.3)
        for edge in ("zero", "absorb")
    )
    low, high = float(zeroed.values.min()), float(held.values.max())
    inside = rise < _ROUND_OFF and gap > _ROUND_OFF
    return Evidence(
        f"over {len(cases)} landscapes and 12 sigmas no step raises the largest or lowers the smallest value (the "
        f"nearest to it is {rise:.1e} of osc(Q)); at the first sigma both are {gap:.2g} of osc(Q) inside the range "
        f"of Q. The largest value of x^2 on [-1, 1], its edge values continued, is {clipped[0]:.4f} at sigma = 0.3 and "
        f"{clipped[1]:.4f} at 3; 2 + x with zero outside falls to {low:.2f}, and with its ends held keeps {high:g}",
        {"largest_rise": rise, "gap": gap, "clipped_rise": float(clipped[1] - clipped[0]), "lowest_with_zero": low},
        inside and bool(clipped[1] <= clipped[0]) and low > 1.0 and high < 3.0,
        inside,
        inside and bool(clipped[0] < clipped[1] < 1.0) and 0.0 < low < 1.0 and abs(high - 3.0) < _ROUND_OFF,
    )


@_claim(
    "no-joint-maxima",
    "Jointly in (mu, sigma^2) the objective has no local maximum and no local minimum with sigma^2 > 0.",
    corrected=(
        "Inside the box, and if mu covers all components with noise. On an edge of the box, and on a line or "
        "plane through more components, there may be joint maxima with sigma^2 > 0."
    ),
    source=_EVANS,
)
def no_joint_maxima() -> Evidence:
    """Extrema of a random landscape against the level before; then a line in the plane, and the edge of a box."""
    from scipy.ndimage import maximum_filter

    grid = Grid(*(Axis(name, 0.0, 47.0, 48, boundary="reflect") for name in "xy"))
    q = Landscape(np.random.default_rng(2).standard_normal(grid.shape), grid)
    # one step of h^2 / 2 from level to level: a value is a mean over its 3 x 3 neighbours at the level before
    # sigma^2 in steps of h^2 / 2, so that the neighbourhood in (x, t) is one node wide
    levels = np.sqrt(0.5 * np.arange(1, 41))
    fields = np.concatenate([q.values[None], solve(q, levels, make("explicit", step=0.5)).values])
    examined = spurious = 0
    # minima are the maxima of -u
    for sign in (1.0, -1.0):
        for earlier, later in itertools.pairwise(sign * fields):
            nodes = local_maxima(later, grid, _ROUND_OFF)
            # an extremum in (mu, sigma^2) would have to exceed all of these
            before = maximum_filter(earlier, size=3, mode="nearest").ravel()[nodes]
            examined += len(nodes)
            spurious += int((later.ravel()[nodes] >= before + _ROUND_OFF).sum())
    on_line, at_edge = _joint_on_a_line(), _joint_at_an_edge()
    inside = spurious == 0 and examined > 100
    return Evidence(
        f"of {examined} spatial maxima and minima at {len(levels)} sigmas {spurious} are also extrema against the "
        f"smaller variances next to them; on a line in the plane there is a joint maximum of height {on_line:.4f} at "
        f"sigma^2 = 0.1625, and one at the edge of a box at sigma = {at_edge:.2f}",
        {"examined": examined, "joint": spurious, "height_on_a_line": on_line, "sigma_at_an_edge": at_edge},
        inside and math.isnan(on_line) and math.isnan(at_edge),
        inside,
        inside and abs(on_line - 0.637949) < 1e-6 and 0.4 < at_edge < 0.5,
    )


def _joint_on_a_line() -> float:
    """Height of the joint maximum of exp(-x^2/2) (exp(-y^2/2) - exp(-101 y^2/2)) on y = 0; NaN if it is none."""
    axes = Axis("x", -7.0, 7.0, 71, boundary="clip"), Axis("y", -7.0, 7.0, 701, boundary="clip")
    q = Landscape.from_function(
        lambda x, y: np.exp(-(x**2) / 2.0) * (np.exp(-(y**2) / 2.0) - np.exp(-101.0 * y**2 / 2.0)), Grid(*axes)
    )
    t = 0.162549383455747  # where the derivative in t of the closed form is 0
    # the line y = 0 around x = 0
    around = solve(q, np.sqrt([0.9 * t, t, 1.1 * t])).values[:, 34:37, 350]
    return float(around[1, 1]) if around.argmax() == 4 else math.nan


def _joint_at_an_edge() -> float:
    """Sigma of a joint maximum at the right end of a box whose edge values continue; NaN if there is none."""
    # slopes, from the edge inward: up to it, down, and up again, so that mass comes and goes as sigma grows
    axis = Axis("x", -4.0, 0.0, 2001, boundary="clip")
    away = -axis.coordinates
    slope = 10.0 * (away < 0.02) - 1.0 * ((away > 0.2) & (away < 0.3)) + 3.0 * ((away > 1.0) & (away < 1.2))
    sigmas = np.geomspace(0.2, 1.0, 33)
    # two nodes, one of which is the edge
    near = solve(Landscape(np.cumsum(slope) * axis.spacing, Grid(axis)), sigmas).values[:, -2:]
    best = int(near[:, 1].argmax())
    inner = 0 < best < len(sigmas) - 1
    return float(sigmas[best]) if inner and (near[best - 1 : best + 2, 0] < near[best, 1]).all() else math.nan


@_claim(
    "no-enhancement",
    "Along its track inside the box the value at a spatial maximum never rises with sigma, and at a minimum it never "
    "falls.",
    source="Laplace(u) <= 0 at a maximum; T. Lindeberg, Scale-Space Theory in Computer Vision, "
    "doi:10.1007/978-1-4757-6465-9",
)
def no_enhancement() -> Evidence:
    """The extrema of two landscapes, each followed through sigma."""
    line = landscapes.gaussians(
        Grid(Axis("x", -6.0, 6.0, 601, boundary="clip")),
        heights=(1.0, -0.7, 0.6, 0.9, -0.5),
        centers=(-2.5, -1.2, 0.1, 1.3, 2.6),
        widths=(0.4, 0.3, 0.5, 0.35, 0.6),
    )
    spaces = [track(solve(line, np.geomspace(0.05, 1.5, 24)), ["maximum", "minimum"]), _creation()]
    worst, count = -math.inf, 0
    for space in spaces:
        for one in space.tracks:
            # what an edge of the box holds is no extremum of the line
            if one.kind != "saddle" and not one.on_edge and len(one) > 1:
                # falling for a maximum, rising for a minimum
                sign = 1.0 if one.kind == "maximum" else -1.0
                worst = max(worst, float((sign * np.diff(one.values)).max()) / space.landscape.oscillation)
                count += 1
    return Evidence(
        f"along {count} tracks no maximum rises and no minimum falls; the least that one gives up from a sigma to the "
        f"next is {-worst:.1e} of osc(Q)",
        {"tracks": count, "largest_rise": worst},
        worst < _ROUND_OFF and count >= 6,
    )


@_claim(
    "no-maxima-at-fixed-sigma",
    "At a fixed sigma > 0 the smoothed objective has no suboptimal local maxima.",
    corrected=(
        "There may be many at a fixed sigma. Only jointly in (mu, sigma^2), inside the box, there is none, "
        "because a smaller sigma increases each of them."
    ),
    source=_EVANS,
)
def no_maxima_at_fixed_sigma() -> Evidence:
    """A lower and a higher bump at one sigma, and the slope in sigma^2 at the lower one."""
    q = landscapes.unequal_bumps(size=401)
    sigma = 0.5
    field = solve(q, sigma).values[0]
    maxima = _inner_maxima(field, q.grid)
    heights = [float(field[node]) for node in maxima]
    lower = maxima[-1]
    place = [q.grid.point(lower)]
    # dL/dsigma^2 = 1/2 u_xx: negative, so a smaller sigma is better
    slope = 0.5 * float(HeatField(q).hessian(place, sigma)[0, 0, 0])
    listed = " and ".join(f"{height:.4f}" for height in heights)
    return Evidence(
        f"at sigma = {sigma} bumps of heights 0.6 and 1 have {len(maxima)} maxima, of heights {listed}; at the lower "
        f"one, mu = {place[0][0]:.2f}, dL/dsigma^2 = {slope:.3f}",
        {"maxima": len(maxima), "lower": heights[-1], "slope_in_variance": slope},
        len(maxima) == 1,
        corrected=len(maxima) == 1 or slope < 0.0,
    )


@_claim(
    "two-bumps",
    "Two equal bumps of width w at -a and a keep two maxima if and only if sigma^2 < a^2 - w^2.",
    source="second derivative of a Gaussian mixture at its centre",
)
def two_bumps() -> Evidence:
    """The sigma at which the curvature between the bumps changes sign, and the maxima on both sides of it."""
    from scipy.optimize import brentq

    worst, counts = 0.0, []
    for half_distance, width in ((1.0, 0.5), (1.2, 0.3), (0.8, 0.6)):
        q = landscapes.two_bumps(
            Grid(Axis("x", -5.0, 5.0, 501, boundary="clip")), half_distance=half_distance, width=width
        )
        heat = HeatField(q)

        # between the bumps: negative once they have become one
        def curvature(sigma: float, heat: HeatField = heat) -> float:
            return float(heat.hessian([[0.0]], sigma)[0, 0, 0])

        expected = math.sqrt(half_distance**2 - width**2)
        # bracketed by half and one and a half times the formula
        found = brentq(curvature, 0.5 * expected, 1.5 * expected, xtol=1e-14)
        worst = max(worst, abs(found / expected - 1.0))
        counts.append(tuple(len(_inner_maxima(u, q.grid)) for u in solve(q, [0.98 * expected, 1.02 * expected]).values))
    return Evidence(
        f"for {len(counts)} pairs (a, w) the maxima meet at sqrt(a^2 - w^2) to within {worst:.1e}; 2 % before and "
        f"after there are {' and '.join(str(n) for n in counts[0])}",
        {"error": worst, "before": counts[0][0], "after": counts[0][1]},
        worst < 1e-9 and all(pair == (2, 1) for pair in counts),
    )


@_claim(
    "learning-never-stalls",
    "With a learned sigma, ascent never stalls, because there are no joint local maxima.",
    corrected="Joint ascent can end at a suboptimal maximum with sigma -> 0: in (mu, sigma^2), in (mu, log sigma) "
    "and by natural gradient; here only a sufficiently large initial sigma escapes.",
    source="strong maximum principle; S. Amari, Neural Comput. 10 (1998), doi:10.1162/089976698300017746",
)
def learning_never_stalls() -> Evidence:
    """Heights 1 at mu = 1 and 0.6 at mu = -1, ascent from mu = -1 by three methods at four sigmas."""
    q = landscapes.unequal_bumps(size=161)
    starts = (0.3, 0.6, 0.9, 1.2)
    stalled: dict[float, int] = dict.fromkeys(starts, 0)
    best: dict[float, int] = dict.fromkeys(starts, 0)
    for method, sigma in itertools.product(("variance", "log_sigma", "natural"), starts):
        end = ascend(q, [-1.0], sigma, method=method)
        # down to a tenth of the spacing, where ascent holds sigma
        vanished = float(end.sigma) <= 0.1 * q.grid.spacing[0] * (1.0 + 1e-9)
        # tails of the other bump move a top by less than 1e-8
        stalled[sigma] += vanished and abs(float(end.mean[0]) + 1.0) < 1e-3
        best[sigma] += vanished and abs(float(end.mean[0]) - 1.0) < 1e-3
    total = sum(stalled.values())
    return Evidence(
        f"{total} of 12 ascents from the lower bump end there with sigma -> 0, by all 3 methods from sigma = "
        f"{', '.join(f'{s:g}' for s in starts if stalled[s] == 3)}; from sigma = "
        f"{', '.join(f'{s:g}' for s in starts if best[s] == 3)} they reach the higher one",
        {"stalled": total, **{f"stalled_{s:g}": float(n) for s, n in stalled.items()}},
        total == 0,
        corrected=total == 0 or (total == 9 and best[1.2] == 3),
    )


@_claim(
    "floor-on-sigma",
    "With a floor on sigma or an entropy bonus there are still no local maxima to stall at.",
    corrected="Maxima at the floor are genuine, and so are those at which the entropy bonus balances the landscape.",
    source="the strong maximum principle does not apply at sigma = floor or to another objective",
)
def floor_on_sigma() -> Evidence:
    """Ascent from the lower of two bumps with a floor, and with a bonus whose balance is known."""
    q = landscapes.unequal_bumps(size=161)
    # with a floor the maximum at the floor cannot be left downwards
    held = ascend(q, [-1.0], 0.5, method="log_sigma", sigma_floor=0.3)
    tau = 0.1
    balanced = ascend(q, [-1.0], 0.3, method="log_sigma", entropy=tau)
    # the bonus pushes sigma up, the bump pulls it down
    s = float(balanced.sigma) ** 2
    # h w s = tau (w^2 + s)^(3/2) for a bump by itself
    balance = 0.6 * 0.3 * s / (tau * (0.09 + s) ** 1.5)
    ends = [float(end.mean[0]) for end in (held, balanced)]
    at_floor = held.status == "at the floor" and abs(ends[0] + 1.0) < 0.05 and abs(float(held.sigma) - 0.3) < 1e-9
    at_rest = balanced.status == "converged" and abs(ends[1] + 1.0) < 0.05 and abs(balance - 1.0) < 0.01
    return Evidence(
        f"from the lower bump ascent ends at mu = {ends[0]:.3f} with sigma on its floor {float(held.sigma):g}, and "
        f"with an entropy bonus of {tau:g} at mu = {ends[1]:.3f}, sigma = {math.sqrt(s):.4f}, where the bonus "
        f"balances the bump to {abs(balance - 1.0):.1e}",
        {"mean_at_floor": ends[0], "mean_with_bonus": ends[1], "sigma_with_bonus": math.sqrt(s), "balance": balance},
        not (at_floor or at_rest),
        corrected=at_floor and at_rest,
    )


def _extrema_of_lines() -> NDArray[np.int64]:
    """Extrema of 40 random lines on a circle, in Q and at 12 sigmas from 1.5 spacings on, shape (40, 13)."""
    grid = Grid(Axis("x", 0.0, 256.0, 256, boundary="periodic"))
    q = Landscape(np.random.default_rng(3).standard_normal((40, 256)), grid)
    fields = [q.values, *solve(q, np.geomspace(1.5, 60.0, 12)).values]
    return np.array([[extrema_around(line, _ROUND_OFF * float(np.ptp(line))) for line in field] for field in fields]).T


@_claim(
    "sturm",
    "On a whole line or a circle the number of local extrema never grows with sigma.",
    source="C. Sturm, J. Math. Pures Appl. 1 (1836)",
)
def sturm() -> Evidence:
    """Random lines at twelve sigmas; and a slope with zero outside, whose edge is an extremum of the line."""
    counts = _extrema_of_lines()
    growth = int(np.diff(counts, axis=1).max())
    slope = Landscape.from_function(lambda x: 2.0 + x, Grid(Axis("x", -1.0, 1.0, 201, boundary="zero")))
    within = len(_inner_maxima(solve(slope, 0.2).values[0], slope.grid))
    return Evidence(
        f"{len(counts)} random lines have {counts[:, 0].sum()} extrema, {counts[:, 1].sum()} at the first of 12 "
        f"sigmas and {counts[:, -1].sum()} at the last; the number grows in none of them. Within a box it may: 2 + x "
        f"with zero outside has none there and {within} maximum at sigma = 0.2, where its edge falls off",
        {
            "extrema_of_q": counts[:, 0].sum(),
            "extrema_at_the_end": counts[:, -1].sum(),
            "largest_growth": growth,
            "within_a_box": within,
        },
        growth <= 0,
    )


@_claim(
    "smoothing-only-removes-maxima",
    "Smoothing only removes maxima, it never creates them.",
    corrected="On a whole line or a circle only; in two or more dimensions smoothing can create maxima.",
    source="C. Sturm, J. Math. Pures Appl. 1 (1836); J. Damon, J. Differential Equations 115 (1995), "
    "doi:10.1006/jdeq.1995.1019",
)
def smoothing_only_removes_maxima() -> Evidence:
    """Random lines, and two hills with a thin bridge between them."""
    line = int(np.diff(_extrema_of_lines(), axis=1).max())
    counts = _creation().count("maximum", on_edge=False)
    plane = int(np.diff(counts).max())
    story = " -> ".join(map(str, counts))
    return Evidence(
        f"over 12 sigmas none of 40 random lines gains an extremum (largest change {line:+d}); two hills joined by a "
        f"thin bridge have {story} maxima at sigma = 0.05, 0.1, 0.3, 0.7",
        {"growth_on_lines": line, "growth_in_the_plane": plane},
        line <= 0 and plane <= 0,
        line <= 0,
        line <= 0,
    )


@_claim(
    "creation-in-two-dimensions",
    "In two dimensions smoothing can create a maximum.",
    source="J. Damon, J. Differential Equations 115 (1995), doi:10.1006/jdeq.1995.1019",
)
def creation_in_two_dimensions() -> Evidence:
    """Birth and death of the second maximum of two hills and a thin bridge, and both maxima between."""
    space = _creation()
    # in variance, the time of the heat equation
    times = {event.kind: event.sigma**2 for event in space.events}
    born, dead = times.get("birth", math.nan), times.get("death", math.nan)
    points = space.points(1)
    points = points.select(~points.on_edge & (np.array(points.kinds) == "maximum"))
    order = np.argsort(-points.values)
    places, heights = points.positions[order, 0].tolist(), points.values[order].tolist()
    both = "; ".join(f"({x:.2f}, 0) of height {v:.4f}" for x, v in zip(places, heights, strict=True))
    right = len(places) == 2 and max(
        abs(places[0] - 0.28), abs(places[1] - 2.78), abs(heights[0] - 1.1649), abs(heights[1] - 0.6870)
    )
    return Evidence(
        f"the second maximum is created at sigma^2 = {born:.7f} and vanishes at {dead:.5f}; at sigma^2 = 0.01 the "
        f"maxima "
        f"are {both}",
        {"birth": born, "death": dead, "maxima": len(places)},
        # to the digits of the fixture
        abs(born - 0.0033125) < 5e-8 and abs(dead - 0.38048) < 5e-6 and 0.0 < right < 0.006,
    )
