"""What seeds leave open of the safest action: against sums of sorted values, and against landscapes that are moved."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, study
from heatpg.risk import SafestAction, safest_action
from heatpg.risk.jumps import Measure
from heatpg.risk.positive import PositiveFlow
from heatpg.risk.scatter import Scatter
from heatpg.solvers import make

Array = NDArray[np.float64]

LINE = Grid(Axis("x", -3.0, 3.0, 161, boundary="clip"))
X = LINE[0].coordinates
# wide enough for this grid: the safest action jumps at .05
Q = np.exp(-((X + 1.0) ** 2) / 0.08) + 0.8 * np.exp(-((X - 0.8) ** 2) / 0.4)
SIGMA = [0.06, 0.12]


def seeds(count: int, offset: float = 0.3) -> Array:
    rng = np.random.default_rng(count)
    waves = (offset, 0.02 * X, 0.03 * np.cos(2.0 * X))
    return np.asarray(Q + sum(rng.standard_normal((count, 1)) * wave for wave in waves))


def tail_by_hand(q: Array, mu: float, sigma: float, fraction: float) -> float:
    """The mean of the worst fraction of the values at the nodes, each with its share of the noise."""
    edges = np.concatenate([[-np.inf], 0.5 * (X[1:] + X[:-1]), [np.inf]])
    below = np.array([0.5 * math.erfc(-(each - mu) / sigma / math.sqrt(2.0)) for each in edges])
    weights, order = np.diff(below), np.argsort(q)
    reached = np.minimum(np.cumsum(weights[order]), fraction)
    return float(np.diff(reached, prepend=0.0) @ q[order] / fraction)


@pytest.mark.parametrize("minimise", [False, True])
@pytest.mark.parametrize("scale", [1.0, 2.0**-900])
def test_changes_of_a_tail_mean_are_those_of_sorted_values(minimise: bool, scale: float) -> None:
    returns, sigma, fraction = seeds(12), 0.3, 0.25
    mean = returns.mean(axis=0)
    sign = -1.0 if minimise else 1.0
    landscape = Landscape(None, LINE, returns=sign * scale * returns, minimise=minimise)
    flow = PositiveFlow(landscape, make("direct"), landscape.sense.sign)
    scatter = Scatter.of(flow)
    assert scatter is not None
    field = Measure(flow, fraction, 257).at(np.array([sigma]))
    assert field.ladder is not None
    for node in (60, 80, 104):
        field.sharpen(node)
        mu, share = float(X[node]), 1e-2
        changes = scatter.tail_changes(np.array([sigma]), X[[node]], fraction, field.ladder.quantile)
        found = flow.difference(changes) / scale
        right = [
            (tail_by_hand(mean + share * (row - mean), mu, sigma, fraction) - tail_by_hand(mean, mu, sigma, fraction))
            / share
            for row in returns
        ]
        # a step of the weights of one node, and the second order of a change of a tenth
        spread = float(np.std(right))
        assert spread > 0.1
        np.testing.assert_allclose(found, right, atol=0.02 * spread)


def nudged(returns: Array, share: float) -> list[SafestAction]:
    """With the mean moved a little towards each of the seeds."""
    mean = returns.mean(axis=0)
    return [safest_action(Landscape(mean + share * (row - mean), LINE), 0.1, sigma=SIGMA) for row in returns]


def test_errors_are_those_of_landscapes_that_are_moved() -> None:
    returns = seeds(4)
    landscape = Landscape(None, LINE, returns=returns)
    found = safest_action(landscape, 0.1, sigma=SIGMA)
    (jump,) = found.safest.jumps
    share = 0.05
    others = nudged(returns, share)

    def error(values: list[float], value: float) -> float:
        return float(np.std((np.array(values) - value) / share, ddof=1) / 2.0)

    moved = error([one.safest.jumps[0].sigma for one in others], jump.sigma)
    assert jump.sampling > jump.uncertainty
    # second order in the share, and in a quarter of a seed
    assert jump.sampling == pytest.approx(moved, rel=0.1)
    value = error([float(one.safest.values[0]) for one in others], float(found.safest.values[0]))
    assert found.sampling[0].value == pytest.approx(value, rel=0.05)
    (level,) = set(found.sampling) - {0}
    assert found.tail_gained[level] > 0.0
    for name, field in (("gained", "tail_gained"), ("lost", "mean_lost")):
        right = error([float(getattr(one, field)[level]) for one in others], float(getattr(found, field)[level]))
        assert getattr(found.sampling[level], name) == pytest.approx(right, rel=0.1)


def test_sentences_name_the_larger_error() -> None:
    landscape = Landscape(None, LINE, returns=seeds(8))
    page = study(landscape, np.geomspace(0.06, 0.4, 8), risk=0.1)
    assert page.risk is not None
    said = page.risk.sentences
    (jump, *_), (mean_jump,) = page.risk.safest.jumps, page.risk.best_mean.jumps
    assert jump.sampling > jump.uncertainty and mean_jump.sampling > mean_jump.uncertainty
    assert f"(sampling error +- {jump.sampling:.1g}) the safest action jumps" in said["safest jump"]
    assert f"(sampling error +- {mean_jump.sampling:.1g})." in said["safest jump"]
    assert "Sampling errors are standard errors over the seeds" in said["safest"]
    assert "(+-" not in " ".join(said.values())
    # the jump of the mean as the risk alone has it
    alone = safest_action(landscape, 0.1, sigma=np.geomspace(0.06, 0.4, 8))
    assert mean_jump.sampling == pytest.approx(alone.best_mean.jumps[0].sampling, rel=0.1)
    data = json.loads(json.dumps(page.as_dict()))["risk"]
    assert data["safest"]["jumps"][0]["sampling"] == jump.sampling and data["sampling"]["0"]["value"] > 0.0


def test_a_solver_error_that_is_larger_is_named() -> None:
    quiet = Q + 1e-9 * (seeds(8) - Q)
    said = safest_action(Landscape(None, LINE, returns=quiet), 0.1, sigma=SIGMA).sentences
    assert "(solver error +- " in said["safest jump"] and "(sampling" not in said["safest jump"]


def test_without_scatter_there_is_one_kind_of_error() -> None:
    same = Landscape(None, LINE, returns=np.stack([Q, Q, Q]))
    found = safest_action(same, 0.1, sigma=SIGMA)
    assert not found.sampling and "(+- " in found.sentences["safest jump"]
    errors = Landscape(Q, LINE, standard_error=np.full(Q.shape, 0.01))
    found = safest_action(errors, 0.1, sigma=SIGMA)
    assert not found.sampling and "do not include the error of this mean" in found.sentences["safest"]
