"""Draws the stored pictures anew: ``python tests/plot/renew.py [NAME ...]``, by default all that are missing.

Look at each before it is kept: it is what the next one is compared with. ``--all`` draws every one, and removes those
that no figure has any more.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.plot.images import BASELINE, all_cases, renew


def main(names: list[str]) -> None:
    """Renew these pictures."""
    cases = all_cases()
    if names == ["--all"]:
        for path in BASELINE.glob("*.png"):
            if path.stem not in cases:
                path.unlink()
                path.with_suffix(".txt").unlink(missing_ok=True)
        names = list(cases)
    for name in names or [name for name in cases if not (BASELINE / f"{name}.png").exists()]:
        path = renew(name, cases[name])
        print(f"{path.stat().st_size:7} bytes  {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
