"""How a study is made: the noise is solved, the optimum followed, its price and its risks read off."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from heatpg.core.grid import Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import Sigma, default_sigma
from heatpg.core.sense import sense_of
from heatpg.driver import evolve
from heatpg.errors import HeatpgError, OptionError, SigmaError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.intervals import Intervals, seed_intervals
from heatpg.landscapes import landscapes
from heatpg.planes.evolving import evolve_plane
from heatpg.planes.options import Draws
from heatpg.risk.actions import safest_action
from heatpg.risk.returns import fraction_of
from heatpg.scalespace import (
    PriceCurve,
    Roughness,
    ScaleSpace,
    Shape,
    basins,
    chaos,
    holder_exponent,
    optimum_shape,
    price,
    single_maximum,
    track,
)
from heatpg.scalespace.drawn import above_zero
from heatpg.scalespace.origin import departure
from heatpg.scalespace.principal import one_covariance, principal_axes
from heatpg.studies.page import Study
from heatpg.tools.calls import SIGMA_KEYWORDS, checked_call
from heatpg.tools.options import settable
from heatpg.tools.progress import Progress, progress_of

__all__ = ["intervals_of", "study"]

_PRICE_SHARE = 0.1  # a taste: a tenth of what an optimal action earns over a random one
_MOST_AXES = 3  # in which critical points are found
_RISK_STEPS = 32  # that the safest action counts for in a progress: it takes most of the time. A taste
_STAGES = 7  # as many as there are `with stage(...)` in `study`, but for that of risk; progress is told in them
_ENOUGH = 8  # a taste: fewer levels say little of tracks and events
_SAME = 1e-6  # of osc(Q): the same system, sampled again, possibly in single precision


def intervals_of(space: ScaleSpace, curve: PriceCurve, limit: float | None = None) -> Intervals | None:
    """What the seeds of a landscape leave open; None where it has none, or where they do not differ."""
    flow = space.evolution
    if flow.landscape.returns is None or flow.drawn is not None or _same_returns(flow.landscape):
        return None
    return seed_intervals(space, curve, price_limit=limit)


def _same_returns(landscape: Landscape) -> bool:
    """Whether the seeds change nothing: then there is no sampling error, and no interval to tell of it."""
    returns = landscape.returns
    return returns is not None and len(returns) > 1 and bool((returns == returns[:1]).all())


def _with_origin(landscape: Landscape) -> Landscape:
    """The landscape with its sampler, if it is of a registered system whose parameters it carries, as from a file."""
    source, parameters = landscape.provenance.get("source"), landscape.provenance.get("parameters")
    if landscape.has_sampler or not isinstance(parameters, dict) or source not in landscapes.names():
        return landscape
    family = landscapes.get(str(source))
    # provenance may hold more than the function takes, as measured facts
    known = {name: value for name, value in parameters.items() if name in settable(family)}
    try:
        # three nodes an axis: only the sampler is wanted
        again = family(Grid(*(dataclasses.replace(axis, size=3) for axis in landscape.grid)), **known)
    except (HeatpgError, TypeError, ValueError):
        return landscape
    # whether this is the same system is seen at some of its nodes
    index = np.random.default_rng(0).integers(0, landscape.grid.shape, (32, landscape.grid.dimensions))
    places = np.array([landscape.grid.point(row) for row in index])
    expected = landscape.values[tuple(index.T)]
    # a file may come from another version of the system; then the stored nodes alone are believed
    if not again.has_sampler or np.abs(again.sample(places) - expected).max() > _SAME * landscape.oscillation:
        return landscape
    return landscape.sampled_by(again.sample)


def _roughness_of(landscape: Landscape) -> Roughness | str:
    try:
        # a landscape too small or flat for an exponent is no fault: the study says why there is none
        return holder_exponent(landscape)
    except (OptionError, SigmaError, UnsupportedError) as reason:
        return reason.problem.removeprefix("no Hölder exponent: ")


@checked_call(**SIGMA_KEYWORDS)
def study(
    source: Landscape | Evolution,
    sigma: Sigma | None = None,
    *,
    covariance: ArrayLike | None = None,
    price_limit: float | None = None,
    checks: str = "standard",
    minimise: bool | None = None,
    risk: float | None = None,
    draws: Draws | None = None,
    progress: Progress = None,
) -> Study:
    """Study one landscape: where its optimum moves as exploration noise grows, and what that costs.

    Parameters
    ----------
    source
        A landscape in one, two or three dimensions without batch axes; or an evolution: its landscape is studied, at
        its own noise levels if there are at least 8 with a constant ratio between the axes. Correlated noise must be
        multiples of one covariance; the last one is used.
    sigma
        Noise levels; by default 64 from two grid spacings to half of the box, see `default_sigma`.
    covariance
        Instead of sigma: noise with this covariance, as in CMA-ES, and multiples of it. If it is not diagonal, the
        study uses its principal axes, see `heatpg.scalespace.principal_axes`.
    price_limit
        The cost limit for `Study.keeps`, in units of Q; by default a tenth of max Q - mean Q, for a loss of mean Q -
        min Q.
    checks
        Depth of the checks; see `heatpg.evolve`.
    minimise
        Whether Q is a loss, whose smallest value is the optimum; by default that of the landscape.
    risk
        A fraction q, such as 0.1: also find the action with the best mean of the worst q of all returns (CVaR), and
        where it differs from the action with the best mean; see `heatpg.risk.safest_action`.
    draws
        For a slice: noise in all components instead of only along the axes, sampled with these draws; see
        `heatpg.planes.evolve_plane`.
    progress
        A function that is called as ``progress(done, total)`` after each stage, and with `risk` after each noise level
        of the safest action; or True for a progress bar.

    Returns
    -------
    study
        Print it for the text page; use `Study.as_dict` for JSON.

    Raises
    ------
    OptionError
        For a price limit that is not positive.
    UnsupportedError
        For a flat landscape, batch axes, covariances that are not multiples of one, or more than three dimensions.
    SigmaError
        For too few sigmas, or a grid too coarse for the default ones.

    Examples
    --------
    >>> from heatpg import landscapes, study
    >>> page = study(landscapes.unequal_bumps(size=401), [0.1, 0.2, 0.4, 0.8, 1.6])
    >>> print(page.sentences["maxima"])
    2 maxima at the smallest noise level; for sigma >= 0.7366 a single maximum remains.
    """
    seconds: dict[str, float] = {}
    tell = progress_of(progress, "studying")
    total = _STAGES + (_RISK_STEPS if risk is not None else 0)

    @contextlib.contextmanager
    def stage(name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - begin
        if tell is not None:
            # what is sought in steps comes last
            tell(total if name == "risk" else len(seconds), total)

    def told_levels(done: int, levels: int) -> None:
        # after the last level the optima are still to be followed
        if tell is not None:
            tell(_STAGES + _RISK_STEPS * done // (levels + 1), total)

    if risk is not None:
        risk = fraction_of(risk)  # before the work
    landscape = source.landscape if isinstance(source, Evolution) else source
    better = landscape.sense if minimise is None else sense_of(minimise)
    if landscape.batch_shape:
        raise UnsupportedError(
            "study() needs a single landscape",
            given=f"batch axes {landscape.batch_shape}",
            advice="select one: Landscape(landscape.values[0], landscape.grid)",
        )
    if landscape.grid.dimensions > _MOST_AXES:  # before its nodes are found too few, which more nodes would not mend
        raise UnsupportedError(
            f"study() supports at most {_MOST_AXES} axes",
            given=f"{landscape.grid.dimensions} axes",
            advice="study a slice of up to three axes, or use heatpg.quadrature.mollify with a function of up to 20 "
            "variables",
        )
    if price_limit is not None and not (math.isfinite(price_limit) and price_limit > 0):
        raise OptionError("price_limit must be positive", given=price_limit, allowed="numbers > 0, in units of Q")
    if draws is not None and (covariance is not None or risk is not None):
        given = "covariance" if covariance is not None else "risk"
        raise UnsupportedError(
            f"{given} is not available for noise in all components",
            given=f"draws and {given}",
            advice="study(heatpg.planes.evolve_plane(landscape, sigma, draws, covariance=...))" if risk is None else "",
        )
    if covariance is not None and sigma is not None:
        raise OptionError("give either sigma or covariance, not both")
    principal = None
    with stage("evolve"):
        landscape = _with_origin(landscape)
        factors = None
        if isinstance(source, Evolution) and sigma is None and covariance is None:
            covariance, factors = one_covariance(source)
            factors = factors if len(source) >= _ENOUGH else None
        if covariance is not None:
            principal = principal_axes(landscape, covariance)
            if risk is not None and principal.basis is not None:
                raise UnsupportedError(
                    "risk is not available for correlated noise",
                    given="risk and a full covariance",
                    advice="use heatpg.risk.distribution(landscape, covariance=...).tail_mean(q) for the tail mean of "
                    "every action",
                )
            landscape = principal.landscape
            sigma = principal.levels() if factors is None else factors[:, None] * principal.deviations
        landscape = landscape.regarded(minimise=better.minimise)
        known = isinstance(source, Evolution) and (len(source) >= _ENOUGH or source.drawn is not None)
        if isinstance(source, Evolution) and (sigma is not None or covariance is not None or risk is not None):
            source.require_solved("a study of other noise, or of risk")
        if isinstance(source, Evolution) and known and sigma is None:
            flow = source
            if landscape is not source.landscape:
                sampled = {"known_error": source.known_error, "draw_groups": source.draw_groups}
                flow = Evolution.of(source, landscape=landscape, **sampled)
        else:
            levels = default_sigma(landscape.grid) if sigma is None else sigma
            if draws is None:
                flow = evolve(landscape, levels, checks=checks)
            else:
                flow = evolve_plane(landscape, levels, draws, checks=checks)
        flow = above_zero(flow)
    with stage("tracks"):
        space = track(flow)
    with stage("price"):
        # the price is asked about after the curve, which knows the best Q
        curve = price(space)
        # The mean over the box is what a random action earns. Between stated walls all cells may be equal.
        limit = _PRICE_SHARE * (curve.above_mean or curve.oscillation) if price_limit is None else price_limit
        keeps, single = curve.largest_sigma(limit), single_maximum(space)
        try:
            shape: Shape | str = optimum_shape(space)
        except (OptionError, UnsupportedError) as reason:
            shape = reason.problem
    with stage("seeds"):
        seeds = intervals_of(space, curve, limit)
    with stage("basins"):
        # labels of every node at 64 levels would be the largest part of a study, and no sentence needs them
        where = basins(flow, include_initial=False, keep_labels=False)
    with stage("roughness"):
        rough = _roughness_of(landscape)
    with stage("chaos"):
        try:
            chaotic = chaos(landscape, measured=rough.exponent if isinstance(rough, Roughness) else None)
        except (OptionError, UnsupportedError):
            chaotic = None
    safest = None
    if risk is not None:
        with stage("risk"):
            safest = safest_action(flow, risk, progress=told_levels).with_mean_jumps(space.jumps)
    found = (flow, space, curve, where, rough, chaotic, shape, limit, keeps, single, departure(space), seconds)
    return Study(*found, risk=safest, principal=principal, intervals=seeds)
