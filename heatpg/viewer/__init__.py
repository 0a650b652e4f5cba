"""Pages for the browser, each in one HTML file that needs no network: an evolution to explore, a study to read."""

from __future__ import annotations

from heatpg.viewer.document import page
from heatpg.viewer.study import study_page

__all__ = ["page", "study_page"]
