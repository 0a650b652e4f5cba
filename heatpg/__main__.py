"""``python -m heatpg``: the same as the command ``heatpg``."""

from __future__ import annotations

import sys

from heatpg.cli import main

if __name__ == "__main__":
    sys.exit(main())
