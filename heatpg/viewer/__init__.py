"""A page for the browser: an evolution in one HTML file that needs no network, to look at and to hand on."""

from __future__ import annotations

from heatpg.viewer.document import page

__all__ = ["page"]
