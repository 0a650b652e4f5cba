"""Landscapes with a known exact evolution: references for solvers, checks and studies.

Each of them is a sum of products of functions of one coordinate, Q(x) = sum_k c_k prod_i f_ki(x_i). The heat flow acts
along each axis separately, so u is the same sum of the evolved factors, which `heatpg.landscapes.lines` computes for
every boundary condition.

**The exact evolution therefore uses the boundary conditions of the grid, edges included**, to about 1e-14 of the
largest |Q|, and the axes may have different boundary conditions. The free-space formula in a docstring applies where
the noise does not reach the edges; `Grid.trust` bounds the difference. The edges are the bounds of the axis, whatever
its nodes. No exact evolution is attached for a boundary condition without a known formula.

Where Q jumps inside the box, a node on the jump has the mean of both sides. At an edge Q has the value inside; where
the continuation jumps there (``zero``; ``periodic``, if the ends differ), the limit of u for sigma -> 0 is the mean of
both sides instead. All parameters are in ``provenance["parameters"]``, and ``function(grid, **parameters)`` reproduces
the landscape.
"""

# One file above 600 lines: fifteen landscapes that share their words, each short, and half of it docstring.

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from heatpg.core.grid import Axis, Grid, GridLike, as_grid
from heatpg.core.landscape import Landscape
from heatpg.core.ownership import HandedOver
from heatpg.errors import GridError, OptionError, UnsupportedError
from heatpg.landscapes import landscapes
from heatpg.landscapes.lines import (
    BOUNDARIES,
    CONSTANT,
    REACH,
    Eigenmode,
    Gaussian,
    Polynomial,
    Superposition,
    Term,
    Wave,
    integer_directions,
    power,
    sum_over_axes,
)
from heatpg.tools.arguments import finite_number, positive_number, repeated_numbers, whole_number
from heatpg.tools.docstrings import completed

__all__ = [
    "absolute_value",
    "box",
    "cosine",
    "creation",
    "eigenmodes",
    "gaussians",
    "peak_and_hill",
    "plateau",
    "quadratic",
    "ramp",
    "ridge",
    "step",
    "two_bumps",
    "unequal_bumps",
    "weierstrass",
]

Family = TypeVar("Family", bound=Callable[..., Landscape])

# What most docstrings of this file share.
_GRID = """grid, size, boundary, dimensions
    Grid to sample on; without a grid, `size` nodes on {} along each axis."""
_RETURNS = """landscape
    Landscape with its exact evolution, valid up to the edges under every boundary condition."""
_RAISES = """GridError
    For a grid with the wrong number of axes.
OptionError
    For parameters that are not finite, not positive where required, or inconsistent with each other or the grid."""


def _documented(*, nodes_on: str = "") -> Callable[[Family], Family]:
    """Add these sections to the docstring of a family, where it has none of its own."""
    return completed(parameters=nodes_on and _GRID.format(nodes_on), returns=_RETURNS, raises=_RAISES)


def _landscape(grid: Grid, name: str, terms: Sequence[Term], parameters: dict[str, Any]) -> Landscape:
    # Q is the evolution at sigma 0, so values and exact evolution cannot disagree
    evolution = Superposition(grid, tuple(terms))
    known = all(axis.boundary in BOUNDARIES for axis in grid)
    provenance = {"source": f"heatpg.landscapes.analytic.{name}", "parameters": parameters}
    values = evolution((0.0,) * grid.dimensions)
    return Landscape(HandedOver(values), grid, name, provenance, exact=evolution if known else None)


def _gaussian_sum(
    grid: Grid, name: str, heights: Sequence[float], centers: ArrayLike, widths: ArrayLike, parameters: dict[str, Any]
) -> Landscape:
    """Gaussians with one row of centers and widths each."""
    rows = zip(heights, np.asarray(centers).tolist(), np.asarray(widths).tolist(), strict=True)
    terms = [Term(height, tuple(map(Gaussian, center, width))) for height, center, width in rows]
    return _landscape(grid, name, terms, parameters)


