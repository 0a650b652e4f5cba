"""`smooth` for tensors of torch that are trained through: gradients in the values and in sigma.

>>> from heatpg.interop import torch as heat  # doctest: +SKIP
>>> loss = heat.smooth(q, sigma, "clip").max()  # doctest: +SKIP
>>> loss.backward()  # doctest: +SKIP
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heatpg.interop.linear import Smoothing, package
from heatpg.interop.smoothing import Name
from heatpg.solvers import Solver
from heatpg.tools.calls import checked_call

__all__ = ["smooth"]


@checked_call()
def smooth(
    values: Any,
    sigma: Any,
    boundary: str | Sequence[str] | Mapping[Name, str],
    *,
    spacing: float | Sequence[float] | Mapping[Name, float] = 1.0,
    axes: Name | Sequence[Name] | None = None,
    nodes: str | Sequence[str] | Mapping[Name, str] = "vertex",
    solver: str | Solver = "auto",
) -> Any:
    """Mean of a tensor under Gaussian noise, u = Q * N(0, sigma^2), with gradients in Q and sigma.

    The gradient in Q is the transpose of the solver's own map, so that it passes ``gradcheck``; it can be
    differentiated again. The gradient in sigma, sigma times the Laplacian of u, costs eight solves, and is computed
    only where sigma asks for a gradient; it cannot be differentiated again. Everything runs on the processor, in the
    precision of the tensor.

    Parameters
    ----------
    values
        Q, a real floating-point tensor.
    sigma
        Noise level in units of `spacing`: a number, T numbers, or a tensor of shape (T, dimensions).
    boundary, spacing, axes, nodes, solver
        As of `heatpg.smooth`. Near a noise level at which the solver changes its scheme, as `direct` does at one
        spacing, the gradient in sigma contains that change.

    Returns
    -------
    smoothed
        u, of the shape of the values, or (T, *values.shape).

    Raises
    ------
    MissingPackageError
        Where torch is not installed.
    SigmaError, GridError, BoundaryError, UnknownNameError, OptionError, NonFiniteError
        For input that cannot be smoothed.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, Mollification effects of policy gradient methods, ICML 2024, arXiv:2405.17832.

    Examples
    --------
    >>> from heatpg.interop import torch as heat  # doctest: +SKIP
    >>> q = torch.randn(64, dtype=torch.float64, requires_grad=True)  # doctest: +SKIP
    >>> heat.smooth(q, 2.0, "periodic").square().sum().backward()  # doctest: +SKIP
    """
    torch = package("torch")
    plan = Smoothing(tuple(values.shape), boundary, spacing, nodes, axes, solver)
    noise = torch.as_tensor(sigma, dtype=torch.float64)
    smoothed, _ = _functions()
    return smoothed.apply(values, noise, plan)


@functools.cache
def _functions() -> tuple[Any, Any]:
    """The two maps, each of which is the backward of the other; made once torch is needed."""
    torch = package("torch")

    def array(tensor: Any) -> np.ndarray[Any, Any]:
        return np.asarray(tensor.detach().cpu().numpy())

    def tensor(values: Any, like: Any) -> Any:
        # a copy, as fields of an evolution cannot be written to, and a tensor could
        return torch.as_tensor(np.array(values)).to(device=like.device, dtype=like.dtype)

    class Smoothed(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, values: Any, noise: Any, plan: Smoothing) -> Any:
            ctx.save_for_backward(values, noise)
            ctx.plan = plan
            return tensor(plan.value(array(values), array(noise)), values)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            values, noise = ctx.saved_tensors
            in_values = Back.apply(grad, noise, ctx.plan) if ctx.needs_input_grad[0] else None
            in_sigma = None
            if ctx.needs_input_grad[1]:
                slope = ctx.plan.derivative(array(values).astype(np.float64), array(noise))
                weights = array(grad).astype(np.float64)
                # over the nodes: what is left are the levels, and where each axis has its own sigma the axes
                lead = 0 if noise.ndim == 0 else 1
                if noise.ndim == 2:
                    weights = weights[..., None]
                nodes = tuple(range(lead, lead + len(ctx.plan.shape)))
                in_sigma = tensor((slope * weights).sum(axis=nodes), noise)
            return in_values, in_sigma, None

    class Back(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, grad: Any, noise: Any, plan: Smoothing) -> Any:
            ctx.save_for_backward(noise)
            ctx.plan = plan
            return tensor(plan.adjoint(array(grad), array(noise)), grad)

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (noise,) = ctx.saved_tensors
            # the map is linear: what undoes its transpose is the map itself
            return Smoothed.apply(grad, noise.detach(), ctx.plan), None, None

    return Smoothed, Back
