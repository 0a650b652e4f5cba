"""`smooth` for arrays of jax that are trained through: gradients in the values and in sigma.

>>> from heatpg.interop import jax as heat  # doctest: +SKIP
>>> jax.grad(lambda q: heat.smooth(q, 2.0, "clip").max())(q)  # doctest: +SKIP
"""

from __future__ import annotations

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
    """Mean of an array under Gaussian noise, u = Q * N(0, sigma^2), with gradients in Q and sigma, also under ``jit``.

    The gradient in Q is the transpose of the solver's own map. The gradient in sigma, sigma times the Laplacian of u,
    costs eight solves, and is computed only where sigma is an array of jax. Solves run on the processor, as callbacks,
    in the precision of the array: set ``jax_enable_x64`` for double precision. Gradients can be taken once, in reverse.

    Parameters
    ----------
    values
        Q, a real floating-point array.
    sigma
        Noise level in units of `spacing`: a number, T numbers, or an array of shape (T, dimensions).
    boundary, spacing, axes, nodes, solver
        As of `heatpg.smooth`. Near a noise level at which the solver changes its scheme, as `direct` does at one
        spacing, the gradient in sigma contains that change. Under ``jit`` wrong noise levels raise an error of jax.

    Returns
    -------
    smoothed
        u, of the shape of the values, or (T, *values.shape).

    Raises
    ------
    MissingPackageError
        Where jax is not installed.
    SigmaError, GridError, BoundaryError, UnknownNameError, OptionError, NonFiniteError
        For input that cannot be smoothed.

    References
    ----------
    T. Wang, S. Herbert, S. Gao, Mollification effects of policy gradient methods, ICML 2024, arXiv:2405.17832.

    Examples
    --------
    >>> from heatpg.interop import jax as heat  # doctest: +SKIP
    >>> jax.jit(lambda q, s: heat.smooth(q, s, "periodic").max())(q, 2.0)  # doctest: +SKIP
    """
    jax = package("jax")
    numpy = jax.numpy
    values = numpy.asarray(values)
    plan = Smoothing(tuple(values.shape), boundary, spacing, nodes, axes, solver)
    trained = isinstance(sigma, jax.Array)
    noise = sigma if trained else np.asarray(sigma, dtype=np.float64)
    lead = () if noise.ndim == 0 else (noise.shape[0],)

    def call(function: Any, shape: tuple[int, ...], dtype: Any, *given: Any) -> Any:
        def on_arrays(*arrays: Any) -> Any:
            return np.asarray(function(*(np.asarray(each) for each in arrays)), dtype=dtype)

        return jax.pure_callback(on_arrays, jax.ShapeDtypeStruct(shape, dtype), *given, vmap_method="sequential")

    def slope(q: Any, s: Any, g: Any) -> Any:
        found = plan.derivative(q.astype(np.float64), s)
        weights = g.astype(np.float64)[..., None] if s.ndim == 2 else g.astype(np.float64)
        return (found * weights).sum(axis=tuple(range(len(lead), len(lead) + len(plan.shape))))

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def run(q: Any, s: Any) -> Any:
        return call(plan.value, (*lead, *plan.shape), q.dtype, q, s)

    def forward(q: Any, s: Any) -> Any:
        return run(q, s), (q, s)

    def backward(kept: Any, g: Any) -> Any:
        q, s = kept
        in_values = call(plan.adjoint, plan.shape, q.dtype, g, s)
        in_sigma = call(slope, s.shape, s.dtype, q, s, g) if trained else numpy.zeros_like(s)
        return in_values, in_sigma

    run.defvjp(forward, backward)
    return run(values, numpy.asarray(noise))
