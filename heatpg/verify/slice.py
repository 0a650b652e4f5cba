"""Whether a landscape is a slice of more components than it has axes."""

from __future__ import annotations

from heatpg.core.report import Check
from heatpg.core.slices import slice_words
from heatpg.evolution import Evolution
from heatpg.verify import checks

__all__ = ["slice_of"]


@checks.register("slice")
def slice_of(evolution: Evolution, level: str = "standard") -> list[Check]:
    """Tell that noise in other components than the axes is left out, as a landscape of an environment leaves it.

    Parameters
    ----------
    evolution
        Evolution to check.
    level
        The same entry at every level.

    Returns
    -------
    entries
        A finding for a slice, and otherwise nothing.

    Examples
    --------
    >>> from heatpg import Landscape
    >>> from heatpg.evolution import solve
    >>> from heatpg.verify.slice import slice_of
    >>> slice_of(solve(Landscape.from_array([0.0, 1.0, 0.0], boundary="clip"), 0.3))
    []
    """
    words = slice_words(evolution.landscape.provenance, evolution.drawn)
    return [Check("slice", "finding", words)] if words else []
