"""Pages for the browser that stand by themselves: a template, its style and its script, in one file that loads nothing.

A page may reach nothing either: its policy (``Content-Security-Policy``, in the template) allows one style and one
script, each named by its SHA-256, so that a name in a file, however hostile, is never run.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re
from collections.abc import Mapping

__all__ = ["own_text", "sealed_page"]


def own_text(package: str, name: str) -> str:
    """A file that lies beside the modules of a package, as text."""
    return (importlib.resources.files(package) / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """How a policy names the text of a script or a style that it allows."""
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def sealed_page(package: str, names: tuple[str, str, str], parts: Mapping[str, str]) -> str:
    """A page made of three files of a package.

    Parameters
    ----------
    package
        Where they lie.
    names
        Of the template, the style and the script.
    parts
        What stands for ``@@NAME@@`` in the template, as HTML. ``STYLE``, ``SCRIPT``, ``STYLE_HASH`` and
        ``SCRIPT_HASH`` are known.
    """
    template, style, script = (own_text(package, name) for name in names)
    known = {"STYLE": style, "SCRIPT": script, "STYLE_HASH": _source(style), "SCRIPT_HASH": _source(script), **parts}
    # in one pass, so that a name with a mark in it stays a name
    return re.sub(r"@@([A-Z_]+)@@", lambda found: known[found[1]], template)
