"""A sweep in a table: one row per run, columns for the parameters and the result; as pandas, wandb and R write it."""

from __future__ import annotations

from pathlib import Path

from heatpg.errors import OptionError
from heatpg.formats import Format, Sampled, Wanted, formats
from heatpg.formats._points import in_every_word, in_words
from heatpg.formats._tables import gridded, header_of, is_repetition, table_of


def _is_name(entry: str) -> bool:
    """Whether an entry of the first line is a name, and no number of a table without names."""
    try:
        float(entry)
    except ValueError:
        return entry != ""
    return False


@formats.register("sweep")
class _Sweep(Format):
    """A sweep in a table, .csv or .tsv: a row per run, repeated rows are seeds; --variable and --axes name columns."""

    def takes(self, path: Path, head: bytes) -> bool:
        return len(header_of(head)) > 1

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        table = table_of(path)
        if not any(map(_is_name, table.columns)):
            raise OptionError(
                f"{path.name} has no column names in its first line",
                given=f"{in_words(table.columns, 3)}",
                advice="for a matrix: Landscape.from_array(np.loadtxt(path, delimiter=','), boundary=...) in Python, "
                "or np.save it and use the .npy file; for a sweep: write the column names in the first line",
            )
        if not wanted.variable or not wanted.axes:
            result = wanted.variable or table.columns[-1] or "score"
            # a number of a repetition is no parameter, and stands first in most tables
            swept = [name for name in table.columns if name and name != result and not is_repetition(name)][:2]
            if not swept:
                raise OptionError(
                    f"{path.name} has no column that can be an axis",
                    given=f"columns {in_words(table.columns)}",
                    allowed="a column per parameter, and one for the result",
                    advice="write the parameters of each run into its row",
                )
            raise OptionError(
                f"{path.name} is a table; select the columns of the axes and of the result",
                given=f"columns {in_words(table.columns)}",
                advice=f"select them: {in_every_word(variable=result, axes=swept)}",
            )
        return gridded(table, wanted)
