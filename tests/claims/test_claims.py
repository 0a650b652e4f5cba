"""The ledger of claims: every verdict, figures within the bounds of theory, and faults that change verdicts."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import heatpg.claims as room
from heatpg.claims import (
    PARTS,
    VERDICTS,
    Evidence,
    Ledger,
    Row,
    claim,
    claims,
    equation,
    inversion,
    ledger,
    maximum_principle,
    optimum,
    policies,
    roughness,
    schemes,
)
from heatpg.claims._statistics import MOST_ERRORS
from heatpg.core.field import HeatField
from heatpg.errors import OptionError, UnknownNameError
from heatpg.evolution import Evolution, solve
from heatpg.solvers.exponential import Exponential

HOLDS, CONDITION, FALSE, UNCONFIRMED = VERDICTS
SQRT_HALF = math.sqrt(0.5)

# The verdict of each claim, and its figures within what theory says: bounds of the error of a scheme, digits of a
# fixture, or 4.5 standard errors.
EXPECTED: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "expected-return": (HOLDS, {"standard_errors": (0, MOST_ERRORS), "quadrature_difference": (0, 1e-9)}),
    "heat-equation": (HOLDS, {"factor": (0.499, 0.501), "residual_half": (0, 1e-2), "residual_one": (0.99, 1.01)}),
    "wave-symbol-slip": (
        FALSE,
        {"monte_carlo": (0.162, 0.169), "solved": (0.16529, 0.16531), "slip": (0.0273, 0.0274)},
    ),
    "wave-decay": (HOLDS, {"exponent": (1 - 1e-6, 1 + 1e-6), "worst": (0, 0.01)}),
    "known-evolutions": (HOLDS, {"step": (0, 7e-5), "absolute_value": (0, 7e-5), "box": (0, 7e-5)}),
    "score-gradient": (HOLDS, {"standard_errors": (0, MOST_ERRORS), "quadrature_difference": (0, 1e-8)}),
    "axes-commute": (FALSE, {"splitting_error": (0, 1e-12), "order_of_axes": (0, 1e-12)}),
    "correlated-noise": (HOLDS, {"error": (0, 1e-11)}),
    "parameter-noise": (
        HOLDS,
        {"standard_errors": (0, MOST_ERRORS), "standard_errors_drawn_in_every_step": (100, math.inf)},
    ),
    "per-step-noise": (
        CONDITION,
        {
            "standard_errors_over_gains": (100, math.inf),
            "standard_errors_frozen": (0, MOST_ERRORS),
            "single_step": (0, 1e-10),
        },
    ),
    "actions-at-the-bounds": (
        FALSE,
        {name: (0, MOST_ERRORS) for name in ("clip", "periodic", "reflect", "zero", "tanh")},
    ),
    "truncated-gaussian": (
        FALSE,
        {"residual_truncated": (0.1, 1), "residual_clipped": (0, 0.01), "factor_clipped": (0.495, 0.505)},
    ),
    "laplace-policy": (
        HOLDS,
        {"standard_errors": (0, MOST_ERRORS), "implicit_step_difference": (0, 6e-5), "plane_at_once": (20, math.inf)},
    ),
    "uniform-noise": (
        FALSE,
        {
            "before": (4, 4),
            "uniform": (6, 6),
            "gaussian": (0, 4),
            "lobe": (-0.21222, -0.21219),
            "kept": (0.193, 0.194),
        },  # -2 / 3 pi, exp(-pi^2 / 6)
    ),
    "trust-bound": (HOLDS, {"share_of_bound": (0.9, 1 + 1e-9), "beyond_osc_inside": (1, 21)}),
    # E min(1, (1 + 3 Z)^2) - E min(1, (1 + .3 Z)^2) by quadrature, to the h^2 of a kink
    "range-shrinks": (
        CONDITION,
        {"largest_rise": (-1, 1e-12), "gap": (1e-12, 1), "clipped_rise": (0.027, 0.029), "lowest_with_zero": (0, 1)},
    ),
    # the joint maximum on a line by its closed form, .637949100462093
    "no-joint-maxima": (
        CONDITION,
        {
            "joint": (0, 0),
            "examined": (1000, math.inf),
            "height_on_a_line": (0.6379490, 0.6379492),
            "sigma_at_an_edge": (0.37, 0.45),
        },
    ),
    "no-enhancement": (HOLDS, {"largest_rise": (-1, 1e-12), "tracks": (6, math.inf)}),
    "no-maxima-at-fixed-sigma": (FALSE, {"maxima": (2, 2), "slope_in_variance": (-10, 0)}),
    "two-bumps": (HOLDS, {"error": (0, 1e-9), "before": (2, 2), "after": (1, 1)}),
    "learning-never-stalls": (FALSE, {"stalled": (9, 9), "stalled_1.2": (0, 0)}),
    # h w s = tau (w^2 + s)^(3/2) at h = 0.6, w = 0.3, tau = 0.1: sigma = 0.142726
    "floor-on-sigma": (FALSE, {"mean_at_floor": (-1.05, -0.95), "sigma_with_bonus": (0.1427, 0.1428)}),
    # 2/3 of 40 x 256 nodes
    "sturm": (HOLDS, {"largest_growth": (-math.inf, 0), "extrema_of_q": (6000, 8000), "within_a_box": (1, 1)}),
    "smoothing-only-removes-maxima": (CONDITION, {"growth_on_lines": (-math.inf, 0), "growth_in_the_plane": (1, 1)}),
    "creation-in-two-dimensions": (
        HOLDS,
        {"birth": (0.00331245, 0.00331255), "death": (0.380475, 0.380485), "maxima": (2, 2)},
    ),
    "explicit-scheme": (
        CONDITION,
        {"weight_at_1": (-1e-13, 1e-13), "weight_at_1.05": (-0.05 - 1e-13, -0.05 + 1e-13), "refused": (2, 2)},
    ),
    "explicit-scheme-extrema": (CONDITION, {"gained_at_0.5": (-99, 0), "gained_at_0.75": (1, 99)}),
    # 2 / (1 + 1.05) - 1 between ends; 2 / sqrt(1 + 3.1) - 1 around a circle
    "crank-nicolson": (
        CONDITION,
        {"between_ends_at_2.1": (-0.02440, -0.02438), "circle_at_3.1": (-0.0123, -0.0122), "growth_at_50": (0, 1)},
    ),
    "positive-schemes": (HOLDS, {"smallest_entry": (-1e-14, 1)}),
    "spectral-overshoot": (CONDITION, {"overshoot_at_0.5": (1e-3, 0.0895), "overshoot_at_3": (-1, 1e-13)}),
    "sampled-gaussian": (
        CONDITION,
        {
            "sampled_sum": (1.784, 1.785),
            "discrete_sum": (1 - 1e-12, 1 + 1e-12),
            "discrete_variance": (0.05 - 1e-11, 0.05 + 1e-11),
        },
    ),
    "one-step-for-any-time": (FALSE, {"rational_error": (0, 5e-13), "euler_error": (1e-6, 1)}),
    "coarse-lattice": (FALSE, {"difference": (0, 1e-13), "spacing": (0.385, 0.395)}),
    "chaos-makes-returns-rough": (
        CONDITION,
        {
            "lyapunov": (0.6931, 0.6932),
            "p_at_0.871": (0.15, 0.25),
            "p_at_0.758": (0.35, 0.45),
            "p_at_0.400": (1, 1),
            "p_by_the_mean": (1, 1),
            "p_at_the_fixed_point": (0.212, 0.232),  # -ln .6 / ln 10
        },
    ),
    "chaos-proves-roughness": (FALSE, {"predicted": (0.399, 0.401), "measured": (0.35, 0.45), "smooth": (1, 1)}),
    "discount-of-the-double-pendulum": (
        CONDITION,
        {"ratio_at_0.9": (1.8, 2.6), "ratio_at_0.95": (0.9, 1.25), "p_at_0.99": (0.17, 0.25)},
    ),
    "finite-horizon": (CONDITION, {"below_5": (0.9, 1), "above_5": (0, 0.6), "below_7": (0.9, 1), "above_7": (0, 0.6)}),
    "scaling-laws": (
        HOLDS,
        {
            "bias": (0.35, 0.45),
            "spread": (0.35, 0.45),
            "gradient": (-0.65, -0.55),
            "share_of_bound": (0, 1),
            "spread_of_a_slope": (1.2533, 1.2534),  # sqrt(pi / 2)
        },
    ),
    "gradient-noise": (
        CONDITION,
        {
            "baseline_0.4": (-1.3, -1.1),
            "antithetic_0.4": (-1.3, -1.1),
            "score_0.4": (-2.1, -1.9),
            "baseline_1": (-0.1, 0.1),
            "one_jump": (-1.1, -0.9),
        },
    ),
    "narrow-ridge-is-erased": (
        FALSE,
        {"left_at_0.05": (0.57735, 0.57736), "error": (0, 1e-10), "high_stays": (3, 3), "low_stays": (0, 2)},
    ),  # 1 / sqrt(3)
    "survival-law": (HOLDS, {"error": (0, 1e-6), "half_error": (0, 1e-6)}),
    "optimum-is-kept": (
        CONDITION,
        {"change_small": (-0.037, 5), "change_large": (-30, -0.037), "change_long_step": (-30, -0.037)},
    ),
    "jump-is-death": (FALSE, {"sigma_jump": (0.037565, 0.037575), "sigma_death": (1, 2)}),
    # the least lead is that at the largest sigma, .6 / sqrt(.36 + 1.96) - .8 x .65 / sqrt(.4225 + 1.96) = .0570
    "sigma-jump": (
        CONDITION,
        {
            "one_dimension": (0.037565, 0.037575),
            "two_dimensions": (0.025035, 0.025045),
            "least_lead": (0.0565, 0.0575),
        },
    ),
    "optimum-does-not-move": (
        CONDITION,
        {"quadratic": (0, 1e-9), "skew": (0.01, 1), "drift_error": (0, 1e-4), "height_error": (0, 1e-4)},
    ),
    "price-is-the-drop": (FALSE, {"price_quadratic": (0, 1e-9), "drop_quadratic": (0.08 - 1e-6, 0.08 + 1e-6)}),
    "death-is-a-fold": (CONDITION, {"exponent": (0.49, 0.51), "middle_moves": (0, 1e-9)}),
    "more-noise-is-safer": (
        FALSE,
        {
            "error": (0, 2e-3),
            "safest_jump": (0.0331, 0.0334),
            "mean_jump": (0.07896755, 0.07896756),
            "rise_at_jump": (0.3, 0.5),
        },
    ),
    "backward-in-sigma": (
        CONDITION,
        {
            "amplification_1e-4": (138.5, 139.5),
            "amplification_1e-3": (2.65e21, 2.75e21),
            "error_regularised": (0, 1e-3),
        },
    ),
    "recoverable-band": (HOLDS, {"band": (38.98, 39.0), "last_wave": (38, 38)}),
    "half-amplitude": (HOLDS, {"sigma_k": (1.1774, 1.1775), "left": (0.5 - 1e-12, 0.5 + 1e-12)}),
    "lowering-sigma-runs-backward": (
        FALSE,
        {"error_anew": (0.002, 0.008), "error_solved_back": (0.02, math.inf), "error_without_noise": (0, 1e-9)},
    ),
    "uncertainty-product": (HOLDS, {"gaussian_error": (0, 1e-9), "smallest_other": (1, math.inf)}),
    "ridge-narrows-with-the-horizon": (
        CONDITION,
        {"width_at_0.5": (0.55, 0.562), "width_at_1": (0.184, 0.188), "width_at_2": (0.0572, 0.0586)},
    ),
    "little-noise-is-harmless": (FALSE, {"left_at_0.02": (0.628, 0.634), "left_at_0.2": (0.287, 0.293)}),
    "double-pendulum-exponent": (CONDITION, {"exponent": (0.9, 1.1), "lowest": (0.8, 1), "highest": (1, 1.2)}),
    "one-exponent-for-all-energies": (
        FALSE,
        {
            "acrobot_upright": (0.23, 0.43),
            "acrobot_lower": (0.43, 0.73),
            "acrobot_fast": (0.6, 1.1),
            "acrobot_whirling": (0, 0.05),
            "acrobot_still": (0, 0.05),
            "point_masses": (0.85, 1.15),
        },
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_claim(name: str) -> None:
    row = claims.get(name).check()
    verdict, figures = EXPECTED[name]
    assert row.verdict == verdict, row
    for figure, (low, high) in figures.items():
        assert low <= row.figures[figure] <= high, figure
    assert (row.corrected == "") is (verdict == HOLDS)
    assert re.search(r"\d", row.computed)
    assert row.seconds > 0.0
    json.dumps(row.as_dict(), allow_nan=False)


def test_every_claim_is_expected() -> None:
    assert set(claims.names()) == set(EXPECTED)


def test_claims_are_well_written() -> None:
    for name in claims.names():
        entry = claims.get(name)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name) and name == entry.name
        for text in (entry.statement, entry.corrected):
            assert not text or (text[0].isupper() and text.endswith("."))
        assert entry.statement and entry.source and entry.part in PARTS
        assert entry.experiment.__doc__


@pytest.fixture
def _fresh_caches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Operators that solvers keep are forgotten, before a fault and after it."""

    def clear() -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("heatpg.solvers"):
                for value in list(vars(module).values()):
                    if hasattr(value, "cache_clear"):
                        value.cache_clear()

    clear()
    yield
    clear()


