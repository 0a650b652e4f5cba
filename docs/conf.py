"""How the documentation is built: `make docs`, or ``sphinx-build -W -n docs build/docs``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import heatpg

os.environ["COLUMNS"] = "82"  # of the help of the commands
os.environ["HEATPG_NO_PLUGINS"] = "1"  # the reference is of heatpg, whatever else is installed
sys.path.insert(0, str(Path(__file__).resolve().parent))

project = "heatpg"
author = "The heatpg developers"
copyright = author
version = release = heatpg.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "myst_nb",
    "reference_pages",
]
exclude_patterns = ["README.md"]

# Markdown. Notebooks are run by a test of their own, and shown here as they were stored.
nb_execution_mode = "off"
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Docstrings. Single backticks in them name parameters and objects: what is documented becomes a link.
default_role = "known"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
# Names that stand for long unions are kept as they are written.
autodoc_type_aliases = {name: name for name in ("Array", "ArrayLike", "GridLike", "NDArray", "Sigma")}
napoleon_google_docstring = False
napoleon_use_ivar = True

# Warnings are errors, and every reference must lead somewhere, but for these:
nitpick_ignore_regex = [
    # NumPy, the standard library and type variables: their documentation is on the network, and a build needs none.
    ("py:.*", r"(?!heatpg\b).*"),
    # Private types in the signatures of public names.
    ("py:.*", r"heatpg\..*\b_\w+"),
]

# Formulas become MathML, which browsers draw themselves: the pages need no network.
html_math_renderer = "mathml"

# The pages.
html_theme = "pydata_sphinx_theme"
html_title = f"heatpg {release}"
html_static_path = ["_static"]
html_css_files = ["heatpg.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars: dict[str, list[str]] = {
    "index": [],
    "tutorial": [],
    "glossary": [],
    "decisions": [],
    "comparison": [],
    "file_format": [],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