def _grid(
    grid: GridLike | None, lower: float, upper: float, size: int, boundary: str, dimensions: int, *, at_least: int = 1
) -> Grid:
    """The given grid, or the same axis in every direction."""
    if grid is None:
        whole_number("dimensions", dimensions, least=at_least)
        names = ["x"] if dimensions == 1 else [f"x{i + 1}" for i in range(dimensions)]
        return Grid(*(Axis(name, lower, upper, size, boundary=boundary) for name in names))
    grid = as_grid(grid)
    if grid.dimensions < at_least:
        raise GridError(
            "the grid has too few axes for this landscape",
            given=f"{grid.dimensions}",
            allowed=f"at least {at_least}",
            advice="omit grid to use the default grid",
        )
    return grid


@landscapes.register("cosine")
@_documented(nodes_on="[0, 2 pi]")
def cosine(
    grid: GridLike | None = None,
    *,
    size: int = 128,
    boundary: str = "periodic",
    dimensions: int = 2,
    wavenumbers: tuple[float, ...] = (1.0,),
    phase: float = 0.0,
) -> Landscape:
    """A plane wave, the eigenfunction of the heat flow.

    Q(x) = cos(k . x + phase); in free space, and on a periodic axis that holds a whole number of waves,
    u = exp(-sum_i k_i^2 sigma_i^2 / 2) Q. So it is on a reflecting axis from 0 to L for k = n pi / L, phase 0, and on
    an absorbing one for phase -pi/2 (a sine).

    Parameters
    ----------
    wavenumbers
        k, one for all axes or one per axis, in radians per unit of the axis.
    phase
        In radians.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.cosine(size=4, dimensions=1)
    >>> q.exact(0.5).round(4)  # exp(-0.5**2 / 2) = 0.8825
    array([ 0.8825,  0.    , -0.8825, -0.    ])
    """
    grid = _grid(grid, 0.0, 2 * math.pi, size, boundary, dimensions)
    vector = repeated_numbers("wavenumbers", wavenumbers, grid.dimensions)
    phase = finite_number("phase", phase)
    amplitude = complex(math.cos(phase), math.sin(phase))
    terms = [Term(amplitude, tuple(map(Wave, vector)))]
    return _landscape(grid, "cosine", terms, {"wavenumbers": vector, "phase": phase})


@landscapes.register("eigenmodes")
@_documented(nodes_on="[0, 1]")
def eigenmodes(
    grid: GridLike | None = None,
    *,
    size: int = 65,
    boundary: str = "reflect",
    dimensions: int = 2,
    modes: int = 4,
    seed: int = 0,
) -> Landscape:
    """Several eigenmodes at once, each decaying at its own rate: for studies of convergence.

    Q(x) = c_0 prod_i l_i(x_i) + sum_j c_j prod_i e_(n_ij)(x_i); u: each e_n times exp(-k_n^2 sigma^2 / 2). With
    s = x - lower and L the distance of the walls, e_n is cos(k_n s + phase), k_n = 2 pi n / L, on a periodic axis;
    on others k_n = n pi / L, and e_n is cos(k_n s) on a reflecting, sin(k_n s) on an absorbing one. l is 1, but
    1 + s / L on an absorbing axis: held ends that are not 0.

    Parameters
    ----------
    modes
        Number of modes; along each axis the numbers n are 1, ..., modes in an order of their own.
    seed
        Of the amplitudes (standard normal, over j), phases and orders.

    Returns
    -------
    landscape
        With the exact evolution, valid up to the edges, on periodic, reflecting and absorbing axes and mixtures.

    Raises
    ------
    UnsupportedError
        On a ``clip`` or ``zero`` axis, where there are no eigenmodes.
    OptionError
        For a parameter out of range.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.eigenmodes(dimensions=1, size=5, boundary="absorb")
    >>> bool(abs(q.exact(0.3)[[0, -1]] - q.values[[0, -1]]).max() < 1e-15)  # the ends are held
    True
    """
    grid = _grid(grid, 0.0, 1.0, size, boundary, dimensions)
    for axis in grid:
        if axis.boundary not in ("absorb", "periodic", "reflect"):
            raise UnsupportedError(
                f"axis {axis.name!r}: eigenmodes need another boundary condition",
                given=repr(axis.boundary),
                allowed="'absorb', 'periodic', 'reflect'",
                advice="use ramp, plateau or gaussians, which are exact with clip and zero",
            )
    count = whole_number("modes", modes)
    generator = np.random.default_rng(whole_number("seed", seed, least=0))
    # amplitudes fall as 1 / j, so that no mode hides the others; drawn in this order for every boundary
    amplitudes = generator.standard_normal(count + 1) / np.maximum(np.arange(count + 1), 1)
    # an order of its own along each axis: the modes are no products of equal numbers
    numbers = np.stack([1 + generator.permutation(count) for _ in grid], axis=1)
    phases = generator.uniform(0.0, 2 * math.pi, numbers.shape)
    chords = []
    for axis in grid:
        lower, upper = axis.lower, axis.upper
        # held ends that are not zero, so that a solver which takes them for zero is found out
        slope = 1.0 / (upper - lower) if axis.boundary == "absorb" else 0.0
        chords.append(Polynomial(lower, ((-math.inf, math.inf, (1.0, slope)),)))
    terms = [Term(float(amplitudes[0]), tuple(chords))]
    for amplitude, row, shifts in zip(amplitudes[1:].tolist(), numbers.tolist(), phases.tolist(), strict=True):
        terms.append(Term(amplitude, tuple(map(Eigenmode, row, shifts))))
    return _landscape(grid, "eigenmodes", terms, {"modes": count, "seed": int(seed)})


