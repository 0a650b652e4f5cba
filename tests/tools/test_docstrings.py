"""Sections that several docstrings share: in the order of numpydoc, and none twice."""

from __future__ import annotations

from heatpg.tools.docstrings import completed


def test_sections_come_in_the_order_of_numpydoc() -> None:
    @completed(parameters="grid\n    Where.", returns="landscape\n    What.", raises=r"OptionError: \\1 is kept")
    def family(size: int) -> None:
        """One.

        Parameters
        ----------
        size
            How many.

        References
        ----------
        Somebody.
        """

    lines = (family.__doc__ or "").splitlines()
    titles = [lines[number - 1] for number, line in enumerate(lines) if line and set(line) == {"-"}]
    assert titles == ["Parameters", "Returns", "Raises", "References"]
    assert lines[4:8] == ["grid", "    Where.", "size", "    How many."]
    assert r"OptionError: \\1 is kept" in lines


def test_a_section_of_its_own_stays() -> None:
    @completed(returns="landscape\n    What.", raises="OptionError\n    Always.")
    def family() -> None:
        """One.

        Returns
        -------
        number
            Something else.
        """

    text = family.__doc__ or ""
    assert text.count("Returns") == 1
    assert "Something else" in text
    assert text.endswith("Something else.\n\nRaises\n------\nOptionError\n    Always.\n")


def test_nothing_to_complete() -> None:
    @completed(raises="OptionError\n    Always.")
    def family() -> None:
        pass

    assert family.__doc__ == "\n\nRaises\n------\nOptionError\n    Always.\n"
