"""A picture of 1200 x 630 to share: one claim and what became of it, or a suite's claims, headlines first.

On white, in whichever theme it is shown. Colour never stands alone: the word of a verdict stands beside it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench import __version__
from bench.output.escaping import visible
from bench.report.figures import COLOURS, new_figure
from bench.report.forest import Placed, placed
from bench.report.numbers import found, level_of, number, seeds_judged
from bench.report.words import in_readings, sentence
from bench.suite import Suite
from bench.verdict import Verdict, counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 8.0, 4.2  # inches, at figures.py's 150 dots an inch
INK, FAINT = "#1f2328", "#656d76"
MOST = 7  # claims that a suite's card has room for
WIDEST = 56  # letters of a heading
HUES = {"reproduced": COLOURS[0], "exceeds": COLOURS[0], "not_reproduced": COLOURS[1]}
OURS = "our re-implementation, not the authors' code"


def claim_card(suite: Suite, verdict: Verdict, command: str) -> Figure:
    """command: what prints this verdict again."""
    figure = _paper(suite, f"{verdict.where}, {verdict.experiment}")
    claim = textwrap.wrap(visible(verdict.says), WIDEST)[:3]
    for line, text in enumerate(claim):
        figure.text(0.05, 0.80 - 0.075 * line, text, fontsize=15, weight="bold", color=INK)
    top = 0.80 - 0.075 * len(claim)
    word = verdict.verdict.replace("_", " ")
    figure.text(0.05, top - 0.03, word, fontsize=15, weight="bold", color=_hue(verdict))
    for line, text in enumerate(textwrap.wrap(sentence(verdict, readings=False), 100)[:2]):
        figure.text(0.05, top - 0.09 - 0.048 * line, text, fontsize=9.5, color=INK)
    if verdict.found is not None and verdict.interval is not None:
        own = Placed(verdict.found or 0.0, *verdict.interval)
        _interval(figure.add_axes((0.08, 0.27, 0.84, 0.12)), [(own, _hue(verdict))], verdict.margin)
        facts = f"found, with {level_of(verdict)} interval: {found(verdict)}"
        if verdict.printed is not None:
            facts += f"; printed: {number(verdict.printed)}"
        if verdict.margin:
            facts += f"; grey: within the margin of {number(verdict.margin)}"
        figure.text(0.5, 0.41, facts, fontsize=9.5, color=INK, ha="center")
    readings = [in_readings(verdict)] if verdict.readings else []
    _foot(figure, ", ".join([f"{seeds_judged(verdict)} seeds", *readings, OURS]), command)
    return figure


def suite_card(suite: Suite, verdicts: Sequence[Verdict], command: str) -> Figure:
    """The headline claims first, those that were run, each with its interval in margins, so that they share an axis."""
    figure = _paper(suite, f"{suite.paper.authors.split(',')[0]} et al. {suite.paper.year}")
    for line, text in enumerate(textwrap.wrap(visible(suite.paper.title), WIDEST)[:2]):
        figure.text(0.05, 0.82 - 0.075 * line, text, fontsize=15, weight="bold", color=INK)
    known = ((v, placed(suite, v)) for v in sorted(verdicts, key=lambda v: not v.headline))
    shown = [(v, own) for v, own in known if own is not None][:MOST]
    if shown:
        axes = figure.add_axes((0.51, 0.29, 0.29, 0.39))
        _interval(axes, [(own, _hue(v)) for v, own in shown], 1.0)
        in_rows = {"fontsize": 7.5, "va": "center", "transform": axes.get_yaxis_transform()}  # x in shares of the axes
        for row, (verdict, _) in enumerate(shown):
            says = f"{verdict.experiment}: {verdict.says.partition(' (')[0]}"
            label = textwrap.shorten(visible(says), 64, placeholder=" ...")
            axes.text(-0.03, row, label, color=INK, ha="right", **in_rows)
            axes.text(1.03, row, verdict.verdict.replace("_", " "), color=_hue(verdict), **in_rows)
        axes.set_xlabel("found, with its interval, in margins; grey: within the margin", fontsize=7.5, color=FAINT)
    tally = ", ".join(f"{n} {word.replace('_', ' ')}" for word, n in counts(verdicts).items() if n)
    _foot(figure, f"{tally}; {OURS}", command)
    return figure


def _paper(suite: Suite, place: str) -> Figure:
    figure = new_figure(WIDTH, HEIGHT)
    figure.set_layout_engine("none")
    figure.text(0.05, 0.91, visible(f"{suite.id}  ·  {place}"), fontsize=10, color=FAINT)
    return figure


def _foot(figure: Figure, facts: str, command: str) -> None:
    lines = [*textwrap.wrap(facts, 110)[:2], visible(command)]
    for line, text in enumerate(reversed(lines)):
        family = "monospace" if line == 0 else "sans-serif"
        figure.text(0.05, 0.04 + 0.05 * line, text, fontsize=8.5, color=FAINT, family=family)
    figure.text(0.95, 0.91, f"marl-distill-bench {__version__}", fontsize=10, color=FAINT, ha="right")


def _interval(axes: Axes, rows: Sequence[tuple[Placed, str]], margin: float | None) -> None:
    """Rows of what was found with its interval, each in a colour; the band is the margin about 0."""
    for row, (own, hue) in enumerate(rows):
        axes.plot([own.low, own.high], [row, row], color=hue, linewidth=3, solid_capstyle="butt")
        axes.plot(own.at, row, "o", color=hue, markersize=7)
    if margin:
        axes.axvspan(-margin, margin, color="#d0d7de", alpha=0.5, linewidth=0)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.tick_params(labelsize=8, colors=FAINT)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)


def _hue(verdict: Verdict) -> str:
    return HUES.get(verdict.verdict, FAINT)
