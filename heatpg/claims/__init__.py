"""The ledger of claims: what is said about mollification and policy gradients, each as an experiment with a verdict.

A claim is a function in a file of this folder, registered by name. It measures, and hands back an `Evidence`: numbers,
a sentence, and whether they agree with the statement and with what theory says in its place. The verdict follows from
these, so that it changes if a solver is wrong.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from heatpg.errors import OptionError
from heatpg.tools.calls import checked_call
from heatpg.tools.plain import fields_as_dict
from heatpg.tools.progress import Progress, progress_of
from heatpg.tools.registry import Registry

__all__ = ["PARTS", "VERDICTS", "Claim", "Evidence", "Ledger", "Row", "claim", "claims", "ledger"]

VERDICTS = ("holds", "holds with a condition", "false as stated", "not confirmed")
"""What can be said of a claim; the last one only where neither the statement nor its correction is borne out."""

PARTS = (
    "the equation",
    "policies and boundaries",
    "the maximum principle",
    "schemes",
    "roughness and chaos",
    "the optimum",
    "backward",
    "systems",
)
"""The order of a ledger."""

_WIDTH = 100  # columns of a terminal; a taste
_LABELS = ("statement", "computed", "corrected")
_counter = itertools.count()  # claims are sorted by the order in which their files register them


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What an experiment found.

    Attributes
    ----------
    computed
        One sentence with the measured numbers.
    figures
        The main numbers by name.
    always
        Whether the statement held in every case that was tried.
    conditionally
        Whether it held in every case that satisfies the condition of the corrected statement.
    corrected
        Whether the corrected statement held in every case; a statement that needs no correction leaves it True.
    """

    computed: str
    figures: Mapping[str, float]
    always: bool
    conditionally: bool = False
    corrected: bool = True

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        # asked first: a correction that fails leaves nothing that could be said
        if not self.corrected:
            return "not confirmed"
        if self.always:
            return "holds"
        return "holds with a condition" if self.conditionally else "false as stated"


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim and the experiment that decides it.

    Attributes
    ----------
    name
        Short name, with hyphens.
    statement
        As people say it, one sentence.
    corrected
        What is true instead, with its condition; empty where the statement is true without change.
    part
        One of `PARTS`.
    source
        The mathematics or the paper that it comes from.
    experiment
        Takes nothing, returns the evidence; the same in every run.
    number
        Its place among the claims of its part.
    """

    name: str
    statement: str
    corrected: str
    part: str
    source: str
    experiment: Callable[[], Evidence]
    number: int

    def check(self) -> Row:
        """Run the experiment."""
        begin = time.perf_counter()
        # no argument: the experiment is the same wherever it runs
        evidence = self.experiment()
        seconds = time.perf_counter() - begin
        # NumPy numbers among them, which JSON has not
        figures = {name: float(value) for name, value in evidence.figures.items()}
        verdict = evidence.verdict
        # a claim that holds needs no correction, though one may be written down for the case that it fails
        corrected = "" if verdict == "holds" else self.corrected
        return Row(self.name, self.statement, evidence.computed, figures, verdict, corrected, seconds, self.source)


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the ledger.

    Attributes
    ----------
    name, statement, source
        Of the claim.
    computed
        What was measured, one sentence.
    figures
        The main numbers by name.
    verdict
        One of `VERDICTS`.
    corrected
        The true statement with its condition; empty where the claim holds as stated.
    seconds
        Duration of the experiment.
    """

    name: str
    statement: str
    computed: str
    figures: dict[str, float]
    verdict: str
    corrected: str
    seconds: float
    source: str

    def __str__(self) -> str:
        # name to the left, verdict to the right, as wide as the longest verdict
        lines = [f"{self.name:<{_WIDTH - max(map(len, VERDICTS)) - 1}} {self.verdict}"]
        for label in _LABELS:
            text = getattr(self, label)
            if text:
                head = f"  {label:<9}  "
                lines += textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON-like values; a figure that is not finite is None."""
        return {"id": self.name, **fields_as_dict(self, leave_out=["name"])}


@dataclasses.dataclass(frozen=True)
class Ledger:
    """Claims with their verdicts, in the order of `PARTS`.

    Attributes
    ----------
    rows
        One per claim.
    """

    rows: tuple[Row, ...]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no row {name!r} in this ledger; it has: {', '.join(row.name for row in self.rows)}")

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each verdict, in the order of `VERDICTS`."""
        counted = collections.Counter(row.verdict for row in self.rows)
        return {verdict: counted[verdict] for verdict in VERDICTS}

    @property
    def seconds(self) -> float:
        """Duration of all experiments."""
        return sum(row.seconds for row in self.rows)

    def __str__(self) -> str:
        words = [
            # holds, hold: plural of the verb
            f"{number} {verdict if number == 1 else verdict.replace('holds', 'hold')}"
            for verdict, number in self.counts.items()
            if number
        ]
        noun = "claim" if len(self) == 1 else "claims"
        return "\n\n".join([*map(str, self.rows), f"{len(self)} {noun}: {', '.join(words)} ({self.seconds:.1f} s)"])

    def as_dict(self) -> dict[str, Any]:
        """The ledger as JSON-like values."""
        return {"claims": [row.as_dict() for row in self.rows], "counts": self.counts, "seconds": self.seconds}


