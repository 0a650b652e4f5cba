"""heatpg: smooth policy-gradient objectives with Gaussian exploration noise by solving the heat equation.

A Gaussian policy of standard deviation sigma turns a sampled action value Q into L = Q * N(0, sigma^2),
which solves u_t = 1/2 Laplace(u), u(., 0) = Q, at t = sigma^2.

Importing this package loads neither Numba nor matplotlib; names are loaded on first use.
"""

from heatpg.tools.faces import attach

__all__, __getattr__, __dir__ = attach(__name__, __file__)
