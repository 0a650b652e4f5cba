"""heatpg: the policy-gradient objective under Gaussian exploration noise, as the heat equation that it is.

A Gaussian policy of standard deviation sigma turns a sampled action value Q into L = Q * N(0, sigma^2),
which solves u_t = 1/2 Laplace(u), u(., 0) = Q, at t = sigma^2.

Importing this package loads neither Numba nor matplotlib; each name is loaded when it is first used.
"""

from heatpg.tools.faces import attach

__all__, __getattr__, __dir__ = attach(__name__, __file__)
