"""The whole distribution of the return under exploration noise: variance, probabilities, quantiles, tail means.

The flow is linear and every f(Q) is a landscape, so the solver that gives E Q(mu + sigma Z) gives the law of
Q(mu + sigma Z) at every mu, if its weights are not negative.
"""

from heatpg.tools.faces import attach

__all__, __getattr__, __dir__ = attach(__name__, __file__)