@landscapes.register("quadratic")
@_documented(nodes_on="[-4, 4]")
def quadratic(
    grid: GridLike | None = None,
    *,
    size: int = 129,
    boundary: str = "clip",
    dimensions: int = 2,
    curvature: tuple[float, ...] = (1.0,),
    center: tuple[float, ...] = (0.0,),
) -> Landscape:
    """A quadratic, the value of a linear system with quadratic cost: smoothing never moves its argmax.

    Q(x) = -1/2 (x - c)^T A (x - c); in free space u = Q - 1/2 sum_i A_ii sigma_i^2. On the box edge values
    continue (``clip``), and u is the evolution of the clipped quadratic.

    Parameters
    ----------
    curvature
        A: one number for a multiple of the identity, one per axis for a diagonal matrix, or a symmetric matrix, row
        after row.
    center
        c, one for all axes or one per axis.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.quadratic(size=5, dimensions=1)
    >>> q.values
    array([-8., -2.,  0., -2., -8.])
    >>> q.exact(0.5)[2].round(6)  # -1/2 0.5**2
    np.float64(-0.125)
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    d = grid.dimensions
    given = np.size(curvature)
    # one number is a multiple of the identity, d of them a diagonal, d^2 a matrix
    matrix = np.reshape(repeated_numbers("curvature", curvature, d * d if given not in (1, d) else d), (-1, d))
    if len(matrix) == 1:
        matrix = np.diag(matrix[0])
    if not np.array_equal(matrix, matrix.T):
        raise OptionError("curvature must be a symmetric matrix", given=curvature, advice="use (A + A^T) / 2")
    place = repeated_numbers("center", center, d)
    # degree of each axis in the term A_ij (x_i - c_i)(x_j - c_j): its number among the two indices
    terms = [
        Term(-0.5 * float(matrix[i, j]), tuple(power(place[axis], (i, j).count(axis)) for axis in range(d)))
        for i in range(d)
        for j in range(d)
    ]
    return _landscape(grid, "quadratic", terms, {"curvature": matrix.ravel().tolist(), "center": place})


@landscapes.register("ramp")
@_documented(nodes_on="[-1, 1]")
def ramp(
    grid: GridLike | None = None,
    *,
    size: int = 65,
    boundary: str = "clip",
    dimensions: int = 2,
    slopes: tuple[float, ...] = (1.0,),
) -> Landscape:
    """A linear landscape with clipped actions: all smoothing effects come from the edges.

    Q(x) = sum_i slope_i x_i; with ``clip`` u = sum_i slope_i E[min(max(x_i + sigma_i Z, lower_i), upper_i)].

    Parameters
    ----------
    slopes
        One for all axes or one per axis.

    Examples
    --------
    At the upper edge half of the noise is clipped away, the other half costs sigma / sqrt(2 pi):

    >>> from heatpg import landscapes
    >>> landscapes.ramp(size=3, dimensions=1).exact(0.1).round(4)
    array([-0.9601,  0.    ,  0.9601])
    """
    grid = _grid(grid, -1.0, 1.0, size, boundary, dimensions)
    factors = repeated_numbers("slopes", slopes, grid.dimensions)
    terms = sum_over_axes([power(0.0, 1, slope) for slope in factors])
    return _landscape(grid, "ramp", terms, {"slopes": factors})


@landscapes.register("plateau")
@_documented(nodes_on="[-1, 1]")
def plateau(
    grid: GridLike | None = None, *, size: int = 65, boundary: str = "zero", dimensions: int = 2, height: float = 1.0
) -> Landscape:
    """A constant on the box, zero outside: u is proportional to the probability that the noise stays in the box.

    Q(x) = height; with ``zero`` u = height prod_i (Phi((upper_i - x_i) / sigma_i) - Phi((lower_i - x_i) / sigma_i)).
    Under every other boundary condition it does not change.

    Parameters
    ----------
    height
        The constant.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.plateau(size=3, dimensions=1).exact(0.5).round(4)
    array([0.5   , 0.9545, 0.5   ])
    """
    grid = _grid(grid, -1.0, 1.0, size, boundary, dimensions)
    height = finite_number("height", height)
    return _landscape(grid, "plateau", [Term(height, (CONSTANT,) * grid.dimensions)], {"height": height})


@landscapes.register("step")
@_documented(nodes_on="[-4, 4]")
def step(
    grid: GridLike | None = None,
    *,
    size: int = 257,
    boundary: str = "clip",
    dimensions: int = 1,
    position: float = 0.0,
    height: float = 1.0,
) -> Landscape:
    """A step (Heaviside function) along the first axis: a cliff, for example where an episode terminates.

    Q(x) = height for x_1 > position, half of it at the position, else 0; in free space and with ``clip``
    u = height Phi((x_1 - position) / sigma_1).

    Parameters
    ----------
    position, height
        Position and height of the step.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.step(size=5).exact(2.0).round(4)
    array([0.0228, 0.1587, 0.5   , 0.8413, 0.9772])
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    position, height = finite_number("position", position), finite_number("height", height)
    # the constant 1 on one side, nothing on the other; a node on the cliff has half of it
    cliff = Polynomial(0.0, ((position, math.inf, (1.0,)),))
    terms = [Term(height, (cliff, *[CONSTANT] * (grid.dimensions - 1)))]
    return _landscape(grid, "step", terms, {"position": position, "height": height})


