"""Noise in all components of a policy, seen on a plane of few of them.

Landscapes are looked at on two axes, and policies act with noise in all of their components. Smoothing a slice is
another policy, whose noise stays in the slice; here it is in all components, and what is drawn has standard errors.
"""

from heatpg.tools.faces import attach

__all__, __getattr__, __dir__ = attach(__name__, __file__)
