"""Scale space: what happens to the structure of a landscape as the exploration noise grows.

Critical points and where they move, jump, die or are born; what it costs to act on a smoothed optimum; basins of
attraction; roughness and chaos; the spectrum, and how much of Q can be recovered.
"""

from heatpg.tools.faces import attach

__all__, __getattr__, __dir__ = attach(__name__, __file__)
