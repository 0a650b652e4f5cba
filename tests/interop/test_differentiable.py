"""Gradients through `smooth` in torch and jax, where they are installed, against finite differences of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatpg import smooth

BOUNDARIES = ["clip", "reflect", "periodic", "zero", "absorb"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
def test_torch(boundary: str, nodes: str, rng: np.random.Generator) -> None:
    torch: Any = pytest.importorskip("torch")
    from heatpg.interop import torch as heat

    q = torch.tensor(rng.standard_normal((6, 5)), requires_grad=True)

    def of(values: Any, sigma: Any) -> Any:
        return heat.smooth(values, sigma, boundary, spacing=0.5, nodes=nodes)

    plain: Any = smooth(q.detach().numpy(), 1.3, boundary, spacing=0.5, nodes=nodes)
    assert np.array_equal(of(q, 1.3).detach().numpy(), plain)
    # linear in Q: a central difference has no error but rounding, 1e-16 of 3 over the step
    check = {"eps": 1e-3, "atol": 1e-11, "rtol": 0.0}
    assert torch.autograd.gradcheck(lambda values: of(values, 1.3), (q,), **check)
    assert torch.autograd.gradcheck(lambda values: of(values, [0.8, 1.3]), (q,), **check)
    assert torch.autograd.gradgradcheck(lambda values: of(values, 1.3), (q,), **check)
    # in sigma the check's own central difference is off by eps^2 / 6 times a third derivative of size 10
    sigmas = (1.3, [0.8, 1.3], [[0.8, 1.3], [1.1, 0.9]])
    for sigma in sigmas:
        noise = torch.tensor(sigma, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda s: of(q.detach(), s), (noise,), eps=1e-5, atol=1e-8, rtol=0.0)


def test_torch_in_single_precision_trains_sigma() -> None:
    torch: Any = pytest.importorskip("torch")
    from heatpg.interop import torch as heat

    x = torch.linspace(-4, 4, 81)
    q = torch.exp(-((x - 1) ** 2) / 0.5).requires_grad_()
    sigma = torch.tensor(0.5, requires_grad=True)
    top = heat.smooth(q, sigma, "clip", spacing=0.1).max()
    top.backward()
    # a bump of width 1/2 keeps w / sqrt(w^2 + sigma^2) of its height
    assert top.dtype == torch.float32 and abs(float(top.detach()) - np.sqrt(0.5)) < 1e-5
    assert abs(float(sigma.grad) + 0.5 * 0.5 / 0.5**1.5) < 1e-4 and q.grad.shape == q.shape


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_jax(boundary: str, rng: np.random.Generator) -> None:
    jax: Any = pytest.importorskip("jax")
    from heatpg.interop import jax as heat

    with jax.experimental.enable_x64() if hasattr(jax.experimental, "enable_x64") else jax.enable_x64(True):
        q = jax.numpy.asarray(rng.standard_normal((9, 7)))
        g = rng.standard_normal((9, 7))

        def loss(values: Any, sigma: Any) -> Any:
            return (heat.smooth(values, sigma, boundary, spacing=0.5) * g).sum()

        value = float(jax.jit(loss, static_argnums=1)(q, 1.3))
        assert abs(value - float((smooth(np.asarray(q), 1.3, boundary, spacing=0.5) * g).sum())) < 1e-12
        in_values = np.asarray(jax.grad(loss)(q, 1.3))
        moved = rng.standard_normal((9, 7))
        # linear in Q, so that a difference has no error but rounding
        assert abs(float(loss(q + moved, 1.3)) - value - (in_values * moved).sum()) < 1e-11
        sigma = jax.numpy.asarray(1.3)
        in_sigma = float(jax.grad(loss, argnums=1)(q, sigma))
        step = 1e-4
        central = (float(loss(q, 1.3 + step)) - float(loss(q, 1.3 - step))) / (2 * step)
        # the third derivative of a sum of 63 terms over 6, times the step squared
        assert abs(in_sigma - central) < 1e-6
        many = jax.vmap(lambda values: loss(values, 1.3))(jax.numpy.stack([q, 2 * q]))
        np.testing.assert_allclose(np.asarray(many), [value, 2 * value], rtol=0, atol=1e-12)
