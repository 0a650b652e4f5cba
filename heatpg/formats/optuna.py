"""Tables of trials of Optuna, as ``study.trials_dataframe().to_csv(path)`` writes them, also by RL Baselines3 Zoo.

A row is a trial, with ``value``, ``state`` and a column ``params_NAME`` for each parameter. Only a grid can be a
landscape: that of `optuna.samplers.GridSampler`. Trials that failed or were pruned do not count, and trials with the
same parameters are repetitions. Whether the value is maximised is known to the study alone, and not to its table.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from heatpg.errors import OptionError
from heatpg.formats import Format, Sampled, Wanted, formats
from heatpg.formats._points import in_every_word, in_words
from heatpg.formats._tables import gridded, header_of, table_of

_PARAMETER = "params_"
_VALUE = "value"


@formats.register("optuna")
class _Optuna(Format):
    """Tables of trials of Optuna, of its GridSampler: number, value, params_..., state."""

    specific = True

    def takes(self, path: Path, head: bytes) -> bool:
        names = header_of(head)
        return "number" in names and any(name.startswith(_PARAMETER) for name in names) and "state" in names

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        table = table_of(path)
        results = [name for name in table.columns if name == _VALUE or name.startswith((f"{_VALUE}_", f"{_VALUE}s_"))]
        if not wanted.variable and len(results) != 1:
            example = results[0] if results else _VALUE
            raise OptionError(
                f"{path.name} has {len(results)} objectives",
                given=in_words(results),
                advice=f"select one: {in_every_word(variable=example)}",
            )
        swept = [name for name in table.columns if name.startswith(_PARAMETER)]
        # names may be given as the study has them
        axes = tuple(self._column(name, table.columns) for name in wanted.axes) or tuple(swept)
        state = table.place("state", "state of the trials")
        keep = np.array([len(row) > state and row[state].strip() == "COMPLETE" for _, row in table.rows])
        if not keep.any():
            raise OptionError(f"{path.name} has no complete trial", advice="run the study and write it again")
        found = gridded(
            table, dataclasses.replace(wanted, variable=wanted.variable or results[0], axes=axes), keep=keep
        )
        named = tuple(dataclasses.replace(axis, name=axis.name.replace(_PARAMETER, "")) for axis in found.axes)
        return dataclasses.replace(found, axes=named, undecided=True)

    @staticmethod
    def _column(name: str, columns: list[str]) -> str:
        bare = name[name.find("(") + 1 :].removesuffix(")")
        full = f"{_PARAMETER}{bare}"
        return name if bare in columns or full not in columns else name.replace(bare, full)
