"""Seeds that do not exist yet: drawn around the numbers of pilots, printed numbers, or claims.

From pilots: the normal distribution with their means, spreads and correlations. From printed means and spreads: each
method by itself, around a true mean that differs from the printed one as the mean of the paper's few seeds does. From
neither: the paper is taken at its word (`Claimed`), on the scale of the anchors, with an assumed spread.

Axes: P pilot seed, S imagined seed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from bench.evidence.measures import FINAL, Evidence
from bench.evidence.values import NotRun, Values
from bench.stats.estimates import MINIMUM_SEEDS
from bench.suite import (
    BOUNDED,
    Between,
    Change,
    Claim,
    Difference,
    Experiment,
    Final,
    FirstReach,
    MeanOrdering,
    Ordering,
    Place,
    PolicySize,
    Printed,
    Ratio,
    Retained,
    Suite,
    TimeOfBest,
    Untrained,
    Value,
    Window,
    number,
    quantities,
    split,
)

Floats = NDArray[np.float64]
ASSUMED = 0.1  # ours: the standard deviation of a seed as a share of the scale, as wide as the usual margin
LEAD = 0.1  # ours: an ordering's lead as a share of the scale, if its claim declares no margin
PAPERS = 3  # ours: the seeds of a paper that does not state how many
BASIS = f"seeds that differ by {ASSUMED:.0%} of the scale (assumed)"
Make = Callable[[int, np.random.Generator, "dict[str, None]"], "Draw"]


class Draw:
    """Imagined seeds of everything that is asked for. They are the same throughout, so they correlate as pilots do."""

    def __init__(self, pilots: Evidence, seeds: int, rng: np.random.Generator, basis: dict[str, None]):
        """basis: what was drawn from is added to it."""
        self._pilots, self._seeds, self._most, self._rng, self._basis = pilots, seeds, seeds, rng, basis
        self._parts: dict[object, Floats] = {}  # by pilot seed, or by printed value: a standard normal [S]
        self._off: dict[object, float] = {}  # by printed value: how far the truth is from it, a standard normal

    def first(self, seeds: int) -> Draw:
        """The first of the same seeds."""
        fewer = copy.copy(self)
        fewer._seeds = seeds
        return fewer

    def values(self, experiment: Experiment, quantity: str, scenario: str, group: str | None = None) -> Values:
        """Like `Evidence.values`. Raises NotRun, StatisticsError."""
        suite = self._pilots.suite
        measure = suite["measure", split(quantity)[2]]
        try:
            pilot = self._pilots.values(experiment, quantity, scenario, group)
        except NotRun:
            if not isinstance(measure, Final):
                raise
            home, method, _ = suite.place(quantity, experiment)
            return self._printed(suite["experiment", home], method, scenario, group if home == experiment.id else None)
        drawn = self._like(pilot)
        if isinstance(measure, FirstReach):
            budget = self._pilots.budget(experiment, scenario, group)
            drawn = replace(drawn, values=drawn.values.clip(0, budget), reached=drawn.values < budget)
        return drawn

    def finals(self, experiment: Experiment, method: str, scenario: str, group: str | None = None) -> Values:
        """Like `Evidence.finals`. Raises NotRun, StatisticsError."""
        try:
            return self._like(self._pilots.finals(experiment, method, scenario, group))
        except NotRun:
            return self._printed(experiment, method, scenario, group)

    def _like(self, pilot: Values) -> Values:
        """Seeds with the pilot's mean and spread, and with its correlations to everything else that is drawn."""
        seeds, count = tuple(range(self._seeds)), len(pilot.seeds)
        if pilot.exact:
            self._basis["computed"] = None
            return replace(pilot, seeds=seeds, values=np.full(len(seeds), pilot.mean), reached=_all(seeds))
        if count < MINIMUM_SEEDS:
            raise NotRun(f"{count} pilot seeds are too few, {MINIMUM_SEEDS} are needed")
        self._basis[f"{count} pilot seeds"] = None
        parts = np.stack([self._normal(seed) for seed in pilot.seeds])  # [P, S]
        values = pilot.mean + (pilot.values - pilot.mean) @ parts / np.sqrt(count - 1)
        return replace(pilot, seeds=seeds, values=_won(values, pilot.episodes), reached=_all(seeds))

    def _printed(self, experiment: Experiment, method: str, scenario: str, group: str | None) -> Values:
        """Seeds around what the paper prints, for this method by itself. Raises NotRun without a printed spread."""
        value = printed(self._pilots.suite, experiment, method, scenario, group)
        if value is None or value.spread_type != "std":
            raise NotRun(f"no pilot of {method} on {scenario} in {experiment.id}, and the paper prints no spread of it")
        self._basis["the paper's means and spreads"] = None
        spread = float(value.spread or 0) / value.share
        return self._around(float(value.exact), spread, value.seeds, (experiment.id, method, scenario, group))

    def _around(self, mean: float, spread: float, papers: int | None, of: object) -> Values:
        """Seeds whose true mean is as far from the printed mean as the mean of the paper's few seeds may be."""
        if of not in self._off:
            self._off[of] = float(self._rng.standard_normal())
        true = mean + self._off[of] * spread / np.sqrt(papers or PAPERS)
        seeds = tuple(range(self._seeds))
        return Values(seeds, true + spread * self._normal(of), _all(seeds), ())

    def _normal(self, of: object) -> Floats:
        if of not in self._parts:
            self._parts[of] = self._rng.standard_normal(self._most)
        return self._parts[of][: self._seeds]


