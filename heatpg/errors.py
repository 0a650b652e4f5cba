"""The errors of heatpg: each states the problem, what was given, what was expected, and what to do.

Errors about arguments are also ``ValueError``; errors during computation are also ``RuntimeError``. All
of them are `HeatpgError`.
"""

from __future__ import annotations

import errno
import re

from heatpg.letters import visible

__all__ = [
    "BoundaryError",
    "CheckError",
    "GridError",
    "HeatpgError",
    "HeatpgWarning",
    "KeywordError",
    "MissingFileError",
    "MissingPackageError",
    "NonFiniteError",
    "OptionError",
    "ResourceError",
    "RolloutError",
    "SigmaError",
    "StabilityError",
    "StoreError",
    "UnknownNameError",
    "UnsupportedError",
    "in_one_line",
]

_LINE = 100  # letters of a message that stays on one line: half of a wide terminal, a line of a log. A taste
_SHORTEST = 4  # letters of a value that is recognised in the problem: a shorter one may be there by chance
_MEANT = re.compile(r"(did you mean .*?\?)(?:; | |$)(.*)", flags=re.DOTALL)


def _flat(value: object) -> str:
    """A part of a message on one line: a line of it would pass for another part."""
    return re.sub(r"\s*\n\s*", " ", str(value)).strip()


def _contains(text: str, value: str) -> bool:
    """Whether a text already quotes a value; a plain word, such as policy, may be there with another meaning."""
    return (
        len(value) >= _SHORTEST
        and not value.isalpha()
        and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None
    )


class HeatpgError(Exception):
    """Base class of all errors of heatpg.

    The message has one part per line; a short message of at most two parts is one line.

    Parameters
    ----------
    problem
        What is wrong, as a sentence.
    given
        The value or situation found, printed as ``got:``.
    allowed
        What would have been accepted, printed as ``expected:``.
    advice
        What to do, printed as ``try:``; a question, such as ``did you mean 'x'?``, is printed without a label.
    command
        What to do on the command line, which prints it in place of the advice; by default the same.

    Examples
    --------
    >>> from heatpg.errors import OptionError
    >>> print(OptionError("timeout must be a positive number of seconds", given="'x'"))
    timeout must be a positive number of seconds; got: 'x'
    >>> print(OptionError("unknown rule", given="'hermit'", allowed="hermite, sobol", advice="did you mean 'hermite'?"))
    unknown rule
      got: 'hermit'; did you mean 'hermite'?
      expected: hermite, sobol
    """

    def __init__(
        self, problem: str, *, given: object = None, allowed: object = None, advice: str = "", command: str = ""
    ) -> None:
        self.problem = problem
        self.given = given
        self.allowed = allowed
        self.advice = advice
        self.command = command
        super().__init__(problem)

    def _parts(self) -> list[str]:
        """The parts after the problem, each on one line; a value that the problem quotes is not repeated."""
        parts = (self.given, self.allowed, self.advice)
        given, allowed, advice = ("" if part is None else _flat(part) for part in parts)
        found = _MEANT.fullmatch(advice)
        question, advice = found.groups() if found else ("", advice)
        quoted = _contains(self.problem, given)
        got = "; ".join(filter(None, ["" if quoted or not given else f"got: {given}", question]))
        told = [got] if got else []
        if allowed and not _contains(self.problem, allowed):
            told.append(f"expected: {allowed}")
        if advice:
            told.append(f"try: {advice}")
        return told

    @property
    def one_line(self) -> str:
        """The message on one line, for tables, journals and logs."""
        parts = (part.removeprefix("try: ") for part in self._parts())
        return visible("; ".join([_flat(self.problem), *parts]))

    def __str__(self) -> str:
        parts = self._parts()
        if len(parts) <= 1 and "\n" not in self.problem and len(self.one_line) <= _LINE:
            return self.one_line
        return visible("\n  ".join([self.problem, *parts]))

    def __reduce__(self) -> tuple[object, ...]:
        state = {"given": self.given, "allowed": self.allowed, "advice": self.advice, "command": self.command}
        return (type(self), (self.problem,), state)


def in_one_line(reason: BaseException) -> str:
    """The message of any exception on one line.

    Examples
    --------
    >>> from heatpg.errors import OptionError, in_one_line
    >>> in_one_line(OptionError("size is out of range", given=-1, allowed=">= 1", advice="pass the number of nodes"))
    'size is out of range; got: -1; expected: >= 1; pass the number of nodes'
    """
    return reason.one_line if isinstance(reason, HeatpgError) else visible(_flat(reason))


class GridError(HeatpgError, ValueError):
    """An invalid axis or grid, or an array that does not match its grid."""


class BoundaryError(HeatpgError, ValueError):
    """A missing or unsuitable boundary condition."""


class SigmaError(HeatpgError, ValueError):
    """A noise level that is negative, not finite, empty, or of the wrong shape."""


class UnknownNameError(HeatpgError, ValueError):
    """An unknown name."""


class UnsupportedError(HeatpgError, ValueError):
    """A combination that is not supported, with the reason."""


class KeywordError(HeatpgError, ValueError, TypeError):
    """An unknown keyword of a function; also a TypeError, as for any function."""


class OptionError(HeatpgError, ValueError):
    """A value of the wrong type, out of range, or not among the allowed choices."""


class MissingPackageError(HeatpgError, ImportError, RuntimeError):
    """A required optional package that is not installed or cannot be imported."""


class StabilityError(HeatpgError, ValueError):
    """A time step beyond the stability limit of the scheme."""


class NonFiniteError(HeatpgError, RuntimeError):
    """NaN or infinity where finite numbers are needed."""


class CheckError(HeatpgError, RuntimeError):
    """A result that violates a property guaranteed by its solver.

    Attributes
    ----------
    evolution
        The result with its report.
    """

    evolution: object = None


class StoreError(HeatpgError, RuntimeError):
    """A file that cannot be written, or that failed verification when read."""

    @staticmethod
    def unreadable(path: object, reason: Exception) -> StoreError:
        """The error for a file that cannot be opened or read: `MissingFileError` if it does not exist."""
        kind = MissingFileError if isinstance(reason, FileNotFoundError) else StoreError
        return kind(f"cannot read {path}", given=getattr(reason, "strerror", None) or reason)


class MissingFileError(StoreError, FileNotFoundError):
    """A file that does not exist."""

    def __init__(self, problem: str, *, given: object = None, allowed: object = None, advice: str = "") -> None:
        super().__init__(problem, given=given, allowed=allowed, advice=advice)
        self.errno = errno.ENOENT


class ResourceError(HeatpgError, RuntimeError):
    """Not enough memory, disk space or time, detected before the work starts."""


class RolloutError(HeatpgError, RuntimeError):
    """An exception in an environment or a policy, with point, seed and step; the original is its ``__cause__``."""


class HeatpgWarning(UserWarning):
    """A notable condition that does not stop the computation."""

    def __str__(self) -> str:
        # names and units in it may come from files
        return visible(super().__str__())
