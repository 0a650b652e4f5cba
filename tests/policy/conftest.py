"""Landscapes that several files ascend."""

from __future__ import annotations

import pytest

from heatpg import Landscape, landscapes


@pytest.fixture(scope="module")
def unequal() -> Landscape:
    """Heights 0.6 at -1 and 1 at +1, width 0.3, spacing 0.0125."""
    found: Landscape = landscapes.unequal_bumps(size=641)
    return found
