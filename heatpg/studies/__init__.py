"""A study of one landscape: at which sigma the optimum moves, jumps or ends, and what that costs."""

from heatpg.tools.faces import attach

__all__, __getattr__, __dir__ = attach(__name__, __file__)
