"""A sweep in a table: one row per run, columns for the parameters and the result; as pandas, wandb and R write it."""

from __future__ import annotations

from pathlib import Path

from heatpg.errors import OptionError
from heatpg.formats import Format, Sampled, Wanted, formats
from heatpg.formats._points import in_every_word, in_words
from heatpg.formats._tables import gridded, header_of, table_of

_REPETITIONS = {"", "id", "index", "number", "rep", "repeat", "repetition", "replicate", "run", "seed", "trial"}


@formats.register("sweep")
class _Sweep(Format):
    """A sweep in a table, .csv or .tsv: a row per run, repeated rows are seeds; --variable and --axes name columns."""

    def takes(self, path: Path, head: bytes) -> bool:
        return len(header_of(head)) > 1

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        table = table_of(path)
        if not wanted.variable or not wanted.axes:
            result = wanted.variable or table.columns[-1] or "score"
            # a number of a repetition is no parameter, and stands first in most tables
            swept = [name for name in table.columns if name and name != result and name.lower() not in _REPETITIONS][:2]
            raise OptionError(
                f"{path.name} is a table, and does not say which columns are the axes and which the result",
                given=f"columns {in_words(table.columns)}",
                advice=f"name them: {in_every_word(variable=result, axes=swept)}",
            )
        return gridded(table, wanted)
