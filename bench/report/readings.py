"""The readings of a suite in its report: which claims are robust, each claim's specification curve, the readings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.output.escaping import markdown
from bench.report.specification import files, specifications, stem_of
from bench.report.tables import table
from bench.report.words import across_readings
from bench.suite import Suite
from bench.verdict import Verdict

ROBUST = {
    "yes": "Claims that hold in every reading that was run",
    "no": "Claims that fail in every reading that was run",
}
LEGEND = (
    "Above: estimates with their 90% intervals, sorted; dotted: the claim's edge; grey: the primary reading. Below: a "
    "dot where a reading makes a choice, no dot where it agrees with the primary reading."
)


def reading_sections(suite: Suite, verdicts: Sequence[Verdict], folder: Path) -> Iterator[str]:
    """Nothing if no claim has another reading. folder: the report's."""
    if not any(v.readings for v in verdicts):
        return
    yield ""
    yield "## Readings"
    for answer, words in ROBUST.items():
        if names := [f"{v.id} ({v.experiment})" for v in verdicts if v.robust == answer]:
            yield ""
            yield f"{words}, at least two: {markdown(', '.join(names))}."
    figures = specifications(suite.id, verdicts)
    if figures:
        yield ""
        yield LEGEND
    for v in verdicts:
        if (v.id, v.experiment) in figures:
            svg, png = files(stem_of(folder, v.id, v.experiment))
            yield ""
            yield f"{markdown(across_readings(v))}."
            yield ""
            yield f"![{markdown(v.id)} ({markdown(v.experiment)}) in its readings]({svg.name})"
            yield ""
            yield f"[PNG]({png.name})"
    yield ""
    yield from table(
        ("reading", "kind", "how many", "what"), ((r.id, r.kind, str(r.count), r.says) for r in suite.reading)
    )