claims: Registry[Claim] = Registry("claim", "heatpg.claims")


def claim(
    name: str, statement: str, *, part: str, source: str, corrected: str = ""
) -> Callable[[Callable[[], Evidence]], Claim]:
    """Register an experiment as the claim that it decides; see `Claim` for the parameters.

    Raises
    ------
    UnknownNameError
        For a name that is taken.
    OptionError
        For an unknown part.
    """
    if part not in PARTS:
        raise OptionError("unknown part of the ledger", given=repr(part), allowed=", ".join(PARTS))

    def decorate(experiment: Callable[[], Evidence]) -> Claim:
        # the function becomes the claim, so that a file has nothing else to hand out
        entry = Claim(name, statement, corrected, part, source, experiment, next(_counter))
        claims.add(name, entry)
        return entry

    return decorate


@checked_call()
def ledger(names: str | Iterable[str] | None = None, *, progress: Progress = None) -> Ledger:
    """Run the experiments and gather the verdicts.

    Parameters
    ----------
    names
        Which claims, one or several; None for all of them. Each is run once, in the order of `PARTS`.
    progress
        A function that is called as ``progress(done, total)`` after each claim, or True for a progress bar.

    Returns
    -------
    ledger
        Print it for the table; `Ledger.as_dict` for JSON.

    Raises
    ------
    UnknownNameError
        For an unknown name, with near misses.
    OptionError
        For an empty list of names.

    Notes
    -----
    Seeds are fixed, so verdicts and figures are the same in every run on one machine. All claims together take about
    a minute, and some more where kernels are compiled first.

    Examples
    --------
    >>> from heatpg.claims import ledger
    >>> page = ledger(["wave-symbol-slip", "half-amplitude"])
    >>> [(row.name, row.verdict) for row in page]
    [('wave-symbol-slip', 'false as stated'), ('half-amplitude', 'holds')]
    >>> print(page["half-amplitude"].computed)
    a wave with sigma k = 1.1774, wavelength 5.336 sigma, keeps 0.500000 of its amplitude
    """
    tell = progress_of(progress, "testing claims")
    # each once, however often it is named
    chosen = [names] if isinstance(names, str) else claims.names() if names is None else list(dict.fromkeys(names))
    if not chosen:
        raise OptionError("no claim is named", given="[]", allowed="names of claims, or None for all of them")
    entries = sorted(map(claims.get, chosen), key=lambda entry: (PARTS.index(entry.part), entry.number))
    rows = []
    for done, entry in enumerate(entries, 1):
        rows.append(entry.check())
        if tell is not None:
            tell(done, len(entries))
    return Ledger(tuple(rows))
