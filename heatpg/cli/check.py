"""heatpg check: verify a result file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatpg.cli.files import require_file
from heatpg.cli.parser import CHECK_LEVELS, Commands, add_untrusted
from heatpg.cli.talk import (
    NO_RESOURCES,
    Bar,
    describe,
    envelope,
    is_quiet,
    note,
    outcome,
    record,
    reply,
    report_lines,
)
from heatpg.errors import ResourceError, in_one_line

if TYPE_CHECKING:
    from heatpg.core.report import Check
    from heatpg.evolution import Evolution

# In eps max |Q|: the same solver may differ on another processor, where sums are taken in other orders. A taste: wide
# for that, and far below what a damaged value shows.
_ROUND_OFF = 256


def _compare(evolution: Evolution, again: Evolution) -> Check:
    """What is stored against what the stored solver makes of the stored Q."""
    import numpy as np

    from heatpg.core.report import Check, Place

    # in double precision, so that for float32 the difference itself has no round-off
    difference = np.abs(again.values.astype(np.float64) - evolution.values)
    place = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape))
    largest = float(difference[place])
    precision = float(np.finfo(evolution.values.dtype).eps)
    bound = _ROUND_OFF * precision * float(np.abs(evolution.landscape.values).max())
    source = f"round-off, {_ROUND_OFF} eps max |Q|"
    if evolution.stored_tolerance:
        bound += evolution.value_error
        source += f", and the {evolution.stored_tolerance:g} osc(Q) of compact storage"
    same = largest <= bound
    where = Place(place[0], place[1:], evolution.grid.point(place[len(place) - evolution.grid.dimensions :]))
    return Check(
        "recomputed",
        "passed" if same else "failed",
        "solution recomputed from the stored Q: "
        + ("identical to the last bit" if largest == 0 else f"largest difference {largest:.3g}"),
        largest,
        bound,
        source,
        None if same else where,
    )


def _check(arguments: argparse.Namespace) -> int:
    from heatpg.core.report import Report
    from heatpg.evolution import load
    from heatpg.store.reading import verify_file
    from heatpg.verify import verify

    path = Path(arguments.file)
    quiet = is_quiet(arguments)
    require_file(path)
    # first the bytes: a file that is damaged is not loaded, and one that is too large for memory has been checked
    integrity = verify_file(path, untrusted=arguments.untrusted)
    reports = {"file": integrity}
    too_large: ResourceError | None = None
    evolution = None
    if integrity.passed:
        try:
            evolution = load(path, untrusted=arguments.untrusted)
        except ResourceError as reason:
            too_large = reason
    if evolution is not None:
        again = evolution
        # what was drawn needs the source of Q, which no file holds
        if evolution.drawn is None:
            with Bar("solving", sys.stderr, enabled=not quiet) as bar:
                again = evolution.again(progress=bar)
                reports["recomputed"] = Report([_compare(evolution, again)], "recomputed")
        with Bar("checking", sys.stderr, enabled=not quiet) as bar:
            bar(0, 1)
            # the stored values were held against these; without what compact storage leaves out all bounds are tighter
            reports["solution"] = verify(again if evolution.stored_tolerance else evolution, arguments.checks)
    failed = any(report.failures for report in reports.values())

    def as_json() -> dict[str, Any]:
        result = envelope("check")
        if evolution is not None:
            result |= record("check", evolution) | {"stored_report": evolution.report.as_dict()}
        found = {name: report.as_dict() for name, report in reports.items()}
        return result | {"report": found, "passed": not failed, "path": str(path.resolve())}

    def words() -> list[str]:
        titles = {"file": "file", "recomputed": "recomputed", "solution": f"checks ({arguments.checks})"}
        lines = [] if evolution is None else describe(evolution)
        return lines + [line for name, report in reports.items() for line in report_lines(titles[name], report)]

    reply(arguments, as_json, words=words, result=[str(path.resolve())])
    # the report has been given by now: what is known of the file is not lost
    if too_large is not None:
        note(f"error: the file is intact, but its solution was not checked: {in_one_line(too_large)}")
        return NO_RESOURCES
    return outcome(failed, "the stored data failed verification" if evolution is None else "see the report")


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    check = commands.add(
        "check", _check, "Verify a result file: its checksums, its solution (recomputed), and all checks."
    )
    check.add_argument("file", metavar="F.h5", help="result file to verify")
    add_untrusted(check)
    check.add_argument("--checks", choices=CHECK_LEVELS, default="full", help="depth of the checks (default: full)")
