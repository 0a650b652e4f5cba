"""Pages for the browser that stand by themselves: a template, its style and its script, in one file that loads nothing.

A page may reach nothing either: its policy (``Content-Security-Policy``, in the head) allows one style and one
script, each named by its SHA-256, so that a name in a file, however hostile, is never run.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re
from collections.abc import Mapping

__all__ = ["own_text", "page_head", "sealed_page"]

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>"""


def own_text(package: str, name: str) -> str:
    """A file that lies beside the modules of a package, as text."""
    return (importlib.resources.files(package) / name).read_text(encoding="utf-8")


def page_head(title: str, style: str, sources: str) -> str:
    """What every page begins with, up to its body.

    Parameters
    ----------
    title
        As HTML.
    style
        Text of its style sheet.
    sources
        What the policy allows beside pictures inside the page, such as ``style-src 'sha256-...'``.
    """
    policy = f"default-src 'none'; {sources}; img-src data:; base-uri 'none'; form-action 'none'"
    return _HEAD.format(policy=policy, title=title, style=style)


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
        What stands for ``@@NAME@@`` in the template, as HTML. ``SCRIPT`` is known, and ``HEAD``, which has the
        ``TITLE`` among them.
    """
    template, style, script = (own_text(package, name) for name in names)
    head = page_head(parts["TITLE"], style, f"script-src {_source(script)}; style-src {_source(style)}")
    known = {"HEAD": head, "SCRIPT": script, **parts}
    # in one pass, so that a name with a mark in it stays a name
    return re.sub(r"@@([A-Z_]+)@@", lambda found: known[found[1]], template)
