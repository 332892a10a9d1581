"""Reruns the simulations and writes docs/statistics.md.

python -m tests.coverage [--quick] [--to FILE]
"""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.stats.estimates import ERROR
from tests.conftest import ROOT
from tests.coverage import intervals, looks, nights, pairs, rates, verdicts
from tests.coverage.intervals import SEEDS, Size
from tests.coverage.shapes import GAP, LOW_SHARE, RARE_FALL, RARE_SHARE, STEADY, TAILS

DOCUMENT = ROOT / "docs" / "statistics.md"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (columns, ["---"] * len(columns), *rows)]


def wrapped(line: str) -> str:
    """Prose at 120 characters; tables and headings stay."""
    return line if line.startswith(("|", "#")) else "\n".join(textwrap.fill(one, 120) for one in line.split("\n"))


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def by_seeds(shares: dict[int, float], bold: Sequence[int] = ()) -> list[str]:
    return [f"**{percent(shares[n])}**" if n in bold else percent(shares[n]) for n in SEEDS]


def coverage_section(rows: Sequence[intervals.Row], size: Size) -> list[str]:
    def part(judged: bool) -> list[str]:
        lines = [
            [row.method, row.shape, "yes" if row.holds else "no", *by_seeds(row.covered, row.misses())]
            for row in rows
            if row.judged == judged
        ]
        return table(["interval", "scores", "assumptions hold", *(f"n = {n}" for n in SEEDS)], lines)

    asked = [row for row in rows if row.judged and row.holds]
    missed = [f"{row.method} ({row.shape}, n = {n})" for row in asked for n in row.misses()]
    return [
        "## What 95% intervals cover",
        "",
        "Percent of samples whose interval contains the true value. The intervals that verdicts use must reach 93 to "
        "97 wherever their assumptions hold and n is 5 or more, apart from three Monte-Carlo standard errors; n = 3 is "
        "shown too. Bold: outside of that range, at n of 5 or more, whether required or not.",
        "",
        f"Required and missed: {'; '.join(missed) or 'none'} (of {len(asked) * (len(SEEDS) - 1)} cells).",
        "",
        f"Samples: {size.many:,} for t intervals ({size.many // 10:,} for 25 tasks), {size.each:,} for Fieller's, "
        f"PRR, times and shared teachers, {size.bootstrapped:,} of {size.resamples:,} resamples each for bootstraps.",
        "",
        "### Intervals that verdicts use",
        "",
        *part(judged=True),
        "",
        "### For comparison, or for the eye only",
        "",
        *part(judged=False),
    ]


def worst(rows: Sequence[verdicts.Row]) -> dict[int, float]:
    return {n: max(row.wrong[n] for row in rows) for n in SEEDS}


def summary(rows: Sequence[verdicts.Row]) -> list[str]:
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        for shape in dict.fromkeys(row.shape for row in rows):
            own = [row for row in rows if (row.kind, row.shape) == (kind, shape)]
            edge = next(k.edge for k in verdicts.KINDS if k.name == kind)
            away = worst([row for row in own if row.difference != edge])
            over = [n for n in SEEDS if any(n in row.fails() for row in own)]
            lines.append([kind, shape, *by_seeds(worst(own), over), *by_seeds(away)])
    columns = ["verdict", "scores", *(f"n = {n}" for n in SEEDS), *(f"off the edge, n = {n}" for n in SEEDS)]
    return table(columns, lines)


def failures(rows: Sequence[verdicts.Row], stress: bool) -> str:
    found = [
        f"{row.kind}, {row.shape}, difference {row.difference:g}: "
        + ", ".join(f"{percent(row.wrong[n])} at n = {n}" for n in row.fails())
        for row in rows
        if row.stress == stress and row.fails()
    ]
    return "\n".join(f"- {line}" for line in found) or "- none"


