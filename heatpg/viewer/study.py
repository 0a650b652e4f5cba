"""The page of a study for the browser: its answer, figures, sentences, table and checks in one HTML file."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from heatpg.plot import risk as draw_risk
from heatpg.plot import save
from heatpg.plot.study import study_about, study_panels, study_rows
from heatpg.plot.words import headline
from heatpg.studies import PRINTED_TOPICS, Study
from heatpg.tools import html
from heatpg.tools.calls import checked_call
from heatpg.tools.lines import typeset
from heatpg.tools.pages import own_text, page_head
from heatpg.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["study_page"]

_LEVELS = 32  # rows of the table; a taste: a page scrolls, so that it may be longer than a figure
_LONGEST = 4000  # bytes of one sentence


@checked_call()
def study_page(source: Study) -> str:
    """A study as one self-contained HTML page, whose words can be searched, copied and printed.

    It needs no network and runs no script.

    Parameters
    ----------
    source
        Result of `heatpg.study`; with `risk=` the page has the figure of the safest action, too.

    Returns
    -------
    text
        The page; write it as UTF-8.

    Raises
    ------
    OptionError
        For anything but a study.

    Examples
    --------
    >>> from heatpg import landscapes, study
    >>> from heatpg.viewer import study_page
    >>> text = study_page(study(landscapes.unequal_bumps(size=201), [0.1, 0.2, 0.4, 0.8, 1.6]))
    >>> "of the smoothed optimum covers" in text, "<script" in text
    (True, False)
    """
    numbers = "".join(
        f'<div><span class="quiet">{html.text(typeset(one.name))}</span><b>{html.text(one.typeset)}</b>'
        f'<span class="quiet">{html.text(typeset(one.detail))}</span></div>'
        for one in source.verdict.numbers
    )
    sentences = [
        (html.text(PRINTED_TOPICS.get(topic, topic)), html.text(typeset(sentence), _LONGEST))
        for topic, sentence in source.sentences.items()
    ]
    sentences += [("note", html.text(typeset(flag), _LONGEST)) for flag in source.space.flags]
    heads, rows = study_rows(source, _LEVELS)
    report = source.evolution.report
    figures = [study_panels(source), *([] if source.risk is None else [draw_risk(source.risk)])]
    title = html.text(headline(source.evolution, "its optimum under exploration noise"), 400)
    parts = {
        # lines and letters of the figures have styles of their own
        "HEAD": page_head(title, own_text("heatpg.viewer", "study.css"), "style-src 'unsafe-inline'"),
        "TITLE": title,
        "ABOUT": html.text(study_about(source), _LONGEST),
        "ANSWER": html.text(typeset(source.verdict.sentence), _LONGEST),
        "NUMBERS": numbers,
        "FIGURES": "".join(f"<figure>{_svg(figure)}</figure>" for figure in figures),
        "SENTENCES": html.table(("topic", "finding"), sentences),
        "TABLE": html.table(heads, [[html.text(cell) for cell in row] for row in rows]),
        "COLUMNS": html.text(
            " ".join(f"{typeset(line)}." for line in (*source.column_words, source.value_doubts) if line), _LONGEST
        ),
        "CHECKS": report._repr_html_() if len(report) else "<p>No checks were made.</p>",
        "FOOTER": f"heatpg {html.text(__version__)}",
    }
    # in one pass, so that a name with a mark in it stays a name
    return re.sub(r"@@([A-Z]+)@@", lambda found: parts[found[1]], own_text("heatpg.viewer", "study.html"))


def _svg(figure: Figure) -> str:
    """A figure as an element of a page, whose text stays text."""
    content = io.BytesIO()
    save(figure, content, format="svg")
    text = content.getvalue().decode("utf-8")
    # without what stands before the element in a file; the style of its lines belongs to it alone
    text = text[text.index("<svg") :].replace("*{stroke", "svg *{stroke")
    return re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
