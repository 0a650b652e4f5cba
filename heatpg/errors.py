"""The errors of heatpg: each says what was given, what is allowed, and what to do.

Errors about what the caller asked for are also ``ValueError``; errors about what happened
while the work ran are also ``RuntimeError``. All of them are `HeatpgError`.
"""

from __future__ import annotations

import errno

from heatpg.letters import visible

__all__ = [
    "BoundaryError",
    "CheckError",
    "GridError",
    "HeatpgError",
    "HeatpgWarning",
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
]


class HeatpgError(Exception):
    """Base of every error that heatpg raises on purpose.

    Parameters
    ----------
    problem
        What is wrong, in one clause.
    given
        What the caller gave.
    allowed
        What would have been accepted.
    advice
        What to do about it.
    """

    def __init__(self, problem: str, *, given: object = None, allowed: object = None, advice: str = "") -> None:
        self.problem = problem
        self.given = given
        self.allowed = allowed
        self.advice = advice
        super().__init__(problem)

    def __str__(self) -> str:
        parts = [self.problem]
        if self.given is not None:
            parts.append(f"given: {self.given}")
        if self.allowed is not None:
            parts.append(f"allowed: {self.allowed}")
        if self.advice:
            parts.append(self.advice)
        return visible("; ".join(parts))

    def __reduce__(self) -> tuple[object, ...]:
        state = {"given": self.given, "allowed": self.allowed, "advice": self.advice}
        return (type(self), (self.problem,), state)


class GridError(HeatpgError, ValueError):
    """An axis, a grid, or an array that does not fit its grid."""


class BoundaryError(HeatpgError, ValueError):
    """A boundary that is missing or does not fit."""


class SigmaError(HeatpgError, ValueError):
    """A noise level that is negative, not finite, empty, or of the wrong shape."""


class UnknownNameError(HeatpgError, ValueError):
    """A name that nothing is registered under."""


class UnsupportedError(HeatpgError, ValueError):
    """A combination that is understood but not offered, with the reason."""


class OptionError(HeatpgError, ValueError):
    """A value of the wrong type, out of range, or that fits no choice that is offered."""


class MissingPackageError(HeatpgError, ImportError, RuntimeError):
    """An optional package that is needed and not installed, or that cannot be imported."""


class StabilityError(HeatpgError, ValueError):
    """A time step beyond the stability limit of the scheme."""


class NonFiniteError(HeatpgError, RuntimeError):
    """NaN or infinity where numbers are needed."""


class CheckError(HeatpgError, RuntimeError):
    """A result that breaks a promise which its solver had made.

    Attributes
    ----------
    evolution
        The result with its report, so that nothing is lost.
    """

    evolution: object = None


class StoreError(HeatpgError, RuntimeError):
    """A file that cannot be written, or cannot be trusted when read."""

    @staticmethod
    def unreadable(path: object, reason: Exception) -> StoreError:
        """The error for a file that the system does not open or read: `MissingFileError` where it is not there."""
        kind = MissingFileError if isinstance(reason, FileNotFoundError) else StoreError
        return kind(f"cannot read {path}", given=getattr(reason, "strerror", None) or reason)


class MissingFileError(StoreError, FileNotFoundError):
    """A file that is to be read and is not there."""

    def __init__(self, problem: str, *, given: object = None, allowed: object = None, advice: str = "") -> None:
        super().__init__(problem, given=given, allowed=allowed, advice=advice)
        self.errno = errno.ENOENT


class ResourceError(HeatpgError, RuntimeError):
    """Not enough memory, disk or time for what was asked, found out beforehand."""


class RolloutError(HeatpgError, RuntimeError):
    """An exception of an environment or of a policy, with point, seed and step; its ``__cause__`` is that exception."""


class HeatpgWarning(UserWarning):
    """Something worth knowing that does not stop the work."""

    def __str__(self) -> str:
        # names and units in it may come from files
        return visible(super().__str__())