def verdict_section(rows: Sequence[verdicts.Row], together: Sequence[verdicts.Family], repetitions: int) -> list[str]:
    asked = sum(len(SEEDS) for row in rows if not row.stress)
    every = [
        [row.kind, row.shape, f"{row.difference:g}"]
        + [f"{percent(row.yes[n])} / {percent(row.no[n])} / {percent(1 - row.yes[n] - row.no[n])}" for n in SEEDS]
        for row in rows
    ]
    groups = [[one.name, one.shape, *by_seeds(one.wrong), *by_seeds(one.found)] for one in together]
    return [
        "## How often verdicts are wrong",
        "",
        f"Percent of {repetitions:,} samples. The scores' standard deviation is .1 (unless another is named) and the "
        f"margin .1. Printed values come from a paper with {verdicts.PAPER} seeds (unless another number is named) of "
        "the better side's distribution, and n is the number of our seeds. The true difference .1 lies on the margin's "
        "edge, where `reproduced` and `not_reproduced` are both wrong; for orderings 0 does. Required: at most 5% "
        "wrong in any setting, apart from four Monte-Carlo standard errors. These are over 5% by that measure:",
        "",
        failures(rows, stress=False),
        "",
        f"(of {asked} settings). The following are not required: differences that come from more collapsed seeds, or "
        "from shapes that differ between the sides. These are over 5%:",
        "",
        failures(rows, stress=True),
        "",
        "### Greatest share of wrong verdicts over all true differences",
        "",
        "Bold: over 5%. The last columns exclude the margin's edge.",
        "",
        *summary(rows),
        "",
        "### Several at once",
        "",
        "Orderings. Half of them or more have no true difference, the others one of .3. Wrong: for headline claims the "
        "chance of any wrong answer, for a table the expected share of wrong answers. Found: share of the true "
        "differences.",
        "",
        *table(["family", "scores", *(f"wrong, n = {n}" for n in SEEDS), *(f"found, n = {n}" for n in SEEDS)], groups),
        "",
        "### Every setting",
        "",
        "`reproduced` / `not_reproduced` / `inconclusive`.",
        "",
        *table(["verdict", "scores", "difference", *(f"n = {n}" for n in SEEDS)], every),
    ]


def pair_section(rows: Sequence[pairs.Row], repetitions: int) -> list[str]:
    lines = [
        [row.sides, row.shared, f"{row.correlation:g}", *by_seeds(row.rule), *by_seeds(row.independent)] for row in rows
    ]
    bare = (f"as independent, n = {n}" for n in SEEDS)
    columns = ["sides", "seeds shared", "r", *(f"n = {n}" for n in SEEDS), *bare]
    return [
        "## Pairs",
        "",
        f"Orderings of two equal means, percent wrong of {repetitions:,} samples, the greater of both directions. "
        "The normal numbers behind the scores of one seed have the correlation r. The rule: pairs of the shared seeds "
        "alone; fewer than three decide nothing. *As independent*: Welch's test on all seeds, which is not used. "
        "Required of all but the last sides: at most 5%. Over it: "
        f"{len(too_often(rows, repetitions))} of {sum(row.asked for row in rows)} rows.",
        "",
        *table(columns, lines),
    ]


def ratio_section(rows: Sequence[pairs.Row], repetitions: int) -> list[str]:
    lines = [[row.sides, f"{row.correlation:g}", *by_seeds(row.rule), *by_seeds(row.independent)] for row in rows]
    bare = (f"as independent, n = {n}" for n in SEEDS)
    return [
        "### Ratios of pairs",
        "",
        "A retention printed as 1, seed by seed, its true value on the tolerance's lower edge: percent wrong of "
        f"{repetitions:,} samples, the greater of both directions. Over 5%, apart from four Monte-Carlo standard "
        "errors: "
        f"{'; '.join(f'{row.sides}, r = {row.correlation:g}' for row in too_often(rows, repetitions)) or 'none'}.",
        "",
        *table(["sides", "r", *(f"n = {n}" for n in SEEDS), *bare], lines),
    ]