@dataclass(frozen=True)
class Scale:
    """A measure's scale in a place: a usual value, the width of the whole scale, and the bounds of all values."""

    usual: float
    width: float
    least: float = -np.inf
    most: float = np.inf


class Claimed(Draw):
    """Seeds of a paper that is right, each method by itself: its printed numbers and its claims are the truth.

    An ordering has its margin as lead, or twice its margin if it is claimed to lead by the margin. Sides claimed as not
    greater, or about the same, are the same. A number that the text states is met.
    """

    def __init__(
        self,
        pilots: Evidence,
        seeds: int,
        rng: np.random.Generator,
        basis: dict[str, None],
        claim: Claim | None = None,
        home: Experiment | None = None,
    ):
        """claim: None for a printed value. home: the experiment that the claim is about."""
        super().__init__(pilots, seeds, rng, basis)
        self._claim, self._home = claim, home

    def values(self, experiment: Experiment, quantity: str, scenario: str, group: str | None = None) -> Values:
        suite, place = self._pilots.suite, Place(scenario, group)
        measure = suite["measure", split(quantity)[2]]
        if isinstance(measure, PolicySize):
            return self._like(self._pilots.values(experiment, quantity, scenario, group))
        if self._prints_all(place):
            return self.finals(*self._score(quantity, place))
        cells = tuple(cell for cell, _ in self._pilots.parts(experiment, quantity, place))
        scale = self._scale(experiment, measure, place)
        level = self._level(quantity, place, scale)
        self._basis[f"what is claimed, {BASIS}"] = None
        seeds = tuple(range(self._seeds))
        values = level + ASSUMED * scale.width * self._normal((quantity, scenario, group))
        values = values.clip(scale.least, scale.most)
        if isinstance(measure, FirstReach):
            return Values(seeds, values, values < scale.most, cells)
        episodes = self._pilots.rate_episodes(scenario, cells) if isinstance(measure, Final) else None
        return Values(seeds, _won(values, episodes), _all(seeds), cells, episodes)

    def finals(self, experiment: Experiment, method: str, scenario: str, group: str | None = None) -> Values:
        suite, place = self._pilots.suite, Place(scenario, group)
        value = printed(suite, experiment, method, scenario, group)
        if value is None:
            raise NotRun(f"the paper prints no score of {method} on {scenario} in {experiment.id}")
        cells = tuple(cell for cell, _ in self._pilots.parts(experiment, f"{method}:final", place))
        scale = self._scale(experiment, FINAL, place)
        self._basis[f"what is printed, {BASIS}"] = None
        drawn = self._around(float(value.exact), ASSUMED * scale.width, value.seeds, (method, scenario, group))
        episodes = self._pilots.rate_episodes(scenario, cells)
        values = _won(drawn.values.clip(scale.least, scale.most), episodes)
        return replace(drawn, values=values, cells=cells, episodes=episodes)

    def _score(self, quantity: str, place: Place) -> tuple[Experiment, str, str, str | None]:
        """Which method's score a quantity is, and where."""
        assert self._home is not None
        home, method, _ = self._pilots.suite.place(quantity, self._home)
        group = place.group if home == self._home.id else None
        return self._pilots.suite["experiment", home], method, place.scenario, group

    def _prints_all(self, place: Place) -> bool:
        """Whether the claim is about final scores alone, and the paper prints all of them in a place."""
        assert self._claim is not None
        suite, asked = self._pilots.suite, [*quantities(self._claim.test)]
        finals = all(isinstance(suite["measure", split(q)[2]], Final) for q in asked)
        return finals and all(printed(suite, *self._score(q, place)) for q in asked)

    def _scale(self, experiment: Experiment, measure: object, place: Place) -> Scale:
        """Raises NotRun if there is none."""
        suite = self._pilots.suite
        if isinstance(measure, FirstReach | TimeOfBest):
            budget = float(self._pilots.budget(experiment, *place))
            return Scale(budget / 2, budget, 0.0, budget)
        losses = not isinstance(measure, Final) and getattr(measure, "series", "").startswith("loss/")
        if losses or not isinstance(measure, Final | Window | Untrained):
            raise NotRun("losses, fluctuations and the like have no scale to imagine them on")
        scenarios = [suite["scenario", id_] for id_ in suite.members(place.scenario)]
        if {s.metric for s in scenarios} <= {*BOUNDED}:
            return Scale(0.5, 1.0, 0.0, 1.0)
        width = suite.scale(place.scenario)
        if width is None:
            raise NotRun(f"{place} has no anchors")
        usual = [
            s.pilot.trained if s.pilot else (s.anchors.good + s.anchors.no_information) / 2
            for s in scenarios
            if s.anchors
        ]
        return Scale(fmean(usual), width)

    def _level(self, quantity: str, place: Place, scale: Scale) -> float:
        """The true mean of a quantity if the claim is true."""
        assert self._claim is not None
        assert self._home is not None
        test, usual = self._claim.test, scale.usual
        if isinstance(test, MeanOrdering):
            return usual + self._lead(place, scale, False) * (place.scenario == test.greater)
        if isinstance(test, Ordering):
            return usual + self._lead(place, scale, test.clearly) * (quantity in test.greater)
        if isinstance(test, Between):
            return (_stated(test.low) + _stated(test.high)) / 2
        if isinstance(test, Value):
            return _stated(test.printed)
        if isinstance(test, Difference):
            at = self._pilots.suite.scope(self._claim, self._home).index(place.scenario)
            return usual + _stated(test.printed[at]) * (quantity == test.of)
        if isinstance(test, Ratio):
            if usual <= 0:
                raise NotRun("a ratio of returns that are usually below 0 is undefined")
            return usual * (test.printed if quantity == test.numerator else 1.0)
        if isinstance(test, Change):
            change = _stated(test.printed) * (1 if test.direction == "up" else -1)
            return usual + abs(usual) * change * (quantity == test.to)
        return usual  # the same, or not greater

    def _lead(self, place: Place, scale: Scale, clearly: bool) -> float:
        assert self._claim is not None
        assert self._home is not None
        margin = self._pilots.margin(self._home, self._claim.margin, scale.usual, *place)
        return (margin or LEAD * scale.width) * (2 if clearly else 1)


def printed(suite: Suite, experiment: Experiment, method: str, scenario: str, group: str | None) -> Printed | None:
    """What the paper prints as a method's greedy score in a place, if it does."""
    return next(
        (
            value
            for value in suite.printed_in(experiment.id)
            if (value.method, value.scenario, value.group, value.protocol) == (method, scenario, group, "greedy")
            and value.value is not None
            and not isinstance(suite["published", value.table].derived, Retained)
        ),
        None,
    )


def _stated(text: str) -> float:
    """A number of the text, percent as a share."""
    return float(number(text)[0])


def _won(values: Floats, episodes: int | None) -> Floats:
    """Values as shares of so many episodes; unchanged if they are no shares."""
    return values if episodes is None else np.rint(values.clip(0, 1) * episodes) / episodes


def _all(seeds: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.ones(len(seeds), dtype=np.bool_)
