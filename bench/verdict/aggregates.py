"""Several scenarios as one number: the aggregates of Agarwal et al. (2021), as rliable 1.2.0 defines them. No verdicts.

Axes: S seed, T task. A score is normalised by its scenario's anchors, (x - random) / (good - random): 0 is the random
policy and 1 the good script. A task is a scenario, or a scenario in one training set if several are scored on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun, Values
from bench.stats.aggregates import IQM, optimality_gap
from bench.stats.bootstrap import improvement_intervals, stratified_intervals
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import Interval, aggregate_interval, mean_interval
from bench.suite import Experiment, Place
from bench.verdict.about import about
from bench.verdict.codes import forbids

Floats = NDArray[np.float64]
ALL_PAIRS = 12  # up to so many methods, each is compared with each other; of more, only with the baseline
TOGETHER = 10  # methods resampled on the same draws by one process
RESAMPLING = 0  # seed of each bootstrap: the same results give the same report


@dataclass(frozen=True)
class Aggregate:
    """A method over several tasks, with 95% intervals.

    better_than: the probability of improvement on each other method, or, with more than `ALL_PAIRS` methods, only on
    the baseline. The IQM's interval is rliable's own, of n draws: with few tasks, n - 1 draws trim another share of the
    scores than the estimate does (3 of 12 instead of 3 of 15), and the interval may then miss the estimate. The other
    intervals have n - 1 draws. forbidden: the tasks where a deviation forbids a verdict against the paper.
    """

    experiment: str
    method: str
    tasks: tuple[str, ...]
    seeds: int
    mean: Interval
    iqm: Interval
    optimality_gap: Interval
    better_than: tuple[tuple[str, Interval], ...]
    forbidden: tuple[str, ...]


@dataclass(frozen=True)
class Resampled:
    """The intervals of a method that need a bootstrap."""

    iqm: Interval
    optimality_gap: Interval
    better_than: tuple[tuple[str, Interval], ...]


def aggregates(evidence: Evidence, experiment: Experiment) -> list[Aggregate]:
    """Every method of an experiment, and those its tables compare with, over the tasks that all of them have run.

    Nothing if these are fewer than two.
    """
    return begin(evidence, experiment, None)()


def begin(evidence: Evidence, experiment: Experiment, pool: Executor | None) -> Callable[[], list[Aggregate]]:
    """`aggregates`, resampled in other processes if there is a pool; the function that is returned waits for them."""
    printed = (v.method for v in evidence.suite.printed_in(experiment.id))
    methods = tuple(dict.fromkeys((*experiment.methods, *printed)))
    places = [place for s in experiment.scenarios for place in experiment.places(s)]
    found = {m: own for m in methods if (own := _finals(evidence, experiment, m, places))}
    tasks = [place for place in places if found and all(place in own for own in found.values())]
    if len(tasks) < 2:
        return list
    scores = {m: _normalised(evidence, own, tasks) for m, own in found.items()}
    scores = {m: array for m, array in scores.items() if len(array)}
    compared = scores if len(scores) <= ALL_PAIRS else {experiment.baseline: scores.get(experiment.baseline or "")}
    against = {m: array for m, array in compared.items() if m is not None and array is not None}
    parts = _parts(scores)
    drawn = [pool.submit(_resampled, part, against).result for part in parts] if pool else None

    def finish() -> list[Aggregate]:
        answers = [wait() for wait in drawn] if drawn else [_resampled(part, against) for part in parts]
        by_method = {method: own for part in answers for method, own in part.items()}
        return [_aggregate(evidence, experiment, m, tasks, found[m], scores[m], by_method[m]) for m in scores]

    return finish


def _parts(scores: Mapping[str, Floats]) -> list[dict[str, Floats]]:
    """Methods that are resampled together: with as many seeds, and few enough for processes to share the work."""
    parts: list[dict[str, Floats]] = []
    for seeds in sorted({len(array) for array in scores.values()}):
        alike = [(m, array) for m, array in scores.items() if len(array) == seeds]
        parts += [dict(alike[i : i + TOGETHER]) for i in range(0, len(alike), TOGETHER)]
    return parts


def _resampled(part: Mapping[str, Floats], against: Mapping[str, Floats]) -> dict[str, Resampled]:
    """The resampled intervals of each method of a part, with the same draws for all."""
    own = list(part.values())
    iqms = stratified_intervals(own, IQM, np.random.default_rng(RESAMPLING), draws="n")
    gaps = stratified_intervals(own, optimality_gap(), np.random.default_rng(RESAMPLING))
    better = {o: improvement_intervals(own, array, np.random.default_rng(RESAMPLING)) for o, array in against.items()}
    return {
        m: Resampled(iqms[k], gaps[k], tuple((other, found[k]) for other, found in better.items() if other != m))
        for k, m in enumerate(part)
    }


def _finals(evidence: Evidence, experiment: Experiment, method: str, places: Sequence[Place]) -> dict[Place, Values]:
    """A method's final scores, wherever it has run and there is a scale."""
    own: dict[Place, Values] = {}
    for place in (p for p in places if evidence.suite["scenario", p.scenario].anchors is not None):
        try:
            own[place] = evidence.finals(experiment, method, *place)
        except (NotRun, StatisticsError):
            continue
    return own


def _normalised(evidence: Evidence, own: Mapping[Place, Values], tasks: Sequence[Place]) -> Floats:
    """Normalised scores [S, T], of the seeds that finished every task."""
    columns = [dict(zip(own[task].seeds, own[task].values, strict=True)) for task in tasks]
    seeds = [seed for seed in columns[0] if all(seed in column for column in columns)]
    anchors = [evidence.suite["scenario", task.scenario].anchors for task in tasks]
    random, good = (np.array([getattr(a, name) for a in anchors]) for name in ("random", "good"))
    rows = np.array([[column[seed] for column in columns] for seed in seeds]).reshape(len(seeds), len(tasks))
    return (rows - random) / (good - random)


def _aggregate(
    evidence: Evidence,
    experiment: Experiment,
    method: str,
    tasks: Sequence[Place],
    own: Mapping[Place, Values],
    scores: Floats,
    drawn: Resampled,
) -> Aggregate:
    together = all(own[task].same_runs(own[tasks[0]]) for task in tasks)
    notes = {t: about(evidence, experiment, [f"{method}:final"], [t], partial=True).notes for t in tasks}
    return Aggregate(
        experiment=experiment.id,
        method=method,
        tasks=tuple(map(str, tasks)),
        seeds=len(scores),
        mean=mean_interval(scores.mean(axis=1)) if together else aggregate_interval(list(scores.T)),
        iqm=drawn.iqm,
        optimality_gap=drawn.optimality_gap,
        better_than=drawn.better_than,
        forbidden=tuple(str(task) for task in tasks if forbids(notes[task])),
    )
