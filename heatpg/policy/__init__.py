"""The side of the policy: what a policy gradient sees of a landscape under exploration noise, and where it goes.

Estimators of the gradient against the exact one, ascent on the mollified objective, and the unlearning of an optimal
controller.
"""

from heatpg.tools.faces import attach

__all__, __getattr__, __dir__ = attach(__name__, __file__)
