"""A picture of 1200 x 630 to share: one claim with its verdict, or a suite's claims, headlines first.

It is white in every theme. Colour never stands alone: the word of a verdict stands beside it.
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
    """command: the one that prints this verdict."""
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
    """The claims that were run, headlines first. Intervals are in margins, so all claims share an axis."""
    figure = _paper(suite, f"{suite.paper.authors.split(',')[0]} et al. {suite.paper.year}")
    _heading(figure, suite.paper.title)
    known = ((v, placed(suite, v)) for v in sorted(verdicts, key=lambda v: not v.headline))
    _claims(figure, [(v.experiment, v, own) for v, own in known if own is not None])
    _foot(figure, f"{_tally(verdicts)}; {OURS}", command)
    return figure


def papers_card(shown: Sequence[tuple[Suite, Verdict, Placed]], verdicts: Sequence[Verdict], command: str) -> Figure:
    """Claims of several papers. shown: in their order; verdicts: on all claims, to be counted."""
    figure = _blank("knowledge distillation in multi-agent reinforcement learning")
    _heading(figure, "Does the published result hold when it is run again, and how sure are we?")
    _claims(figure, [(suite.id, v, own) for suite, v, own in shown])
    _foot(figure, f"{_tally(verdicts)}; {OURS}", command)
    return figure


def _heading(figure: Figure, title: str) -> None:
    for line, text in enumerate(textwrap.wrap(visible(title), WIDEST)[:2]):
        figure.text(0.05, 0.82 - 0.075 * line, text, fontsize=15, weight="bold", color=INK)


def _claims(figure: Figure, shown: Sequence[tuple[str, Verdict, Placed]]) -> None:
    """As many claims as there is room for, each after its suite or experiment."""
    shown = shown[:MOST]
    if not shown:
        return
    axes = figure.add_axes((0.51, 0.29, 0.29, 0.39))
    _interval(axes, [(own, _hue(v)) for _, v, own in shown], 1.0)
    in_rows = {"fontsize": 7.5, "va": "center", "transform": axes.get_yaxis_transform()}  # x in shares of the axes
    for row, (where, verdict, _) in enumerate(shown):
        label = textwrap.shorten(visible(f"{where}: {verdict.says.partition(' (')[0]}"), 64, placeholder=" ...")
        axes.text(-0.03, row, label, color=INK, ha="right", **in_rows)
        axes.text(1.03, row, verdict.verdict.replace("_", " "), color=_hue(verdict), **in_rows)
    axes.set_xlabel("found, with its interval, in margins; grey: within the margin", fontsize=7.5, color=FAINT)


def _tally(verdicts: Sequence[Verdict]) -> str:
    return ", ".join(f"{n} {word.replace('_', ' ')}" for word, n in counts(verdicts).items() if n)


def _paper(suite: Suite, place: str) -> Figure:
    return _blank(f"{suite.id}  ·  {place}")


def _blank(top: str) -> Figure:
    figure = new_figure(WIDTH, HEIGHT)
    figure.set_layout_engine("none")
    figure.text(0.05, 0.91, visible(top), fontsize=10, color=FAINT)
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
