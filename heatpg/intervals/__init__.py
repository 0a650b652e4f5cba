"""Statistics of several seeds for the optimum under noise: intervals for its value, place, price and jump.

The flow is linear, so that u of any resample of the seeds is a weighted mean of their fields: nothing is tracked again.
"""

from heatpg.tools.faces import attach

__all__, __getattr__, __dir__ = attach(__name__, __file__)