# Faults ----------------------------------------------------------------------------------------------------------


def without_the_half(
    landscape: Any, sigma: Any = None, *arguments: Any, covariance: Any = None, **options: Any
) -> Evolution:
    """A solver of u_t = Laplace(u): all variances count twice."""
    if covariance is not None:
        return solve(landscape, *arguments, covariance=2.0 * np.asarray(covariance), **options)
    if isinstance(sigma, Mapping):
        sigma = {axis: np.asarray(levels) / SQRT_HALF for axis, levels in sigma.items()}
    else:
        sigma = np.asarray(sigma) / SQRT_HALF
    flow = solve(landscape, sigma, *arguments, **options)
    flow.sigma = flow.sigma * SQRT_HALF
    return flow


@pytest.mark.parametrize(
    ("module", "name", "verdict"),
    [
        (equation, "expected-return", FALSE),
        (equation, "heat-equation", FALSE),
        (equation, "wave-symbol-slip", UNCONFIRMED),
        (equation, "wave-decay", FALSE),
        (equation, "known-evolutions", FALSE),
        (equation, "correlated-noise", FALSE),
        (equation, "parameter-noise", FALSE),
        (equation, "per-step-noise", UNCONFIRMED),
        (equation, "axes-commute", UNCONFIRMED),
        (policies, "actions-at-the-bounds", UNCONFIRMED),
        (policies, "truncated-gaussian", UNCONFIRMED),
        (policies, "laplace-policy", FALSE),
        (optimum, "narrow-ridge-is-erased", UNCONFIRMED),
        (inversion, "backward-in-sigma", UNCONFIRMED),
        (inversion, "recoverable-band", FALSE),
        (inversion, "half-amplitude", FALSE),
        (inversion, "lowering-sigma-runs-backward", UNCONFIRMED),
    ],
)
def test_a_missing_half_is_noticed(module: Any, name: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "solve", without_the_half)
    assert claims.get(name).check().verdict == verdict


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("range-shrinks", UNCONFIRMED),
        ("no-joint-maxima", UNCONFIRMED),
        ("sturm", FALSE),
        ("smoothing-only-removes-maxima", UNCONFIRMED),
    ],
)
def test_a_flow_that_runs_backward_is_noticed(name: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign of the Laplacian: fields sharpen as sigma grows."""

    def reversed_flow(*arguments: Any, **options: Any) -> Evolution:
        flow = solve(*arguments, **options)
        if len(flow) > 4:  # two hills and a bridge have four levels
            flow.values = flow.values[::-1].copy()
        return flow

    monkeypatch.setattr(maximum_principle, "solve", reversed_flow)
    assert claims.get(name).check().verdict == verdict


class WideField(HeatField):
    """A field without the half."""

    def derivatives(self, points: Any, sigma: Any, order: int = 2) -> Any:
        return super().derivatives(points, np.asarray(sigma) / SQRT_HALF, order)


@pytest.mark.parametrize(
    ("module", "name", "verdict"),
    [
        (maximum_principle, "two-bumps", FALSE),
        (optimum, "survival-law", FALSE),
        (optimum, "sigma-jump", UNCONFIRMED),
    ],
)
def test_a_wrong_field_is_noticed(module: Any, name: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HeatField", WideField)
    assert claims.get(name).check().verdict == verdict


def changed(module: Any, name: str, fault: Callable[..., Any]) -> tuple[Any, str, Callable[..., Any]]:
    """A module, a name in it, and what is to take its place: a function of the original and its arguments."""
    original = getattr(module, name)
    return module, name, lambda *arguments, **options: fault(original, *arguments, **options)


@pytest.mark.parametrize(
    ("place", "claim_name", "verdict"),
    [
        # the sign of the gradient
        (changed(Evolution, "gradient", lambda f, *a: -f(*a)), "score-gradient", FALSE),
        # the whole second difference in place of its half
        (changed(Exponential, "multiplier", lambda f, *a: f(*a) ** 2), "sampled-gaussian", UNCONFIRMED),
        (changed(Exponential, "multiplier", lambda f, *a: f(*a) ** 2), "one-step-for-any-time", UNCONFIRMED),
        # weights that ring
        (changed(Exponential, "multiplier", lambda f, *a: np.cos(0.5 * a[1]) * f(*a)), "positive-schemes", FALSE),
        # -ln gamma over twice the exponent
        (
            changed(roughness, "predicted_holder", lambda f, g, r, d: f(g, 2.0 * r, d)),
            "chaos-makes-returns-rough",
            UNCONFIRMED,
        ),
        # log of the horizon, not the horizon
        (
            changed(roughness, "scale_window", lambda f, r, h, **o: f(r, math.log(h), **o)),
            "finite-horizon",
            UNCONFIRMED,
        ),
        # the 2 under the root
        (changed(inversion, "recoverable_band", lambda f, *a: f(*a) * SQRT_HALF), "recoverable-band", FALSE),
        (changed(inversion, "noise_amplification", lambda f, k, t: f(k, 2.0 * t)), "backward-in-sigma", UNCONFIRMED),
        # codimension left out
        (changed(optimum, "survival", lambda f, s, w, c: f(s, w, 1)), "survival-law", FALSE),
        # noise that is never large
        (changed(optimum, "unlearn", lambda f, s, **o: f([0.1, 0.11][: len(s)], **o)), "optimum-is-kept", UNCONFIRMED),
        # a scheme that has no limit
        (changed(schemes, "make", lambda f, name, **o: f("implicit", steps=1)), "explicit-scheme", UNCONFIRMED),
        (changed(schemes, "make", lambda f, name, **o: f("implicit", steps=1)), "crank-nicolson", UNCONFIRMED),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value[0].__name__}.{value[1]}",
)
@pytest.mark.usefixtures("_fresh_caches")
def test_a_fault_is_noticed(
    place: tuple[Any, str, Any], claim_name: str, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*place)
    assert claims.get(claim_name).check().verdict == verdict


# The ledger itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("always", "conditionally", "corrected", "verdict"),
    [
        (True, False, True, HOLDS),
        (True, True, True, HOLDS),
        (False, True, True, CONDITION),
        (False, False, True, FALSE),
        (False, False, False, UNCONFIRMED),
        (True, True, False, UNCONFIRMED),
    ],
)
def test_verdict(always: bool, conditionally: bool, corrected: bool, verdict: str) -> None:
    assert Evidence("", {}, always, conditionally, corrected).verdict == verdict


def test_what_holds_needs_no_correction() -> None:
    """A statement that was thought to be false and holds all the same, as with a wrong solver."""
    entry = claims.get("wave-symbol-slip")
    row = dataclasses.replace(entry, experiment=lambda: Evidence("1 of 1", {"figure": 1}, True)).check()
    assert (row.verdict, row.corrected) == (HOLDS, "")
    row = dataclasses.replace(entry, experiment=lambda: Evidence("0 of 1", {"figure": 0}, False)).check()
    assert (row.verdict, row.corrected) == (FALSE, entry.corrected)


def test_order_and_progress() -> None:
    calls: list[tuple[int, int]] = []
    names = ["half-amplitude", "axes-commute", "heat-equation", "explicit-scheme", "heat-equation"]
    page = ledger(iter(names), progress=lambda done, total: calls.append((done, total)))
    assert [row.name for row in page] == ["heat-equation", "axes-commute", "explicit-scheme", "half-amplitude"]
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert page.counts == {HOLDS: 2, CONDITION: 1, FALSE: 1, UNCONFIRMED: 0}
    assert page["half-amplitude"].verdict == HOLDS
    with pytest.raises(KeyError, match="heat-equation"):
        page["nothing"]


def test_one_name() -> None:
    assert [row.name for row in ledger("half-amplitude")] == ["half-amplitude"]


def test_all_names_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(entry: Any) -> Row:
        return Row(entry.name, entry.statement, "", {}, HOLDS, "", 0.0, entry.source)

    monkeypatch.setattr(room.Claim, "check", quick)
    rows = [row.name for row in ledger()]
    assert rows == list(EXPECTED)  # the table above is in the order of the mathematics
    parts = [PARTS.index(claims.get(name).part) for name in rows]
    assert parts == sorted(parts)


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'heat-equation'") as error:
        ledger(["half-amplitude", "heat-equations"])
    assert "half-amplitude" in str(error.value)
    with pytest.raises(OptionError, match="no claim is named"):
        ledger([])


def test_registration() -> None:
    with pytest.raises(OptionError, match="unknown part"):
        claim("new", "A statement.", part="elsewhere", source="")
    with pytest.raises(UnknownNameError, match="already registered"):
        claim("half-amplitude", "A statement.", part="backward", source="")(lambda: Evidence("", {}, True))
    assert "new" not in claims.names()


def test_the_same_in_every_run() -> None:
    names = ["wave-symbol-slip", "trust-bound", "lowering-sigma-runs-backward"]
    first, second = ledger(names), ledger(names)
    assert [(row.computed, row.figures) for row in first] == [(row.computed, row.figures) for row in second]


def test_table() -> None:
    text = str(ledger(["heat-equation", "axes-commute", "crank-nicolson"]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert re.match(r"heat-equation +holds$", lines[0])
    assert re.search(r"^axes-commute +false as stated\n  statement  Splitting", text, re.MULTILINE)
    assert text.count("  corrected  ") == 2
    assert lines[-1].startswith("3 claims: 1 holds, 1 holds with a condition, 1 false as stated (")


def test_json() -> None:
    page = ledger(["heat-equation", "axes-commute"])
    entries = json.loads(json.dumps(page.as_dict(), allow_nan=False))
    assert entries["counts"] == page.counts
    assert [row["id"] for row in entries["claims"]] == ["heat-equation", "axes-commute"]
    assert set(entries["claims"][0]) == {
        "id", "statement", "computed", "figures", "verdict", "corrected", "seconds", "source",
    }  # fmt: skip
    assert entries["claims"][0]["corrected"] == ""
    empty = Row("a", "B.", "c", {"d": math.nan}, HOLDS, "", 0.0, "")
    assert Ledger((empty,)).as_dict()["claims"][0]["figures"] == {"d": None}


def test_the_room_is_light() -> None:
    code = "import sys, heatpg.claims; print(*({'numba', 'scipy', 'matplotlib', 'h5py'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
