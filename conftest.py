"""Loads the packages that fill a registry before pytest runs one of their files as a doctest.

pytest would else run such a file a second time while its package imports it, and its names would be taken.
"""

import heatpg.landscapes
import heatpg.solvers
import heatpg.verify  # noqa: F401
