"""The report of an evolution: one entry per check, with measured value and bound."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

from heatpg.tools import html
from heatpg.tools.lines import hanging, one_line

__all__ = ["STATUSES", "Check", "Place", "Report", "Status", "checks_html", "counted"]

Status = Literal["passed", "finding", "failed", "silent"]

STATUSES: tuple[Status, ...] = get_args(Status)

_WIDTH = 100  # letters of a line, wherever a report is printed: the same report is the same text
_TABLE_BYTES = 14_000  # of the table of a report in a notebook, a good quarter of a page
_SYMBOLS = {"passed": "✓", "finding": "▸", "failed": "✗", "silent": "?"}


@dataclasses.dataclass(frozen=True)
class Place:
    """Location of a measured value.

    Attributes
    ----------
    sigma
        Index of the noise level in `Evolution.sigma`.
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
        ``passed``; ``finding``: notable, but not an error of the solver; ``failed``: the bound is exceeded; ``silent``:
        not conclusive, because the bound is too wide or there is nothing to check.
    message
        One sentence.
    figure
        The measured number, if there is one.
    bound
        Largest allowed value.
    bound_source
        Origin of the bound.
    where
        Where the number was measured.
    promised
        Whether the solver guarantees to pass, so that a failure raises `CheckError`.
    """

    name: str
    status: Status
    message: str
    figure: float | None = None
    bound: float | None = None
    bound_source: str = ""
    where: Place | None = None
    promised: bool = False

    @property
    def details(self) -> str:
        """The message with the measured number, the bound, and the location if the check did not pass.

        A message that states the number and the bound itself is not followed by them again.
        """
        words = self.message
        if self.figure is not None and self.bound is not None and not self._stated:
            sign = "<=" if self.figure <= self.bound else ">"
            source = f", {self.bound_source}" if self.bound_source else ""
            words += f" ({self.figure:.3g} {sign} {self.bound:.3g}{source})"
        if self.where is not None and self.status != "passed":
            words += f" [{self.where}]"
        return words

    @property
    def _stated(self) -> bool:
        """Whether the message has the measured number with three digits, and says what it is a share of."""
        # a count may have the digits of a figure by chance, but none of its kind is relative to the range of Q
        return f"{self.figure:.3g} of " in self.message and "relative to" in self.bound_source

    def as_dict(self) -> dict[str, Any]:
        """The entry as JSON-like values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Check:
        """The inverse of `as_dict`."""
        # JSON has lists where a place has tuples
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
    >>> from heatpg.core.report import Check, Report
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
        """Notable observations that are not errors."""
        return tuple(check for check in self.checks if check.status == "finding")

    @property
    def silent(self) -> tuple[Check, ...]:
        """The checks that are not conclusive."""
        return tuple(check for check in self.checks if check.status == "silent")

    def only(self, *statuses: Status) -> Report:
        """The entries with these statuses, as a report.

        Examples
        --------
        >>> from heatpg.core.report import Check, Report
        >>> report = Report([Check("range", "passed", "inside"), Check("box", "finding", "narrow")])
        >>> print(report.only("finding"))
        finding  box  narrow
        """
        return Report([check for check in self.checks if check.status in statuses], self.level)

    def text(self, width: int | None = None) -> str:
        """The report as text: status, name and message of each check.

        Parameters
        ----------
        width
            Characters per line; longer messages are wrapped. None: one line per check.

        Examples
        --------
        >>> from heatpg.core.report import Check, Report
        >>> report = Report([Check("box", "finding", "the noise leaves the box from more than half of its nodes")])
        >>> print(report.text(48))
        finding  box  the noise leaves the box from more
                      than half of its nodes
        >>> len(report.text().splitlines())
        1
        """
        if not self.checks:
            return "no checks were made"
        # messages begin in one column
        names = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            line = one_line(f"{check.status:8} {check.name:{names}}  {check.details}".rstrip())
            lines += [line] if width is None else hanging(line, names + 11, width)
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text(_WIDTH)

    def _repr_html_(self) -> str:
        if not len(self):
            return html.page(html.heading("Report", "", "no checks were made"))
        return html.page(html.heading("Report", "", _words(self)), _html_table(self))

    def __repr__(self) -> str:
        silent = f", {len(self.silent)} silent" if self.silent else ""
        checks = f"{len(self)} check" + "s" * (len(self) != 1)
        findings = f"{len(self.findings)} finding" + "s" * (len(self.findings) != 1)
        return f"<Report: {checks}, {len(self.failures)} failed, {findings}{silent}>"

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-like values."""
        return {"level": self.level, "passed": self.passed, "checks": [check.as_dict() for check in self.checks]}

    @classmethod
    def from_dict(cls, report: Mapping[str, Any]) -> Report:
        """The inverse of `as_dict`."""
        return cls([Check.from_dict(entry) for entry in report["checks"]], str(report["level"]))


def counted(report: Report) -> str:
    """Number of checks of each status, in words.

    Examples
    --------
    >>> from heatpg.core.report import Check, Report, counted
    >>> counted(Report([Check("range", "passed", "inside"), Check("box", "finding", "narrow")]))
    '1 passed, 1 finding'
    """
    counts = {status: len(report.only(status)) for status in STATUSES}
    return ", ".join(
        f"{count} {status}{'s' if status == 'finding' and count > 1 else ''}"
        for status, count in counts.items()
        if count or status == "passed"
    )


def _words(report: Report) -> str:
    return f"checks ({report.level}): {counted(report)}"


def _html_row(check: Check) -> tuple[str, ...]:
    """Status, name, message, and figure with bound, each as HTML."""
    status = f'<span style="white-space:nowrap">{_SYMBOLS.get(check.status, "")} {html.text(check.status, 20)}</span>'
    if check.status == "failed":
        status = f"<b>{status}</b>"
    bound = ""
    if check.figure is not None and check.bound is not None:
        sign = "≤" if check.figure <= check.bound else "&gt;"
        bound = f'<span style="white-space:nowrap">{check.figure:.3g} {sign} {check.bound:.3g}</span>'
        if check.bound_source:
            bound += f' <span style="{html.QUIET}">{html.text(check.bound_source)}</span>'
    where = f" [{check.where}]" if check.where is not None and check.status != "passed" else ""
    return status, html.text(check.name, 40), html.text(check.message + where, 400), bound


def _html_table(report: Report) -> str:
    rows: dict[int, tuple[str, ...]] = {}
    room = _TABLE_BYTES
    # what failed is never among the entries that are left out
    order = {"failed": 0, "silent": 1, "finding": 2, "passed": 3}
    for number, check in sorted(enumerate(report), key=lambda entry: order.get(entry[1].status, 0)):
        row = _html_row(check)
        room -= len(html.table((), [row]).encode())
        if room < 0 and rows:
            break
        rows[number] = row
    shown = [rows[number] for number in sorted(rows)]
    if len(report) > len(shown):
        shown.append(("", f"and {len(report) - len(shown)} more", "", ""))
    return html.table(("", "check", "result", "value and bound"), shown)


def checks_html(report: Report) -> str:
    """The checks as a table of HTML behind a line that counts them, open where one failed; empty where there are none.

    Examples
    --------
    >>> from heatpg.core.report import Check, Report, checks_html
    >>> "✓ passed" in checks_html(Report([Check("range", "passed", "inside the range of Q")]))
    True
    """
    if not len(report):
        return ""
    return html.folded(_words(report), _html_table(report), is_open=bool(report.failures))
