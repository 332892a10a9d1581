"""Several scenarios as one number: the aggregates of Agarwal et al. (2021), as rliable 1.2.0 defines them. No verdicts.

Axes: S seed, T task. A score is normalised by its scenario's anchors, (x - random) / (good - random): 0 is the random
policy and 1 the good script. A task is a scenario, or a scenario in one training set where several are scored on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.measures import Evidence, NotRun, Values
from bench.stats.aggregates import IQM, optimality_gap
from bench.stats.bootstrap import improvement_interval, stratified_interval
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import Interval, aggregate_interval, mean_interval
from bench.suite import Experiment, Place
from bench.verdict.about import about
from bench.verdict.codes import forbids

Floats = NDArray[np.float64]
ALL_PAIRS = 12  # methods of which each is compared with each other; of more, with the experiment's baseline
THREADS = 2  # numpy draws and sorts outside Python's lock; each method has a generator of its own
RESAMPLING = 0  # seed of each bootstrap: the same results give the same report


@dataclass(frozen=True)
class Aggregate:
    """A method over several tasks, with 95% intervals. better_than: probability of improvement on each other method, of
    more than `ALL_PAIRS` methods on the baseline alone.

    The IQM's interval is rliable's own, of n draws: n - 1 draws of few tasks trim another share of the scores than the
    estimate does (3 of 12 for 3 of 15), and the interval may then leave it out. The others' have n - 1 draws.
    forbidden: the tasks where a deviation forbids a verdict against the paper.
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


def aggregates(evidence: Evidence, experiment: Experiment) -> list[Aggregate]:
    """Every method of an experiment, and those its tables compare with, over the tasks that all of them have run.

    Nothing where these are fewer than two.
    """
    printed = (v.method for v in evidence.suite.printed_in(experiment.id))
    methods = tuple(dict.fromkeys((*experiment.methods, *printed)))
    places = [place for s in experiment.scenarios for place in experiment.places(s)]
    found = {m: own for m in methods if (own := _finals(evidence, experiment, m, places))}
    tasks = [place for place in places if found and all(place in own for own in found.values())]
    if len(tasks) < 2:
        return []
    scores = {m: _normalised(evidence, own, tasks) for m, own in found.items()}
    scores = {m: array for m, array in scores.items() if len(array)}
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda m: _aggregate(evidence, experiment, m, tasks, found[m], scores), scores))


def _finals(evidence: Evidence, experiment: Experiment, method: str, places: Sequence[Place]) -> dict[Place, Values]:
    """What a method came to, wherever it has run and there is a scale."""
    own: dict[Place, Values] = {}
    for place in (p for p in places if evidence.suite["scenario", p.scenario].anchors is not None):
        try:
            own[place] = evidence.finals(experiment, method, *place)
        except (NotRun, StatisticsError):
            continue
    return own


def _normalised(evidence: Evidence, own: Mapping[Place, Values], tasks: Sequence[Place]) -> Floats:
    """[S, T], of the seeds that finished every task."""
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
    scores: Mapping[str, Floats],
) -> Aggregate:
    ours = scores[method]
    together = all(own[task].same_runs(own[tasks[0]]) for task in tasks)
    compared = [m for m in scores if len(scores) <= ALL_PAIRS or m == experiment.baseline]
    others = [other for other in compared if other != method]
    notes = {t: about(evidence, experiment, [f"{method}:final"], [t], partial=True).notes for t in tasks}
    return Aggregate(
        experiment=experiment.id,
        method=method,
        tasks=tuple(map(str, tasks)),
        seeds=len(ours),
        mean=mean_interval(ours.mean(axis=1)) if together else aggregate_interval(list(ours.T)),
        iqm=stratified_interval(ours, IQM, np.random.default_rng(RESAMPLING), draws="n"),
        optimality_gap=stratified_interval(ours, optimality_gap(), np.random.default_rng(RESAMPLING)),
        better_than=tuple(
            (other, improvement_interval(ours, scores[other], np.random.default_rng(RESAMPLING))) for other in others
        ),
        forbidden=tuple(str(task) for task in tasks if forbids(notes[task])),
    )
