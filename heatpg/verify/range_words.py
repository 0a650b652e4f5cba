"""What the check of the range says where nothing is wrong."""

from __future__ import annotations

from heatpg.core.walls import wall_values
from heatpg.evolution import Evolution
from heatpg.tools.numbers import number_words

__all__ = ["range_kept", "words_on_walls"]

_BEYOND = 0.01  # of the range of the cells: what walls may add without a word (taste)


def range_kept(open_box: bool) -> str:
    """What the check of the range has found where nothing is wrong.

    Parameters
    ----------
    open_box
        Whether noise leaves the box: its values need then be bounded by those of Q alone, because the field of the
        sigma before is not known outside of it.
    """
    if open_box:
        return (
            "u stays within the range of Q at every sigma (compared with Q only: in free space, values outside "
            "the box are not stored)"
        )
    return "the supremum does not rise and the infimum does not fall with sigma"


def words_on_walls(evolution: Evolution) -> str:
    """How far the values on walls between cells go beyond those of the cells, and where they are from; or nothing.

    Parameters
    ----------
    evolution
        What was checked.
    """
    landscape = evolution.landscape
    values, faces = landscape.values, landscape.stated_faces
    walls = [(float(value.min()), float(value.max())) for value in wall_values(values, evolution.grid, faces)]
    if not walls:
        return ""
    least, largest = float(values.min()), float(values.max())
    low, high = min(least, *(low for low, _ in walls)), max(largest, *(high for _, high in walls))
    if max(least - low, high - largest) <= _BEYOND * (largest - least):
        return ""
    source = "stated" if faces is not None else "extrapolated from the four cells next to them"
    ends = [number_words(end, low, high) for end in (low, high, least, largest)]
    advice = (
        "" if faces is not None else "; for rough data state them with faces=, or sample on the walls: nodes='vertex'"
    )
    return (
        f"; with the values on the walls, {source}, the range is {ends[0]} to {ends[1]}, and that of the nodes alone "
        f"{ends[2]} to {ends[3]}{advice}"
    )
