"""A verdict in one plain sentence, and in full, for a reader who is no statistician."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from bench.report.numbers import classes, correlation, found, interval, level_of, number, seeds_judged, typical_seed
from bench.stats.rates import unseen
from bench.suite import PRIMARY
from bench.verdict import FORBIDDING, Code, Implementation, Under, Verdict

DIRECTIONS = {
    "same_direction": "the runs point the claimed way",
    "opposite_direction": "the runs point the other way",
    "undecided": "the runs show neither direction",
}
ANSWERED = {"yes": "holds", "no": "does not hold", "undecided": "undecided", "undefined": "undefined"}
ANSWERS = {"yes": "passes", "no": "fails", "undecided": "is undecided"}
# By the test's kind: what holds, what is refuted, what stays open.
ORDER = ("the order is shown", "the reverse is shown", "neither order is shown")
PRINTED = (
    "it agrees with the printed value within {m}",
    "it differs from the printed value by more than {m}",
    "it is shown neither to agree with the printed value within {m} nor to differ by more",
)
PRIMARILY = {
    "yes": "it holds",
    "no": "it fails",
    "undecided": "it is open",
    "undefined": "it is undefined",
    None: "not run",
}
SAYS: dict[str, tuple[str, str, str]] = {
    "ordering": ORDER,
    "mean_ordering": ORDER,
    "clearly": (
        "an advantage above {m} is shown",
        "an advantage of {m} or more is excluded",
        "an advantage of {m} is neither shown nor excluded",
    ),
    "not_greater": (
        "an advantage of {m} or more is excluded",
        "an advantage above {m} is shown",
        "an advantage of {m} is neither shown nor excluded",
    ),
    "equivalence": (
        "they are the same within {m}",
        "they differ by more than {m}",
        "they are shown neither to be the same within {m} nor to differ by more",
    ),
    "between": ("it lies between the bounds", "it lies outside the bounds", "it is shown neither inside nor outside"),
}
IMPLEMENTATIONS: dict[Implementation, str] = {
    "ours": "ours, a re-implementation, not the authors' code",
    "guest": "guest, a method from elsewhere that was run here",
    "imported": "imported, made elsewhere and not run here",
}
PLACE: dict[Code, int] = {"reproduced": 0, "exceeds": 0, "not_reproduced": 1, "inconclusive": 2}
MEANS = {
    "ordering": "Is the mean that should be greater above the other mean? Decided if the 90% interval omits 0.",
    "mean_ordering": "Is the mean over one set above the mean over the other? Decided if the 90% interval omits 0.",
    "clearly": "Is the one better by more than the margin? Decided if the 90% interval is on one side of it.",
    "not_greater": "Is the one better by the margin or more? Decided if the 90% interval is on one side of it.",
    "equivalence": "Are they the same within the margin? Decided if the 90% interval is inside it, or outside.",
    "between": "Does the mean lie between the bounds? Decided if the 90% interval is inside them, or outside.",
}
AGAINST_A_NUMBER = (
    "Is it the paper's number, within the margin? Decided if the 90% interval is inside the margin, or outside."
)


def sentence(v: Verdict, readings: bool = True) -> str:
    """The reason for a verdict, without a statistic. readings: and in how many of them the claim holds."""
    return f"{_sentence(v)}; {in_readings(v)}" if v.readings and readings else _sentence(v)


def in_readings(v: Verdict) -> str:
    """In how many of the readings that were run a claim holds."""
    holds, run = v.holds_in or (0, 0)
    waiting = len(v.readings) - run
    lacking = f", {waiting} not run" if waiting else ""
    if not run:
        return f"{waiting} readings, none run"
    return f"holds in {holds} of {run} reading{'s'[: run - 1]}{lacking}"


def across_readings(v: Verdict) -> str:
    """How a claim fares in its readings, in words; and that this is no probability."""
    turns = f"; it turns with {listed_shortly(v.turned)}" if v.turned else ""
    told = f"{v.says} ({v.experiment}): {in_readings(v)}{turns}"
    return f"{told}; readings share seeds and runs, so this is no probability"


def _sentence(v: Verdict) -> str:
    if v.verdict == "not_comparable":
        because = ", ".join(dict.fromkeys(n.class_ for n in v.deviations if n.class_ in FORBIDDING))
        shown = DIRECTIONS[v.direction] if v.ran else f"not run: {_shortly(v.reason.partition('not run: ')[2])}"
        if because == "reading":
            return f"no verdict, because this is not the primary reading; {shown}"
        return f"no verdict, because the runs differ from the paper ({because}); {shown}"
    if v.verdict in ("not_run", "undefined"):
        return _shortly(v.reason.removeprefix("undefined: "))
    if v.verdict == "also_untrained":
        who = "the random script" if v.placebo is not None and v.placebo.untrained != "yes" else "an untrained team"
        return f"it holds, but a team that has learned nothing passes as well ({who})"
    if v.verdict == "depends_on_reading" and v.turned:
        return f"{PRIMARILY[v.readings[0].outcome]} in the primary reading; it turns with {listed_shortly(v.turned)}"
    if v.verdict == "depends_on_reading":
        return "the answer depends on how the paper's spread is read"
    margin = "the margin" if v.margin is None else f"the margin of {number(v.margin)}"
    says = SAYS.get(_kind(v), PRINTED)[PLACE[v.verdict]].format(m=margin)
    seeds = f"; {v.seeds_to_decide} seeds would decide" if v.seeds_to_decide else ""
    if v.look is not None:
        if not v.look.number:
            return v.reason
        open_ = v.verdict == "inconclusive" and v.look.next
        seeds = f"; {v.look}" + (f", the next at {v.look.next}" if open_ else "")
    return f"{'computed, without a run: ' if v.computed else ''}{says}{seeds}"


def _shortly(reason: str) -> str:
    first, *others = reason.split("; ")
    return f"{first}; and others like it" if others else first


def listed_shortly(names: Sequence[str]) -> str:
    """The first three names, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def readings_lines(v: Verdict) -> Iterator[str]:
    """A claim under each of its readings, a line each."""
    if v.readings:
        yield f"{v.id}: {across_readings(v)}"
    for one in v.readings:
        outcome = ANSWERED[one.outcome] if one.outcome else f"not run: {one.reason}"
        yield f"  {one.reading} ({one.kind}): {outcome}{_estimate(one)}; {one.says}"