def too_often(rows: Sequence[pairs.Row], repetitions: int) -> list[pairs.Row]:
    """Rows with more than 5% wrong where at most 5% is required, apart from four Monte-Carlo standard errors."""
    room = ERROR + verdicts.ROOM * math.sqrt(ERROR * (1 - ERROR) / repetitions)
    return [row for row in rows if row.asked and max(row.rule.values()) > room]


def rate_section(rows: Sequence[rates.Row], repetitions: int) -> list[str]:
    lines = [[row.question, row.seeds, *by_seeds(row.rule), *by_seeds(row.bare)] for row in rows]
    columns = ["question", "seeds", *(f"n = {n}" for n in SEEDS), *(f"bare, n = {n}" for n in SEEDS)]
    return [
        "## Success rates",
        "",
        f"Percent wrong of {repetitions:,} samples, the greater of both directions, on the edge of the question. "
        f"Each seed is scored over {rates.EPISODES} episodes. The rule considers episodes, and seeds that may yet "
        "collapse. *Bare*: t tests on the seeds, where equal scores decide with p = 0; it is not used.",
        "",
        *table(columns, lines),
    ]


def typical_section(rows: Sequence[rates.Row], repetitions: int) -> list[str]:
    lines = [[row.question, row.seeds, *by_seeds(row.rule)] for row in rows]
    return [
        "## The typical seed",
        "",
        "Percent wrong answers of the typical seed if each side's seed is equally often the better one, of "
        f"{repetitions:,} samples, the greater of both directions. Required: at most 5%, whatever the shapes.",
        "",
        *table(["samples", "scores", *(f"n = {n}" for n in SEEDS)], lines),
    ]


def look_section(repetitions: int) -> list[str]:
    peeked, rows = looks.peeking(repetitions), looks.declared_looks(repetitions)
    over = [row for row in rows if row.over(repetitions)]
    peeks = [[one.samples, str(one.seeds), percent(one.one_more), percent(one.followed)] for one in peeked]
    told = [[r.question, r.scores, percent(r.yes), percent(r.no), f"{r.seeds:.1f}"] for r in rows]
    heads = [
        [str(c.claims), f"{c.constant:.5f}", percent(c.divided), percent(c.naive)] for c in looks.headlines(repetitions)
    ]
    return [
        "## Seeds added until decided",
        "",
        "Peeking: an ordering of two equal means, normal seeds, one-sided 5% each time. If it is open, the seeds that "
        "would decide are trained and it is judged again. *One more*: percent wrong after one more look, the greater "
        f"of both directions. *Followed*: percent wrong in either direction with repeated looks up to {looks.CAP} "
        f"seeds. {repetitions:,} samples.",
        "",
        *table(["samples", "seeds at first", "one more", "followed"], peeks),
        "",
        f"Declared looks at {', '.join(map(str, looks.LOOKS))} seeds a side, each judged at Pocock's constant for 5% "
        f"over all, {looks.nominal_level(looks.LOOKS):.5f}; the first answer stands. Where both answers are wrong, "
        "each must be at most 5%, apart from four Monte-Carlo standard errors. Over it: "
        f"{'; '.join(f'{row.question}, {row.scores}' for row in over) or 'none'} "
        f"(of {sum(row.asked for row in rows)} rows).",
        "",
        *table(["question", "scores", "yes, %", "no, %", "seeds on average"], told),
        "",
        "Several headline claims, orderings of equal means, judged at the same looks: chance that any is called "
        "reproduced. *Constant*: Pocock's at the level that Holm's correction leaves, which is used. *Divided*: his "
        "constant for one claim, divided; it is not used.",
        "",
        *table(["claims", "constant", "wrong, %", "divided, %"], heads),
    ]