@landscapes.register("absolute_value")
@_documented(nodes_on="[-4, 4]")
def absolute_value(
    grid: GridLike | None = None,
    *,
    size: int = 257,
    boundary: str = "clip",
    dimensions: int = 1,
    center: tuple[float, ...] = (0.0,),
) -> Landscape:
    """Kinks along every axis: Lipschitz, not differentiable.

    Q(x) = sum_i |x_i - c_i|; in free space u(c) = sqrt(2 / pi) sum_i sigma_i.

    Parameters
    ----------
    center
        c, one for all axes or one per axis.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.absolute_value(size=5).exact(0.5).round(4)  # sqrt(2 / pi) 0.5 = 0.3989
    array([3.8005, 2.    , 0.3989, 2.    , 3.8005])
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    place = repeated_numbers("center", center, grid.dimensions)
    # two pieces that meet in the kink: -(x - c) before it, x - c after
    lines = [Polynomial(c, ((-math.inf, c, (0.0, -1.0)), (c, math.inf, (0.0, 1.0)))) for c in place]
    return _landscape(grid, "absolute_value", sum_over_axes(lines), {"center": place})


@landscapes.register("box")
@_documented(nodes_on="[-4, 4]")
def box(
    grid: GridLike | None = None,
    *,
    size: int = 257,
    boundary: str = "clip",
    dimensions: int = 1,
    half_widths: tuple[float, ...] = (1.0,),
    center: tuple[float, ...] = (0.0,),
) -> Landscape:
    """A boxcar function: constant reward within a distance.

    Q(x) = 1 where |x_i - c_i| < w_i along every axis, else 0; in free space
    u = prod_i (Phi((x_i - c_i + w_i) / sigma_i) - Phi((x_i - c_i - w_i) / sigma_i)), of height
    prod_i (2 Phi(w_i / sigma_i) - 1).

    Parameters
    ----------
    half_widths
        w, one for all axes or one per axis.
    center
        c, likewise.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.box(size=9).exact(1.0)[4].round(4)  # 2 Phi(1) - 1
    np.float64(0.6827)
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    widths = repeated_numbers("half_widths", half_widths, grid.dimensions, positive=True)
    place = repeated_numbers("center", center, grid.dimensions)
    lines = tuple(Polynomial(0.0, ((c - w, c + w, (1.0,)),)) for c, w in zip(place, widths, strict=True))
    return _landscape(grid, "box", [Term(1.0, lines)], {"half_widths": widths, "center": place})


