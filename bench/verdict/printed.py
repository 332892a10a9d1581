"""Printed value + our seeds -> verdict, by the rules of `stats.published`.

A derived value is judged once, as derived: a retention by the ratio of its two cells, an average over scenarios by each
seed's mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun, Values
from bench.stats import decisions
from bench.stats.decisions import Decision
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import Interval, mean_interval, ratio_interval
from bench.stats.published import Published, same_value
from bench.suite import Experiment, Mean, Place, Printed, Retained
from bench.verdict.about import About, about
from bench.verdict.codes import Verdict, undefined, with_decision, without_runs
from bench.verdict.looks import Planned
from bench.verdict.rules import fewest_episodes


def judge_printed(evidence: Evidence, value: Printed, planned: Planned | None = None) -> Verdict:
    """The verdict on one printed value. A dash prints no value and is never judged. planned: as in `judge_claim`."""
    planned = planned or Planned(evidence)
    experiment = evidence.suite["experiment", value.experiment]
    verdict = Verdict(
        id=value.id,
        kind="published",
        where=value.where,
        experiment=value.experiment,
        scenario=value.scenario,
        method=value.method,
        says=f"{value.metric.replace('_', ' ')} of {value.method} on {value.scenario} is {value.text}",
        printed=None if value.value is None else float(value.exact),
    )
    try:
        on = printed_about(evidence, experiment, value)
    except NotRun as missing:
        return without_runs(verdict, str(missing))
    question = planned.question(experiment, on)
    evidence = question.evidence
    verdict = replace(verdict, seeds=on.seeds(evidence), declared=question.declared, deviations=on.notes)
    verdict = replace(verdict, tags=question.tags, look=question.look, implementation=on.implementation)
    try:
        if too_early := question.undecided(on):
            verdict = with_decision(verdict, too_early)
        else:
            ours, decision = decide_printed(evidence, value, evidence.finals)
            verdict = with_decision(replace(verdict, ours=ours), decision)
    except NotRun as missing:
        verdict = without_runs(verdict, question.missing(str(missing)))
    except StatisticsError as why:
        verdict = undefined(verdict, why)
    return replace(verdict, reason="; ".join([verdict.reason, *evidence.losses(on.cells)]))


def _methods(evidence: Evidence, value: Printed) -> list[str]:
    """Whose final scores a value comes from: its own method's; for a retention the student's and the teacher's."""
    rule = evidence.suite["published", value.table].derived
    return [rule.student, rule.teacher] if isinstance(rule, Retained) else [value.method]


def printed_about(evidence: Evidence, experiment: Experiment, value: Printed) -> About:
    """What a value rests on. Raises NotRun."""
    if value.value is None:
        raise NotRun("the paper prints a dash")
    rule = evidence.suite["published", value.table].derived
    if isinstance(rule, Mean) and not evidence.suite.members(value.scenario):
        raise NotRun(rule.because or f"which scenarios {value.scenario} averages is not stated")
    quantities = [f"{method}:final" for method in _methods(evidence, value)]
    return about(evidence, experiment, quantities, [Place(value.scenario, value.group)], partial=False)


def decide_printed(evidence: Evidence, value: Printed, finals: Callable[..., Values]) -> tuple[Interval, Decision]:
    """Our own value with its 95% interval, and how it compares. finals: gives the scores, like `Evidence.finals`.

    Raises NotRun, StatisticsError.
    """
    experiment = evidence.suite["experiment", value.experiment]
    if value.protocol != "greedy":
        raise NotRun(f"the protocol {value.protocol} has no final score")
    methods = _methods(evidence, value)
    scores = [finals(experiment, m, value.scenario, value.group) for m in methods]
    margin = evidence.margin(experiment, value.margin, float(value.exact), value.scenario, value.group)
    if len(scores) == 2:
        both = scores[0].against(scores[1])
        episodes = fewest_episodes(*scores)
        decision = decisions.ratio(both.a, both.b, float(value.exact), margin, both.paired, episodes, evidence.asked)
        return ratio_interval(both.a, both.b, paired=both.paired), decision
    spread = float(value.spread) / value.share if value.spread is not None and value.spread_type == "std" else None
    found = same_value(scores[0].estimate, Published(float(value.exact), spread, value.seeds), margin, evidence.asked)
    remarks = (*found.tags, *(f"{name}: {outcome}" for name, outcome in found.sensitivity))
    decision = replace(found.decision, tags=remarks, compatible=found.compatible)
    return mean_interval(scores[0].estimate), decision
