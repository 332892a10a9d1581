"""Printed value + our seeds -> verdict, by the rules of `stats.published`.

A derived value is judged once, as derived: a retention by the ratio of its two cells.
"""

from __future__ import annotations

from dataclasses import replace

from bench.measures import Evidence, NotRun
from bench.plan import Cell
from bench.stats import decisions
from bench.stats.decisions import Decision
from bench.stats.estimates import StatisticsError
from bench.stats.published import Published, same_value
from bench.suite import Experiment, Printed, Retained
from bench.verdict.codes import Verdict, code_of, with_decision


def judge_printed(evidence: Evidence, value: Printed) -> Verdict:
    """The verdict on one printed value. A dash, which prints nothing, is never judged."""
    suite = evidence.suite
    experiment = suite["experiment", value.experiment]
    verdict = Verdict(
        id=value.id,
        kind="published",
        where=value.where,
        experiment=value.experiment,
        scenario=value.scenario,
        method=value.method,
        says=f"{value.metric} of {value.method} on {value.scenario} is {value.text}",
        printed=None if value.value is None else float(value.exact),
    )
    try:
        cells = _cells(evidence, experiment, value)
    except NotRun as missing:
        return replace(verdict, reason=str(missing))
    seeds = min(len(evidence.finished(cell)) for cell in cells)
    notes = tuple(dict.fromkeys(note for cell in cells for note in cell.notes))
    verdict = replace(verdict, seeds=seeds, deviations=notes)
    try:
        verdict = with_decision(verdict, _decide(evidence, experiment, value, cells))
    except NotRun as missing:
        verdict = replace(verdict, reason=str(missing))
    except StatisticsError as undefined:
        verdict = replace(verdict, verdict=code_of("undecided", notes), reason=f"undefined: {undefined}")
    return replace(verdict, reason="; ".join([verdict.reason, *evidence.losses(cells)]))


def _cells(evidence: Evidence, experiment: Experiment, value: Printed) -> list[Cell]:
    """The cells that a value comes from: its own; for a retention the student's and the teacher's. Raises NotRun."""
    suite = evidence.suite
    if value.value is None:
        raise NotRun("the paper prints a dash")
    rule = suite["published", value.table].derived
    if value.derived and not isinstance(rule, Retained):
        raise NotRun("averages over scenarios are not taken from runs yet")
    methods = [rule.student, rule.teacher] if isinstance(rule, Retained) else [value.method]
    homes = [suite.place(f"{m}:final", experiment)[:2] for m in methods]
    group = suite["published", value.table].group
    return [
        evidence.cell(suite["experiment", id_], method, value.scenario, group if id_ == experiment.id else None)
        for id_, method in homes
    ]


def _decide(evidence: Evidence, experiment: Experiment, value: Printed, cells: list[Cell]) -> Decision:
    if value.protocol != "greedy":
        raise NotRun(f"the protocol {value.protocol} has no final score")
    scores = [evidence.final_scores(cell, value.scenario) for cell in cells]
    margin = evidence.margin(experiment, value.margin, float(value.exact), value.scenario)
    if value.derived:
        return decisions.ratio(scores[0], scores[1], float(value.exact), margin)
    spread = float(value.spread) / value.share if value.spread is not None and value.spread_type == "std" else None
    found = same_value(scores[0], Published(float(value.exact), spread, value.seeds), margin)
    remarks = [*found.tags, *(f"{name}: {outcome}" for name, outcome in found.sensitivity)]
    if found.compatible is not None:
        remarks.append("compatible" if found.compatible else "not compatible")
    return replace(found.decision, reason="; ".join([found.decision.reason, *remarks]))
