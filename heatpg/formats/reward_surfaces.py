"""Tables of reward-surfaces (Sullivan et al., Cliff Diving: Exploring Reward Surfaces in Reinforcement Learning, 2022).

A plane is a ``results.csv`` with a row for each pair of offsets along two directions, ``dim0`` and ``dim1``. The two
names stand twice in its first line: the first pair is the offset in units of the directions, the second counts steps.
``episode_rewards`` is the mean return. ``episode_std_rewards`` is the deviation of the return *divided by the length*
of each episode, and the number of episodes is not in the file, so that no standard error can be told from it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from heatpg.errors import OptionError
from heatpg.formats import Format, Sampled, Wanted, formats
from heatpg.formats._tables import gridded, header_of, table_of

_AXES = ("dim0", "dim1")
_USUAL = "episode_rewards"
_MINIMISED = ("episode_td_err", "step_td_err")  # the only columns of which less is better


@formats.register("reward-surfaces")
class _RewardSurfaces(Format):
    """Tables of reward-surfaces (Sullivan et al. 2022): results.csv with dim0, dim1, episode_rewards."""

    specific = True

    def takes(self, path: Path, head: bytes) -> bool:
        names = header_of(head)
        return "dim0" in names and any(name.startswith(("episode_", "step_")) for name in names)

    def read(self, path: Path, wanted: Wanted) -> Sampled:
        table = table_of(path)
        # of a name that stands twice the first one counts, as is said at the top of this file
        once = [name if name not in table.columns[:i] else "" for i, name in enumerate(table.columns)]
        table = dataclasses.replace(table, columns=once)
        if wanted.standard_error in ("episode_std_rewards", "episode_std_avg_len"):
            raise OptionError(
                f"{wanted.standard_error} of {path.name} is not a standard error of the mean return",
                given="a standard deviation over episodes; the number of episodes is not in the file",
                advice="omit it, or write a column with standard errors and select that",
            )
        # a line has one direction
        axes = wanted.axes or tuple(name for name in _AXES if name in table.columns)
        variable = wanted.variable or _USUAL
        found = gridded(table, dataclasses.replace(wanted, variable=variable, axes=axes))
        return dataclasses.replace(found, minimise=variable in _MINIMISED)
