"""What was checked, against what, and how far off: one entry per check."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal

__all__ = ["Check", "Place", "Report"]

Status = Literal["passed", "finding", "failed"]


@dataclasses.dataclass(frozen=True)
class Place:
    """Where something was found.

    Attributes
    ----------
    sigma
        Which stored sigma (index into `Evolution.sigma`).
    index
        Index of the node, with the batch indices before it.
    coordinates
        Position of the node, in the units of the axes.
    """

    sigma: int
    index: tuple[int, ...]
    coordinates: tuple[float, ...]

    def __str__(self) -> str:
        return f"sigma[{self.sigma}], index {self.index}, at ({', '.join(f'{x:.6g}' for x in self.coordinates)})"


@dataclasses.dataclass(frozen=True)
class Check:
    """One entry of a report.

    Attributes
    ----------
    name
        What was checked.
    status
        ``passed``; ``finding``: worth knowing, no fault of the solver; ``failed``: beyond its bound.
    message
        One sentence.
    figure
        The measured number, if there is one.
    bound
        What the figure may be at most.
    bound_source
        Where the bound comes from.
    where
        Where the figure was measured.
    promised
        Whether the solver promises to pass, so that failing is a fault of heatpg.
    """

    name: str
    status: Status
    message: str
    figure: float | None = None
    bound: float | None = None
    bound_source: str = ""
    where: Place | None = None
    promised: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON-like values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Check:
        """The inverse of `as_dict`."""
        where = entry.get("where")
        place = (
            None
            if where is None
            else Place(int(where["sigma"]), tuple(where["index"]), tuple(float(x) for x in where["coordinates"]))
        )
        return cls(**{**entry, "where": place})


class Report:
    """The checks of one evolution.

    Examples
    --------
    >>> from heatpg.report import Check, Report
    >>> print(Report([Check("range", "passed", "inside the range of Q", 0.0, 1e-15, "round-off")]))
    passed   range  inside the range of Q (0 <= 1e-15, round-off)
    """

    def __init__(self, checks: list[Check], level: str = "standard") -> None:
        self.checks = tuple(checks)
        self.level = level

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __len__(self) -> int:
        return len(self.checks)

    def __getitem__(self, name: str) -> Check:
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"no check {name!r} in this report; it has: {', '.join(c.name for c in self.checks)}")

    @property
    def passed(self) -> bool:
        """True if nothing failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    @property
    def findings(self) -> tuple[Check, ...]:
        """What is worth knowing although nothing is wrong with the solution."""
        return tuple(check for check in self.checks if check.status == "finding")

    def only(self, *statuses: Status) -> Report:
        """The entries of these kinds, as a report.

        Examples
        --------
        >>> from heatpg.report import Check, Report
        >>> report = Report([Check("range", "passed", "inside"), Check("box", "finding", "narrow")])
        >>> print(report.only("finding"))
        finding  box  narrow
        """
        return Report([check for check in self.checks if check.status in statuses], self.level)

    def __str__(self) -> str:
        if not self.checks:
            return "no checks were made"
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            line = f"{check.status:8} {check.name:{width}}  {check.message}"
            if check.figure is not None and check.bound is not None:
                sign = "<=" if check.figure <= check.bound else ">"
                source = f", {check.bound_source}" if check.bound_source else ""
                line += f" ({check.figure:.3g} {sign} {check.bound:.3g}{source})"
            if check.where is not None and check.status != "passed":
                line += f" [{check.where}]"
            lines.append(line.rstrip())
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Report: {len(self.checks)} checks, {len(self.failures)} failed, {len(self.findings)} findings>"

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-like values."""
        return {"level": self.level, "passed": self.passed, "checks": [check.as_dict() for check in self.checks]}

    @classmethod
    def from_dict(cls, report: Mapping[str, Any]) -> Report:
        """The inverse of `as_dict`."""
        return cls([Check.from_dict(entry) for entry in report["checks"]], str(report["level"]))
