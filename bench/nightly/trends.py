"""Each cell's fresh seeds, night by night, as one SVG. The same results give the same bytes."""

from __future__ import annotations

import statistics
from pathlib import Path

from bench.nightly.checking import Check
from bench.nightly.nights import night_of
from bench.report.figures import COLOURS, new_figure, save

COLUMNS = 3
PANEL = (4.2, 2.4)  # inches


def draw_trends(done: Check, path: Path) -> bool:
    """A panel for each cell and scenario that has fresh seeds; whether there was any."""
    panels = [(e, scenario, own) for e in done.evidence for scenario, own in e.scores.items() if own]
    if not panels:
        return False
    rows = -(-len(panels) // COLUMNS)
    figure = new_figure(COLUMNS * PANEL[0], rows * PANEL[1])
    grid = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for axes, (evidence, scenario, scores) in zip(grid, panels, strict=False):
        nights = sorted({night for seed in scores if (night := night_of(seed))})
        own = {n: [y for seed, y in sorted(scores.items()) if night_of(seed) == n] for n in nights}
        axes.plot(
            [n for n in nights for _ in own[n]], [y for n in nights for y in own[n]], ".", color="grey", alpha=0.5
        )
        axes.plot(nights, [statistics.fmean(own[n]) for n in nights], marker="o", markersize=3, color=COLOURS[0])
        for reference, colour, dashes in ((done.accepted, COLOURS[1], "-"), (done.pinned, COLOURS[2], "--")):
            known = reference.cells.get(evidence.cell.key)
            values = [*known.scores.get(scenario, {}).values()] if known else []
            if values:
                axes.axhline(statistics.fmean(values), color=colour, linestyle=dashes, linewidth=1)
        where = "" if evidence.name.endswith(scenario) else f"\n{scenario}"
        axes.set_title(evidence.name + where, fontsize="small")
        axes.tick_params(labelsize="x-small")
        axes.tick_params(axis="x", rotation=30)
    for axes in [*grid][len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel("night; line: accepted baseline, dashed: pinned reference", fontsize="small")
    save(figure, path)
    return True