def night_section(histories: int) -> list[str]:
    rates = nights.false_alarms(histories)
    over = [r for r in rates if r.bound > nights.ASKED]
    columns = ["cells", "seeds a night", "accepted", "pinned"]
    told = [[*_setting(r.setting), r.shape, f"{100 * r.rate:.2f}", f"{100 * r.bound:.2f}"] for r in rates]
    sizes = (3, 5, nights.WINDOW)
    shifts = [
        [*_setting(s), *(_shift(nights.smallest_shift(s, n, nights.SAMPLES)) for n in sizes)] for s in nights.SETTINGS
    ]
    drifts = [[f"{d.step:g}", d.against, percent(d.seen), f"{d.nights:g}"] for d in nights.drifts(histories)]
    return [
        "## Nightly checks",
        "",
        "The rule is that of [nightly](nightly.md): the latest "
        f"{nights.WINDOW} fresh seeds of every cell against the accepted and the pinned reference, exact rank-sum "
        f"tests that share {percent(nights.FALSE_ALARM)}% a night. Required: at most {percent(nights.ASKED)}% of clean "
        "nights raise an alarm, by the upper 95% bound. Over it: "
        f"{len(over)} of {len(rates)} settings. Each row: {rates[0].nights:,} clean nights, {nights.NIGHTS} of each "
        "history, starting with the first after the references. The bound assumes that histories are independent, not "
        "nights.",
        "",
        *table([*columns, "scores", "false alarms, %", "upper bound, %"], told),
        "",
        "The smallest shift of one cell's mean that is detected with 80% power, in standard deviations of a seed, if "
        "this number of latest seeds have it; normal seeds, against the accepted reference. A dash: so few seeds "
        "cannot reach the level.",
        "",
        *table([*columns, *(f"{n} seeds" for n in sizes)], shifts),
        "",
        "Slow drift: one of "
        f"{nights.SETTINGS[1].cells} cells loses this many standard deviations a night for 60 nights, and the baseline "
        "is accepted anew every 6. Seen: percent of histories; nights: the median until its first alarm, 60 for none.",
        "",
        *table(["drift a night", "against", "seen", "nights"], drifts),
    ]


def _setting(setting: nights.Setting) -> list[str]:
    return [str(n) for n in (setting.cells, setting.seeds, setting.accepted, setting.pinned)]


def _shift(shift: float | None) -> str:
    return "-" if shift is None else f"{shift:.1f}"


def document(size: Size, repetitions: int, histories: int) -> str:
    """docs/statistics.md from new simulations."""
    rows = verdicts.error_rates(repetitions)
    lines = [
        "# Coverage and error rates",
        "",
        "Written by `tox run -e coverage`, seeded; do not edit. [Verdicts](verdicts.md) explains the verdicts; the "
        "simulations are in [tests/coverage](../tests/coverage).",
        "",
        "Scores: *normal*; *bounded, skewed*, a beta distribution against the ceiling of 1 (skewness -1); "
        f"*bimodal*, {percent(LOW_SHARE)[:-2]}% of seeds {GAP:g} lower than the rest, which then lie close "
        "together; *heavy tails*, Student's t with "
        f"{TAILS:g} degrees of freedom; *rare collapses*, {100 * RARE_SHARE:.0f}% of seeds {RARE_FALL:g} lower; *long "
        "left tail*, a reversed lognormal of sigma 1. *Against steady*: the other side is normal with a standard "
        f"deviation of {STEADY:g}. n seeds often show one mode only, and no method can tell from them that there is "
        "another: t intervals assume that this does not happen. Times to a threshold are *lognormal*.",
        "",
        *coverage_section(intervals.coverage(size), size),
        "",
        *verdict_section(rows, verdicts.families(repetitions), repetitions),
        "",
        *pair_section(pairs.pair_rates(repetitions), repetitions),
        "",
        *ratio_section(pairs.ratio_rates(repetitions), repetitions),
        "",
        *rate_section(rates.rate_errors(size.each // 2), size.each // 2),
        "",
        *typical_section(rates.typical_errors(size.each // 2), size.each // 2),
        "",
        *look_section(repetitions),
        "",
        *night_section(histories),
        "",
    ]
    return "\n".join(wrapped(line) for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions: seconds, and rough figures")
    parser.add_argument("--to", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    full = intervals.FULL, verdicts.FULL, nights.FULL
    options.to.write_text(document(*((intervals.QUICK, verdicts.QUICK, nights.QUICK) if options.quick else full)))


if __name__ == "__main__":
    main()
