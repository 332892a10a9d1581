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
    "it is what is printed, within {m}",
    "it is off what is printed by more than {m}",
    "it is neither shown to be what is printed nor off it by more than {m}",
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
        "they are apart by more than {m}",
        "they are neither shown to be the same within {m} nor apart by more",
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
    "ordering": "Is the mean of what should be greater above the other mean? Decided where the 90% interval omits 0.",
    "mean_ordering": "Is the mean over the one set above that over the other? Decided where the 90% interval omits 0.",
    "clearly": "Is the one better by more than the margin? Decided where the 90% interval is on one side of it.",
    "not_greater": "Is the one better by the margin or more? Decided where the 90% interval is on one side of it.",
    "equivalence": "Are they the same within the margin? Decided where the 90% interval is inside it, or outside.",
    "between": "Does the mean lie between the bounds? Decided where the 90% interval is inside them, or outside.",
}
AGAINST_A_NUMBER = (
    "Is it what the paper says, within the margin? Decided where the 90% interval is inside them, or outside."
)


def sentence(v: Verdict, readings: bool = True) -> str:
    """Why the word of a verdict is what it is, without a statistic; readings: and in how many of them a claim holds."""
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
    """What becomes of a claim in its readings, without a figure, and what that is not."""
    turns = f"; what turns it: {listed_shortly(v.turned)}" if v.turned else ""
    told = f"{v.says} ({v.experiment}): {in_readings(v)}{turns}"
    return f"{told}; readings share seeds and runs, so this is no probability"


def _sentence(v: Verdict) -> str:
    if v.verdict == "not_comparable":
        because = ", ".join(dict.fromkeys(n.class_ for n in v.deviations if n.class_ in FORBIDDING))
        shown = DIRECTIONS[v.direction] if v.ran else f"not run: {_shortly(v.reason.partition('not run: ')[2])}"
        if because == "reading":
            return f"no verdict, for this is not the primary reading; {shown}"
        return f"no verdict, for the runs differ from the paper ({because}); {shown}"
    if v.verdict in ("not_run", "undefined"):
        return _shortly(v.reason.removeprefix("undefined: "))
    if v.verdict == "also_untrained":
        who = "the random script" if v.placebo is not None and v.placebo.untrained != "yes" else "an untrained team"
        return f"it holds, and a team that has learned nothing passes as well ({who})"
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
    return f"{first}; and more of the kind" if others else first


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
    """Of its test, an ordering by the margin apart from one by any difference."""
    return "clearly" if v.clearly else v.kind


def tagged(v: Verdict) -> str:
    """The reason with the tags behind it, for programs that know of no tags."""
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
        yield "compatible", f"seeds like ours {could} have given what is printed (95% prediction interval)"
    if v.tags:
        yield "tags", ", ".join(v.tags)
    yield "code", IMPLEMENTATIONS[v.implementation]


def _look(v: Verdict) -> str:
    """Where a claim stands in its looks, and what they are judged at."""
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
        yield f"  {'beside it:':<13} {classes(v)}"


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