def _estimate(one: Under) -> str:
    return "" if one.estimate is None else f", {number(one.estimate)}{interval(one.low, one.high)}"


def _kind(v: Verdict) -> str:
    """The kind of its test. An ordering by the margin is a kind apart from one by any difference."""
    return "clearly" if v.clearly else v.kind


def tagged(v: Verdict) -> str:
    """The reason followed by the tags, for programs that know no tags."""
    return "; ".join([v.reason, *v.tags])


def details(v: Verdict) -> str:
    """All that stands beside a verdict, in one line."""
    return "; ".join(text for _, text in facts(v))


def facts(v: Verdict) -> Iterator[tuple[str, str]]:
    """What a verdict rests on, by name."""
    if not v.ran or v.verdict == "undefined":
        yield "reason", v.reason
        return
    yield "rests on", v.reason
    if v.margin is not None:
        yield "margin", f"margin {number(v.margin)}"
    if v.paired:
        yield "pairs", f"compared seed by seed{correlation(v.r)}"
    if v.p is not None and v.p_against is not None:
        yield "p", f"p = {v.p:.2g} for it, {v.p_against:.2g} against it"
    if v.look is not None:
        yield "look", _look(v)
    if v.typical is not None:
        yield "typical seed", f"the one is better on {typical_seed(v.typical)} of seeds"
    if v.placebo is not None:
        stand_ins = (("untrained team", v.placebo.untrained), ("random script", v.placebo.random))
        yield "placebo", ", ".join(f"{who} {ANSWERS[outcome]}" for who, outcome in stand_ins if outcome)
    if v.p is not None and not v.computed and v.seeds:
        yield "unseen", f"{v.seeds} seeds cannot exclude a mode of up to {unseen(v.seeds):.0%} of seeds"
    if v.compatible is not None:
        could = "could" if v.compatible else "could hardly"
        yield "compatible", f"seeds like ours {could} have given the printed value (95% prediction interval)"
    if v.tags:
        yield "tags", ", ".join(v.tags)
    yield "code", IMPLEMENTATIONS[v.implementation]


def _look(v: Verdict) -> str:
    """Where a claim stands in its looks, and the level that they are judged at."""
    look = v.look
    assert look is not None
    here = f"{look}" if look.number else f"before the first of {look.of} looks, at {look.next} seeds"
    further = f"; the next at {look.next}" if look.number and look.next else ""
    level = f"one-sided {look.nominal:.2%}, for at most 5% over all"
    return f"{here}{further}; each is judged at {level}, with {look.asked.level:.1%} intervals"


def in_long(v: Verdict) -> Iterator[str]:
    """What a verdict rests on, line by line."""
    yield f"{v.says} ({v.where}; {v.experiment}, {v.scenario}): {v.verdict}"
    for name, text in facts(v):
        yield f"  {name + ':':<13} {text.removeprefix('margin ')}"
    if v.deviations:
        yield f"  {'deviations:':<13} {classes(v)}"


def in_full(v: Verdict, suite: str, profile: str, reading: str, results: str) -> Iterator[str]:
    """One claim or printed value explained, line by line. suite: its name, or the path of its file."""
    yield v.says
    yield f"  place:      {v.where}; judged in {v.experiment}, on {v.scenario}"
    yield f"  question:   {MEANS.get(_kind(v), AGAINST_A_NUMBER).replace('90%', level_of(v))}"
    yield f"  verdict:    {v.verdict}: {sentence(v)}"
    if v.found is not None:
        yield f"  found:      {found(v)}, {'no run' if v.computed else f'{seeds_judged(v)} seeds'}"
    for name, text in facts(v):
        yield f"  {name + ':':<11} {text.removeprefix('margin ')}"
    for line in readings_lines(v):
        yield f"  {line}"
    for note in v.deviations:
        yield f"  {note.class_ + ':':<11} {note.says}"
    other = () if reading == PRIMARY else ("--reading", reading)
    chosen = shlex.join([suite, "--profile", profile, *other, "--only", v.experiment, "--results", results])
    yield f"  rerun:      bench run {chosen} && bench check {chosen}"
