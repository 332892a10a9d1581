"""Windows of measures that no point of a curve can lie in, under each profile's budget and recording."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from baselines.specs import Unit
from bench.suite import Experiment, FirstReach, Profile, RelativeTime, Suite, Window, quantities, split, unit_of
from bench.suite.explain import Problem, shown
from bench.suite.readings import PRIMARY


class _Use(NamedTuple):
    """A window over an experiment's runs. key: the key of the recording that sets its points."""

    measure: Window
    experiment: Experiment
    budget: dict[str, int]  # from `Experiment.numbers`
    rounds: int  # length of a round between updates, in the budget's unit

    @property
    def key(self) -> str:
        return "evaluate_every" if self.measure.series.startswith("evaluation") else "record_every"

    @property
    def unit(self) -> Unit:
        return unit_of(self.budget)

    @property
    def whole(self) -> int:
        """The budget, in its unit."""
        return self.budget[self.unit]

    @property
    def span(self) -> tuple[int, int]:
        """The window (start, stop], in whole units of the budget."""
        first = self.budget.get("first_phase", 0) if self.measure.after == "turn" else 0
        start, stop = (first + share * (self.whole - first) for share in self.measure.window)
        return math.floor(start), math.floor(stop)

    @property
    def empty(self) -> bool:
        """Whether no point can lie in it, wherever the first update is.

        A curve has a point every `every` of the unit. Budgets may be huge, so at most `rounds` points are tried: after
        these the pattern of points and updates repeats.
        """
        every = self.budget[self.key]
        first = (self.span[0] + (self.rounds if self.moves else 0)) // every + 1  # earlier points are not in the window
        last = min(self.whole // every, first + (self.rounds // math.gcd(every, self.rounds) if self.moves else 0))
        return not any(self._holds(every * i) for i in range(first, last + 1))

    @property
    def moves(self) -> bool:
        """Whether it is counted from the first update instead of the beginning."""
        return self.measure.after == "first_update"

    def _holds(self, point: int) -> bool:
        """Whether a point lies in it for some first update: the last that is early enough reaches furthest."""
        (start, stop), update = self.span, 0
        if self.moves:
            update = min((point - start - 1) // self.rounds, self.whole // self.rounds) * self.rounds
            if update <= 0:
                return False
        return start < point - update <= stop


def too_short_for(suite: Suite, profile: str) -> dict[str, Problem]:
    """By measure, the problem of its window under a profile."""
    found: dict[str, Problem] = {}
    for use in _uses(suite.on(profile), suite.profile[profile]):
        if use.measure.id not in found and use.empty:
            found[use.measure.id] = _problem(profile, use)
    return found


def wrong_windows(suite: Suite) -> Iterator[Problem]:
    """Windows without a point that a profile does not list in `too_short_for`."""
    for name, profile in suite.profile.items():
        found = too_short_for(suite, name)
        yield from (problem for measure, problem in found.items() if measure not in profile.too_short_for)


def needless(suite: Suite) -> Iterator[Problem]:
    """Windows that a profile lists in `too_short_for` although they have a point under every reading."""
    for name, profile in suite.profile.items():
        for measure in profile.too_short_for:
            if not any(measure in too_short_for(suite.under(r), name) for r in (PRIMARY, *suite.readings)):
                allowed = "measures whose window can hold no point of a curve that is judged under this profile"
                yield Problem(f"profile[{name}].too_short_for", shown(measure), allowed, "remove it")


def _problem(profile: str, use: _Use) -> Problem:
    (start, stop), (first, last) = use.measure.window, use.span
    whole, every = use.whole, use.budget[use.key]
    got = f'[{start}, {stop}], {use.unit} ({first}, {last}] of {whole} in profile "{profile}"'
    got += " after the first update" if use.measure.after == "first_update" else ""
    allowed = f'a window that a point can lie in: "{use.measure.series}" of experiment "{use.experiment.id}" has one '
    allowed += f"every {every} {use.unit}"
    mend = f"widen the window, make {use.key} smaller, or name the measure in profile[{profile}].too_short_for"
    return Problem(f"measure[{use.measure.id}].window", got, allowed, mend)


def _uses(suite: Suite, profile: Profile) -> Iterator[_Use]:
    """Every window that a claim or a transfer metric reads from runs that are possible; each kind once."""
    made: dict[tuple[str, str], list[tuple[dict[str, int], int]]] = {}  # most runs have several windows
    seen: set[tuple[object, ...]] = set()  # most windows are used on many similar runs
    for home, method, measure in _taken(suite):
        window, e = suite["measure", measure], suite["experiment", home]
        if (home, method) not in made:
            made[home, method] = [*_made(suite, e, method, profile)]
        for numbers, rounds in made[home, method]:
            kind = (measure, home, rounds, *numbers.items())
            if kind not in seen:
                seen.add(kind)
                yield _Use(window, e, numbers, rounds)


def _made(suite: Suite, e: Experiment, method: str, profile: Profile) -> Iterator[tuple[dict[str, int], int]]:
    """Budget and recording, and the length of a round, for each training set on which a method can run."""
    for t in e.training_sets:
        if not suite.waits_for(e, method, t):
            numbers = e.numbers(t, method, profile)
            yield numbers, suite.hyperparameters(method, t.scenarios[0]).round_of(unit_of(numbers))


def _taken(suite: Suite) -> dict[tuple[str, str, str], None]:
    """The windows read from runs: experiment's id, method and measure, each once, in the file's order.

    A time to a level needs the level's window too.
    """
    asked = [(q, suite["experiment", id_]) for c in suite.claim for id_ in c.experiments for q in quantities(c.test)]
    measures = [measure for _, measure in suite.transfer or ()]
    asked += [(f"{m}:{measure}", e) for e in suite.experiment if e.baseline for m in e.methods for measure in measures]
    taken: dict[tuple[str, str, str], None] = {}
    for quantity, e in asked:
        measure = suite["measure", split(quantity)[2]]
        levels = measure.levels if isinstance(measure, RelativeTime) else ()
        for own in (quantity, *(measure.quantities if isinstance(measure, FirstReach) else levels)):
            place = suite.place(own, e)
            if isinstance(suite["measure", place[2]], Window):
                taken[place] = None
    return taken
