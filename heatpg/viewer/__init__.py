"""A page for the browser: an evolution in one HTML file that needs no network, to view and to share."""

from __future__ import annotations

from heatpg.viewer.document import page

__all__ = ["page"]