@landscapes.register("gaussians")
@_documented()
def gaussians(
    grid: GridLike | None = None,
    *,
    size: int = 129,
    boundary: str = "clip",
    heights: tuple[float, ...] = (1.0, 0.7),
    centers: tuple[float, ...] = (-1.0, 0.5, 1.5, -0.5),
    widths: tuple[float, ...] = (0.4, 0.8, 0.7, 0.5),
) -> Landscape:
    """A sum of Gaussians, any number in any dimension, each with its own width along each axis.

    Q(x) = sum_k h_k prod_i exp(-(x_i - c_ki)^2 / (2 w_ki^2)); in free space the widths become
    W_ki = sqrt(w_ki^2 + sigma_i^2) and the heights h_k prod_i w_ki / W_ki.

    Parameters
    ----------
    grid, size, boundary
        Grid to sample on; without a grid, `size` nodes on [-5, 5] along as many axes as the centers have coordinates.
    heights
        One per Gaussian; of either sign.
    centers
        Coordinates of the first Gaussian, then of the second, and so on.
    widths
        Standard deviations: one for all, one per Gaussian, or one per coordinate in the order of `centers`.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.gaussians(heights=(2.0,), centers=(0.0,), widths=(0.3,), size=11)
    >>> q.exact(0.4)[5].round(6)  # 2 * 0.3 / 0.5
    np.float64(1.2)
    """
    # the number of axes follows from the centers, so their count is asked before there is a grid
    count = np.size(heights)
    if count == 0 or np.size(centers) == 0 or np.size(centers) % count:
        raise OptionError(
            "centers and heights differ in number",
            given=f"{np.size(centers)} coordinates for {count} Gaussians",
            allowed="the same number of coordinates for each Gaussian",
        )
    grid = _grid(grid, -5.0, 5.0, size, boundary, np.size(centers) // count)
    tops = repeated_numbers("heights", heights, count)
    total = count * grid.dimensions
    if np.size(centers) != total:
        raise OptionError(
            "centers has the wrong number of coordinates for the grid",
            given=f"{np.size(centers)} coordinates",
            allowed=f"{total}: {count} Gaussians, {grid.dimensions} axes",
        )
    places = repeated_numbers("centers", centers, total)
    # one width per Gaussian: the same along every axis
    if np.size(widths) == count:
        widths = tuple(np.repeat(widths, grid.dimensions))
    spreads = repeated_numbers("widths", widths, total, positive=True)
    parameters = {"heights": tops, "centers": places, "widths": spreads}
    rows = (count, grid.dimensions)
    return _gaussian_sum(grid, "gaussians", tops, np.reshape(places, rows), np.reshape(spreads, rows), parameters)


def _two_gaussians(
    grid: Grid, name: str, tops: Sequence[float], widths: Sequence[float], distance: float, parameters: dict[str, Any]
) -> Landscape:
    """Round Gaussians at this distance below and above the origin, along the first axis."""
    centers = [[sign * distance] + [0.0] * (grid.dimensions - 1) for sign in (-1.0, 1.0)]
    return _gaussian_sum(grid, name, tops, centers, [[width] * grid.dimensions for width in widths], parameters)


@landscapes.register("two_bumps")
@_documented(nodes_on="[-4, 4]")
def two_bumps(
    grid: GridLike | None = None,
    *,
    size: int = 129,
    boundary: str = "clip",
    dimensions: int = 1,
    half_distance: float = 1.0,
    width: float = 0.5,
) -> Landscape:
    """Two equal bumps: two maxima at every sigma below sigma_death.

    Q(x) = exp(-|x - a|^2 / (2 w^2)) + exp(-|x + a|^2 / (2 w^2)), a along the first axis; in free space both maxima
    exist until sigma_death^2 = |a|^2 - w^2, where they merge.

    Parameters
    ----------
    half_distance
        |a|.
    width
        w, the standard deviation.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.two_bumps(size=9)
    >>> int(q.exact(0.7).argmax()), int(q.exact(0.9).argmax())  # sigma_death = 0.866; the middle is node 4
    (3, 4)
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    half_distance = positive_number("half_distance", half_distance)
    width = positive_number("width", width)
    parameters = {"half_distance": half_distance, "width": width}
    return _two_gaussians(grid, "two_bumps", (1.0, 1.0), (width, width), half_distance, parameters)


@landscapes.register("unequal_bumps")
@_documented(nodes_on="[-4, 4]")
def unequal_bumps(
    grid: GridLike | None = None,
    *,
    size: int = 161,
    boundary: str = "clip",
    dimensions: int = 1,
    heights: tuple[float, ...] = (0.6, 1.0),
    half_distance: float = 1.0,
    width: float = 0.3,
) -> Landscape:
    """A lower and a higher bump: ascent from the lower one, in (mu, sigma) too, stays there unless sigma is large.

    Q(x) = h_1 exp(-|x + a|^2 / (2 w^2)) + h_2 exp(-|x - a|^2 / (2 w^2)), a along the first axis. From mu = -1, joint
    ascent in (mu, sigma^2) ends at mu = -1, sigma -> 0 for sigma_0 = 0.3, 0.6 and 0.9; it escapes for sigma_0 = 1.2.

    Parameters
    ----------
    heights
        h_1 at -a and h_2 at +a.
    half_distance
        |a|.
    width
        w, the standard deviation.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.unequal_bumps()
    >>> q.values[60].round(4), q.values[100].round(4)
    (np.float64(0.6), np.float64(1.0))
    """
    grid = _grid(grid, -4.0, 4.0, size, boundary, dimensions)
    tops = repeated_numbers("heights", heights, 2)
    half_distance = positive_number("half_distance", half_distance)
    width = positive_number("width", width)
    parameters = {"heights": tops, "half_distance": half_distance, "width": width}
    return _two_gaussians(grid, "unequal_bumps", tops, (width, width), half_distance, parameters)


@landscapes.register("peak_and_hill")
@_documented(nodes_on="[-6, 6]")
def peak_and_hill(
    grid: GridLike | None = None,
    *,
    size: int = 961,
    boundary: str = "clip",
    dimensions: int = 1,
    heights: tuple[float, ...] = (1.0, 0.8),
    widths: tuple[float, ...] = (0.05, 1.0),
    half_distance: float = 3.0,
) -> Landscape:
    """A high narrow peak and a low broad hill far away: at sigma_jump the argmax leaves the peak for the hill.

    Q(x) = h_1 exp(-|x + a|^2 / (2 w_1^2)) + h_2 exp(-|x - a|^2 / (2 w_2^2)), a along the first axis; far apart, with
    r = (h_1 / h_2)^(2/m) in m dimensions, sigma_jump^2 = w_1^2 w_2^2 (r - 1) / (w_2^2 - r w_1^2), if r > 1 and
    r w_1^2 < w_2^2.

    Parameters
    ----------
    heights
        h_1 of the peak, at -a, and h_2 of the hill, at +a.
    widths
        w_1 and w_2, standard deviations.
    half_distance
        |a|.

    Examples
    --------
    sigma_jump is 0.03757 here:

    >>> from heatpg import landscapes
    >>> q = landscapes.peak_and_hill()
    >>> [float(q.grid["x"].coordinates[q.exact(sigma).argmax()]) for sigma in (0.037, 0.038)]
    [-3.0, 3.0]
    """
    grid = _grid(grid, -6.0, 6.0, size, boundary, dimensions)
    tops = repeated_numbers("heights", heights, 2)
    spreads = repeated_numbers("widths", widths, 2, positive=True)
    half_distance = positive_number("half_distance", half_distance)
    parameters = {"heights": tops, "widths": spreads, "half_distance": half_distance}
    return _two_gaussians(grid, "peak_and_hill", tops, spreads, half_distance, parameters)


@landscapes.register("creation")
@_documented()
def creation(grid: GridLike | None = None, *, size: int = 401, boundary: str = "clip") -> Landscape:
    """A landscape on which smoothing creates a maximum (impossible in one dimension): one maximum, then two, then one.

    Q(x, y) = G(0, 0; 1, 1) + 0.6 G(3, 0; 0.7, 0.7) + 0.9 G(1.3, 0; 0.9, 0.05), with
    G(a, b; v, w) = exp(-(x - a)^2 / (2 v^2) - (y - b)^2 / (2 w^2)). A thin bridge joins two hills; smoothing takes it
    away. In free space there is 1 maximum for sigma^2 < 0.0033125, there are 2 until 0.38048, and 1 after; at
    sigma^2 = 0.01 they are (0.28, 0), of height 1.1649, and (2.78, 0), of height 0.6870.

    Parameters
    ----------
    grid, size, boundary
        Grid to sample on, two axes; without a grid, `size` nodes on [-4, 6] and on [-3, 3].

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.creation(size=201).exact(0.1).max().round(4)  # 1.1649 between the nodes
    np.float64(1.1648)
    """
    if grid is None:
        grid = Grid(Axis("x", -4.0, 6.0, size, boundary=boundary), Axis("y", -3.0, 3.0, size, boundary=boundary))
    grid = _grid(grid, 0.0, 1.0, size, boundary, 2, at_least=2)
    if grid.dimensions != 2:
        raise GridError("this landscape has two dimensions", given=f"{grid.dimensions} axes", allowed="2")
    centers = [[0.0, 0.0], [3.0, 0.0], [1.3, 0.0]]
    widths = [[1.0, 1.0], [0.7, 0.7], [0.9, 0.05]]
    return _gaussian_sum(grid, "creation", (1.0, 0.6, 0.9), centers, widths, {})


@landscapes.register("ridge")
@_documented()
def ridge(
    grid: GridLike | None = None, *, size: int = 201, boundary: str = "clip", dimensions: int = 2, width: float = 0.2
) -> Landscape:
    """A ridge along the diagonal of the first two axes: two rotors must produce equal thrust.

    Q(u) = exp(-(u_1 - u_2)^2 / (2 w^2)); in free space u has w^2 + sigma_1^2 + sigma_2^2 in the place of w^2 and height
    sqrt(w^2 / (w^2 + sigma_1^2 + sigma_2^2)).

    Parameters
    ----------
    grid, size, boundary, dimensions
        Grid to sample on, at least two axes; without a grid, `size` nodes on [-1, 1] along each axis. Q does not
        change along the third axis and those after it.
    width
        w, the standard deviation in u_1 - u_2.

    Examples
    --------
    >>> from heatpg import landscapes
    >>> landscapes.ridge(size=21).exact(0.1)[10, 10].round(6)  # sqrt(0.04 / (0.04 + 2 * 0.01))
    np.float64(0.816497)
    """
    grid = _grid(grid, -1.0, 1.0, size, boundary, dimensions, at_least=2)
    width = positive_number("width", width)
    # The ridge is a row of round bumps: integral over s of exp(-(u_1 - s)^2 / w^2 - (u_2 - s)^2 / w^2) ds
    # = w sqrt(pi / 2) exp(-(u_1 - u_2)^2 / (2 w^2)). In s the integrand is a Gaussian of deviation w / 2, for which
    # the trapezoid rule with step w / 3 is off by 2 exp(-2 pi^2 9 / 4) = 1e-19.
    increment = width / 3
    first = (grid[0].lower + grid[1].lower) / 2 - REACH * width / 2
    last = (grid[0].upper + grid[1].upper) / 2 + REACH * width / 2
    amplitude = increment / (width * math.sqrt(math.pi / 2))
    rest = (CONSTANT,) * (grid.dimensions - 2)
    terms = []
    for k in range(math.ceil((last - first) / increment) + 1):
        bump = Gaussian(first + k * increment, width / math.sqrt(2))
        terms.append(Term(amplitude, (bump, bump, *rest)))
    return _landscape(grid, "ridge", terms, {"width": width})


@landscapes.register("weierstrass")
@_documented(nodes_on="[0, 2 pi]")
def weierstrass(
    grid: GridLike | None = None,
    *,
    size: int = 1024,
    boundary: str = "periodic",
    dimensions: int = 1,
    exponent: float = 0.4,
    base: int = 2,
    terms: int = 9,
    directions: int = 8,
    seed: int = 0,
) -> Landscape:
    """A fractal landscape of known roughness: Hölder exponent p, nowhere differentiable in the limit of many terms.

    Q(x) = sum_j b^(-p j) cos(b^j x + phase_j), j = 0, ..., terms - 1; u: each term times exp(-b^(2 j) sigma^2 / 2). In
    more dimensions the cosine of each j becomes sum_e cos(k . x + phase) / sqrt(directions) over random directions e,
    where k is b^j e rounded to whole numbers: so it fits on the torus, and each term decays as
    exp(-sum_i k_i^2 sigma_i^2 / 2). Along an axis of length L wavenumbers count in units of 2 pi / L.

    Parameters
    ----------
    exponent
        p, above 0 and at most 1.
    base
        b, a whole number from 2.
    terms
        Number of scales. The landscape is rough on scales between b^-terms and 1 of the box, smooth below.
    directions
        Number of random directions per scale; in one dimension there is only one.
    seed
        Seed of the phases and directions.

    References
    ----------
    G. H. Hardy, Weierstrass's non-differentiable function, Trans. Amer. Math. Soc. 17 (1916) 301-325,
    doi:10.2307/1989005. On fractal policy landscapes: T. Wang, S. Herbert, S. Gao, arXiv:2310.15418 (NeurIPS 2023)
    and arXiv:2405.17832 (ICML 2024).

    Examples
    --------
    >>> from heatpg import landscapes
    >>> q = landscapes.weierstrass(exponent=0.5, terms=3, size=64)
    >>> float(q.exact(10.0).max()) < 1e-20  # all waves have died, none is constant
    True
    """
    grid = _grid(grid, 0.0, 2 * math.pi, size, boundary, dimensions)
    exponent = positive_number("exponent", exponent)
    if exponent > 1:
        raise OptionError("exponent is out of range", given=exponent, allowed="above 0, at most 1")
    base, terms, directions = (
        whole_number("base", base, least=2),
        whole_number("terms", terms),
        whole_number("directions", directions),
    )
    # whole waves per axis; from Nyquist on a wave would appear as another
    highest, limit = base ** (terms - 1), (min(grid.shape) - 1) // 2
    if highest > limit:
        raise OptionError(
            "the grid is too coarse for the highest frequency",
            given=f"{base}^{terms - 1} = {highest} waves on {min(grid.shape)} nodes",
            allowed=f"at most {limit}",
            advice="use fewer terms or more nodes",
        )
    generator = np.random.default_rng(whole_number("seed", seed, least=0))
    # in one dimension all directions are one, and their waves would add up
    per_scale = 1 if grid.dimensions == 1 else directions
    waves = []
    for j in range(terms):
        # a plane wave is the real part of a product of waves along the axes
        for vector in integer_directions(generator, grid.dimensions, per_scale, base**j):
            angle = generator.uniform(0.0, 2 * math.pi)
            amplitude = base ** (-exponent * j) / math.sqrt(per_scale) * complex(math.cos(angle), math.sin(angle))
            lines = (Wave(2 * math.pi * number / axis.length) for number, axis in zip(vector, grid, strict=True))
            waves.append(Term(amplitude, tuple(lines)))
    parameters = {"exponent": exponent, "base": base, "terms": terms, "directions": directions, "seed": int(seed)}
    return _landscape(grid, "weierstrass", waves, parameters)
