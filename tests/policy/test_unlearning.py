"""Unlearning: what is returned, drift, verdicts."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from heatpg.errors import HeatpgError, NonFiniteError, SigmaError
from heatpg.policy import unlearning
from heatpg.policy.hover import HoverTask
from heatpg.policy.unlearning import Learning, Unlearning, unlearn
from heatpg.systems.quadrotor import lqr_gain
from heatpg.tools.parallel import set_threads, threads

SMALL: dict[str, Any] = {"horizon": 0.4, "dt": 0.02, "episodes": 8, "seeds": 3, "epochs": 2, "reference_episodes": 128}


def run(sigmas: Any, **options: Any) -> Unlearning:
    """`unlearn` with the options of a task and of learning given by name."""
    parts: dict[str, Any] = {}
    for keyword, part in (("task", HoverTask), ("learning", Learning)):
        names = {field.name for field in dataclasses.fields(part)} & set(options)
        parts[keyword] = part(**{name: options.pop(name) for name in names})
    return unlearn(sigmas, **parts, **options)


@pytest.fixture
def _own_threads() -> Iterator[None]:
    before = threads()
    yield
    set_threads(before)


def test_the_reference_has_numbers_of_its_own():
    draws = [unlearning._generator(0, stream, k).standard_normal(4) for stream in range(2) for k in range(2)]
    assert len(np.unique(draws)) == 16 and {unlearning._LEARNING, unlearning._REFERENCE} == {0, 1}


@pytest.fixture(scope="module")
def kept_and_left() -> Unlearning:
    return run([1.0, 0.1], noise="parameter", horizon=1.0, epochs=2, episodes=128, seeds=8, reference_episodes=512)


def test_what_is_returned_fits_together(kept_and_left):
    r = kept_and_left
    assert r.sigmas.tolist() == [0.1, 1.0]
    assert r.gains.shape == (2, 8, 3, 2, 6) and r.returns.shape == r.noisy_returns.shape == r.distance.shape == (
        2,
        8,
        3,
    )
    assert np.array_equal(r.gain, lqr_gain()) and np.all(r.distance[:, :, 0] == 0) and np.all(r.distance[:, :, 1:] > 0)
    t = HoverTask(horizon=1.0)
    assert np.array_equal(r.returns, t.noise_free_returns(r.gains))
    assert np.allclose(r.observed_step, r.rate * r.observed_gradient)
    assert np.allclose(r.observed_step_error, r.rate * r.observed_error)
    assert np.array_equal(r.predicted_step, r.rate * r.predicted_gradient)
    assert np.allclose(r.noise_drift[1], np.linalg.norm(r.predicted_step[1] - r.noise_free_step))
    assert np.allclose(r.predicted_change, t.noise_free_returns(lqr_gain() + r.predicted_step) - r.returns[0, 0, 0])
    assert r.noise_free_change == pytest.approx(
        t.noise_free_returns(lqr_gain() + r.noise_free_step) - r.returns[0, 0, 0]
    )
    # mean of |step|^2 = |mean step|^2 + scatter^2 (7/8 of the unbiased variance)
    squares = (r.distance[:, :, 1] ** 2).mean(axis=1)
    assert np.allclose(squares, (r.observed_step**2).sum(axis=(1, 2)) + 7 / 8 * r.scatter**2)
    # L over gains falls with sigma, and the noisy return is that of the noise at hand
    assert np.all(r.noisy_returns[1, :, 0] < r.noisy_returns[0, :, 0])


def test_estimates_agree_with_the_drift(kept_and_left):
    assert 0.5 < kept_and_left.z_score.max() < 4


def test_little_noise_keeps_and_much_noise_leaves(kept_and_left):
    r = kept_and_left
    assert r.verdicts == ("kept", "left") and r.causes == ("", "drift")
    # the LQR gain is no optimum of this return: without noise the step is no shorter, and gains
    assert r.noise_free_change > 0.1 and np.linalg.norm(r.noise_free_step) > 0.1
    assert r.noise_drift[0] < 0.1 * np.linalg.norm(r.noise_free_step) < r.noise_drift[1]


def test_verdicts_follow_their_criterion(kept_and_left):
    own = kept_and_left.noise_free_gradient

    def verdict(change, error, drift=0.0, ratio=1.0, **options):
        returns = np.full((1, 2, 3), 40.0)
        returns[0, :, 1] += change + np.array([-error, error])  # two seeds: the standard error is `error`
        return dataclasses.replace(
            kept_and_left, sigmas=np.array([1.0]), returns=returns, loss=0.01, predicted_change=np.array([drift]),
            predicted_gradient=ratio * own[None], **options,
        )  # fmt: skip

    for change, error, word in ((-0.5, 0.04, "left"), (-0.3, 0.04, "kept"), (-0.45, 0.04, "undecided"), (1, 0, "kept")):
        one = verdict(change, error)
        assert one.change_error == pytest.approx(error, abs=1e-12)
        assert one.verdicts == (word,)
        assert one.causes == ("scatter" if word == "left" else "",)
    assert verdict(-0.5, 0.0, drift=-0.5).causes == ("drift",)
    assert verdict(-0.5, 0.0, drift=-0.5, noise_free_change=-0.5).causes == ("rate",)
    assert verdict(-0.5, 0.0, drift=-0.5, ratio=3.0, noise_free_change=-0.5).causes == ("drift",)


def test_print_and_dict(kept_and_left):
    text = str(kept_and_left)
    assert "LQR gain under parameter noise" in text and "left (drift)" in text and "8 seeds" in text
    assert len(text.splitlines()) == 2 + 2 + 2 + 2
    entries = kept_and_left.as_dict()
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries
    assert entries["verdicts"] == ["kept", "left"] and np.shape(entries["distance"]) == (2, 8, 3)


def test_action_noise_and_the_drift_that_it_predicts():
    r = run([0.5], dt=0.02, horizon=0.6, epochs=1, episodes=64, seeds=12, reference_episodes=256)
    assert r.noise == "action"
    assert r.z_score[0] < 5  # the largest of twelve with eleven degrees of freedom: beyond 5 once in 200 times
    assert np.linalg.norm(r.observed_step_error) < 0.2 * np.linalg.norm(r.predicted_step)


def test_the_optimum_of_the_return_is_flat():
    options: dict[str, Any] = {"horizon": 0.6, "dt": 0.02, "spread": 0.2, "epochs": 1, "episodes": 8, "seeds": 2}
    lqr, best = (run([0.1], start=start, reference_episodes=1, **options) for start in ("lqr", "optimal"))
    assert best.returns[0, 0, 0] > lqr.returns[0, 0, 0] + 0.1
    assert np.linalg.norm(best.noise_free_gradient) < 0.1 * np.linalg.norm(lqr.noise_free_gradient)
    assert best.start == "optimal" and not np.array_equal(best.gain, lqr.gain)


def test_scatter_grows_when_noise_falls_and_starts_are_random():
    """The baseline cannot explain the starts, so the scatter is c / sigma: a factor 10 within a few percent."""
    fixed, loose = (run([0.01, 0.1], spread=spread, **SMALL) for spread in (0.0, 0.2))
    assert loose.scatter[0] / loose.scatter[1] == pytest.approx(10, rel=0.1)
    assert fixed.scatter[0] / fixed.scatter[1] == pytest.approx(1, rel=0.1)


def test_normalized_steps():
    r = run([0.1, 0.2], rate=0.25, normalize=True, **SMALL)
    steps = np.linalg.norm(np.diff(r.gains, axis=2), axis=(-2, -1))
    assert np.allclose(steps, 0.25)
    assert np.allclose(np.linalg.norm(r.predicted_step, axis=(1, 2)), 0.25)
    assert np.allclose(np.linalg.norm(r.noise_free_step), 0.25)
    assert np.all(r.predicted_step_error > 0) and "steps of length 0.25" in str(r)


def test_a_start_of_ones_own():
    gain = lqr_gain() + 0.1
    r = run(0.1, start=gain, **SMALL)
    assert np.array_equal(r.gain, gain) and r.start == "given" and "the given gain" in str(r)


@pytest.mark.usefixtures("_own_threads")
@pytest.mark.parametrize("noise", ["action", "parameter"])
def test_threads_do_not_change_a_bit(noise):
    results = []
    for count in (1, 2):
        set_threads(count)
        results.append(run([0.1, 0.5], noise=noise, spread=0.1, **SMALL).as_dict())
    assert results[0] == results[1]


def test_a_sigma_stands_alone_and_a_seed_is_a_seed():
    both, one = run([0.1, 0.5], **SMALL), run(0.5, **SMALL)
    assert np.array_equal(both.gains[1], one.gains[0])
    assert np.array_equal(both.predicted_gradient[1], one.predicted_gradient[0])
    assert not np.array_equal(run(0.5, seed=1, **SMALL).gains, one.gains)
    assert len(np.unique(one.distance[0, :, 1])) == 3


def test_progress_reaches_the_total():
    calls = []
    run([0.1, 0.5], progress=lambda done, total: calls.append((done, total)), **SMALL)
    assert calls == [(i, 8) for i in range(1, 9)]  # two sigmas, three seeds and one bundle of the reference each


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, [], [[0.1]], "much", [0.1, 0.1]])
def test_bad_sigmas_are_refused(sigma):
    with pytest.raises(SigmaError):
        run(sigma, **SMALL)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"episodes": 1}, "(?s)episodes.*others"),
        ({"seeds": 1}, "seeds"),
        ({"episodes": 2.5}, "episodes"),
        ({"epochs": 0}, "epochs"),
        ({"rate": 0.0}, "rate"),
        ({"rate": math.nan}, "rate"),
        ({"loss": -0.1}, "loss"),
        ({"gamma": 1.5}, "gamma"),
        ({"horizon": 0.03}, "use horizon="),
        ({"thrust_limit": -1.0}, "thrust_limit"),
        ({"noise": "actions"}, "did you mean 'action'"),
        ({"start": "lqg"}, "did you mean 'lqr'"),
        ({"start": np.zeros((2, 5))}, "must be a gain"),
        ({"start": np.full((2, 6), np.nan)}, "must be a gain"),
        ({"start": [["a"]]}, "must be a gain"),
        ({"state": (1.0,)}, "state"),
        ({"state": (2.5, 0, 0, 0, 0, 0)}, "limit of x"),
        ({"spread": 1.5}, "limit of x"),
        ({"spread": -0.1}, "spread"),
        ({"spread": math.nan}, "spread"),
        ({"spread": np.array([0.1, 0.1])}, "spread"),
        ({"state": (0, 0, 1.5, 0, 0, 60.0)}, "nothing can be learned"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.5}, "seed"),
        ({"reference_episodes": 0}, "episodes"),
    ],
)
def test_bad_parameters_are_refused(options, words):
    with pytest.raises(HeatpgError, match=words) as caught:
        run(0.1, **{**SMALL, **options})
    assert isinstance(caught.value, ValueError)
    assert caught.value.given is not None and caught.value.allowed is not None


def test_a_gain_that_overflows_is_an_error():
    with pytest.raises(NonFiniteError, match="smaller rate"):
        run(0.01, rate=1e308, **{**SMALL, "epochs": 5, "spread": 0.2})
