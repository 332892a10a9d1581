"""Transfer metrics of Taylor & Stone (2009): a student against its experiment's baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun, Values
from bench.stats import transfer
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import Interval, difference_interval, paired_interval
from bench.stats.pairs import matched
from bench.suite import CurveMeasure, Experiment, FirstReach, Measure, Place, Suite


@dataclass(frozen=True)
class TransferMetric:
    """A student against the baseline. interval: of their difference or ratio, as `scale` says; None: undefined.

    bound: "at least" or "at most" if every seed of one side reached the threshold and none of the other; the ratio then
    only bounds the true one. read_off: the protocol of the scores, "training curve", "evaluation curve" or "final
    evaluation".
    """

    experiment: str
    scenario: str
    metric: str
    method: str
    baseline: str
    student_mean: float | None
    baseline_mean: float | None
    scale: Literal["difference", "ratio"]
    interval: Interval | None
    remark: str
    read_off: str
    bound: Literal["", "at least", "at most"] = ""


def transfer_metrics(evidence: Evidence, experiment: Experiment) -> list[TransferMetric]:
    """Jump start, time to threshold, asymptote and area of every method against the experiment's baseline.

    Only on the scenarios that it trains on: on others nobody learns from episode to episode.
    """
    named = evidence.suite.transfer
    if named is None or experiment.baseline is None:
        return []
    return [
        _metric(evidence, experiment, metric, measure, method, place)
        for method in experiment.methods
        if method != experiment.baseline and not evidence.suite.waits_for(experiment, method)
        for scenario in experiment.trained
        for place in experiment.places(scenario)
        for metric, measure in named
    ]


def _metric(
    evidence: Evidence, experiment: Experiment, metric: str, measure: str, method: str, place: Place
) -> TransferMetric:
    def values() -> list[Values]:
        return [evidence.values(experiment, f"{m}:{measure}", *place) for m in (method, experiment.baseline)]

    return transfer_metric(evidence, experiment, metric, method, place, values)


def transfer_metric(
    evidence: Evidence,
    experiment: Experiment,
    metric: str,
    method: str,
    place: Place,
    values: Callable[[], Sequence[Values]],
) -> TransferMetric:
    """One metric of a method against its experiment's baseline. values: takes both; it may raise NotRun."""
    baseline = experiment.baseline or ""
    scale: Literal["difference", "ratio"] = "ratio" if metric in ("time_to_threshold", "area") else "difference"
    read_off = _read_off(evidence.suite, metric)

    def row(means: tuple[float | None, float | None], interval: Interval | None, remark: str) -> TransferMetric:
        where = experiment.id, str(place), metric, method, baseline
        return TransferMetric(*where, *means, scale, interval, remark, read_off)

    try:
        ours, theirs = values()
    except (NotRun, StatisticsError) as reason:
        return row((None, None), None, str(reason))
    means, both = (ours.mean, theirs.mean), ours.against(theirs)
    if metric == "time_to_threshold":
        budget = evidence.budget(experiment, *place)
        interval = transfer.time_ratio(*_times(ours, theirs), budget, paired=both.paired)
        shares = f"reached by {ours.reached.mean():.0%} and {theirs.reached.mean():.0%} of seeds"
        found = row(means, interval, "; ".join(filter(None, (shares, interval.reason))))
        return replace(found, bound=_bound(ours, theirs))
    if metric == "area":
        anchors = evidence.suite["scenario", place.scenario].anchors
        if anchors is None:
            return row(means, None, "the scenario has no anchors")
        interval = transfer.area_ratio(both.a, both.b, anchors.random, paired=both.paired)
        return row(means, interval, interval.reason or f"above the random policy's {anchors.random:g}")
    interval = (paired_interval if both.paired else difference_interval)(both.a, both.b)
    return row(means, interval, interval.reason)


def _times(ours: Values, theirs: Values) -> tuple[transfer.Times, transfer.Times]:
    """Both sides' times, as they are compared."""
    both = ours.against(theirs)
    reached = matched(*(dict(zip(side.seeds, side.reached.tolist(), strict=True)) for side in (ours, theirs)))
    return transfer.Times(both.a, reached.a.astype(bool)), transfer.Times(both.b, reached.b.astype(bool))


def _read_off(suite: Suite, metric: str) -> str:
    measure: Measure = suite["measure", dict(suite.transfer or ())[metric]]
    return f"{measure.series} curve" if isinstance(measure, CurveMeasure | FirstReach) else "final evaluation"


def _bound(ours: Values, theirs: Values) -> Literal["", "at least", "at most"]:
    """How the ratio of restricted mean times bounds the true one, if all of one side's times are known and no other."""
    if theirs.reached.all() and not ours.reached.any():
        return "at least"
    return "at most" if ours.reached.all() and not theirs.reached.any() else ""
