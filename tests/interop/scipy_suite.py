"""Run the tests of Gaussian filters that SciPy brings, with the functions of heatpg in the place of SciPy's.

Printed as JSON: how many passed, the names of those that failed, and how many passed with a call that was passed on to
SciPy. A process of its own, as it changes the modules of SciPy.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import scipy

from heatpg.interop.ndimage import gaussian_filter, gaussian_filter1d

__all__: list[str] = []


class Record:
    """What became of each test."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.passed = 0
        self.passed_on = 0
        self.calls = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2]
        if report.failed:
            self.failed.append(name)
        elif report.when == "call":
            self.passed += 1
            self.passed_on += self.calls > 0
        self.calls = 0 if report.when == "setup" else self.calls


def originals() -> Callable[..., Any]:
    """SciPy's `gaussian_filter`, which goes on calling SciPy's own functions when their names are taken."""
    filters = importlib.import_module("scipy.ndimage._filters")
    own = dict(vars(filters))
    for name in ("gaussian_filter1d", "gaussian_filter"):
        theirs = getattr(filters, name)
        own[name] = types.FunctionType(theirs.__code__, own, name, theirs.__defaults__, theirs.__closure__)
        own[name].__kwdefaults__ = theirs.__kwdefaults__
    return own["gaussian_filter"]  # type: ignore[no-any-return]


def main() -> None:
    """Run them."""
    record, theirs = Record(), originals()
    modules = [importlib.import_module(f"scipy.ndimage{part}") for part in ("", "._filters", "._ndimage_api")]
    table = importlib.import_module("scipy._lib._array_api").xp_capabilities_table
    for ours in (gaussian_filter, gaussian_filter1d):
        # what a function takes, which SciPy's tests look up by the function
        table[ours] = table[getattr(modules[0], ours.__name__)]
        for module in modules:
            setattr(module, ours.__name__, ours)

    def passed_on(*given: Any, **options: Any) -> Any:
        record.calls += 1
        return theirs(*given, **options)

    # after it was imported, SciPy's tests keep the true module
    importlib.import_module("scipy.ndimage.tests.test_filters")
    vars(scipy)["ndimage"] = types.SimpleNamespace(gaussian_filter=passed_on)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore", "--tb=no", "-k", "gauss"]
    pytest.main([*options, "--pyargs", "scipy.ndimage.tests.test_filters"], plugins=[record])
    found = {"passed": record.passed, "failed": record.failed, "passed on": record.passed_on}
    sys.stderr.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
