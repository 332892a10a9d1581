"""What a record's settings say about its numbers: how many returns, and where the points of its curves lie.

Only what every run of such settings must have is checked. Some points may be missing: a training function from
elsewhere reports when it likes, steps may end inside an episode, and an update's round may pass a point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from baselines.specs import ALGORITHMS, UNITS, Hyperparameters, Unit
from bench.output.escaping import visible
from bench.plan import Scored, guest, scored, spans
from bench.plan.sizes import policy_size
from bench.store.records import Curve, Record, Scores
from bench.suite.budgets import RECORDING, unit_of
from bench.suite.explain import listed

LOSS = "loss/"  # beginning of the names of loss curves


@dataclass(frozen=True)
class Expected:
    """What every run of a cell must have. Places are in the budget's unit.

    scenarios: in the order of the record's scores. ours: whether the suite's own loop trained it, with evaluations on
    the way. full: whether it evaluated at each place, without a gap. played: whether each round has whole episodes, so
    each place of the training curve has a point. training, evaluation: the places for each scenario. losses: those that
    the suite's own method reports, if known. phased: whether a phase may lack some losses. rare: losses reported only
    at some moments. members: of an ensemble; 0 without one.
    """

    unit: Unit
    whole: int
    budget: Mapping[str, int]
    scenarios: tuple[Scored, ...]
    ours: bool
    full: bool
    played: bool
    training: tuple[tuple[int, ...], ...]
    evaluation: tuple[tuple[int, ...], ...]
    losses: frozenset[str] | None
    phased: bool
    rare: frozenset[str]
    members: int

    @property
    def beside(self) -> frozenset[str]:
        """Curves that only an ensemble's runs have (`bench.run.members`)."""
        each = {f"{when}/member_{m}" for when in ("evaluation", "before", "after") for m in range(self.members)}
        return frozenset(each | {"evaluation/best", "evaluation/worst", "elected", "teacher"} if each else ())


_CELLS: dict[str, Expected | None] = {}  # by the cell, the hash of the settings


def contradiction(record: Record) -> str:
    """A number that no run of these settings can have, with the allowed values; "" if all are possible."""
    expected = _expected_of(record)
    return "" if expected is None else next(_contradictions(record, expected), "")


def learned(record: Record) -> bool:
    """Whether a method of the suite's own updated its weights: then no other seed reaches the same ones."""
    expected = _expected_of(record)
    return expected is not None and expected.losses is not None and record.numbers.first_update is not None


def parameters(record: Record) -> int | None:
    """How many numbers the weights of a finished run have; None if its method is from elsewhere or unknown."""
    expected = _expected_of(record)
    if expected is None or expected.losses is None:
        return None
    try:
        return policy_size(record.settings)
    except (ValidationError, ValueError, KeyError):  # a scenario that is no longer known
        return None


def _expected_of(record: Record) -> Expected | None:
    if record.cell not in _CELLS:
        _CELLS[record.cell] = _expected(record.settings)
    return _CELLS[record.cell]


def _expected(settings: Mapping[str, Any]) -> Expected | None:
    """What a run of these settings must have; None for settings that no plan makes, without budget or recording."""
    budget = settings.get("budget")
    if not isinstance(budget, dict):
        return None
    counted = all(type(budget.get(key)) is int and budget[key] > 0 for key in RECORDING)
    if not counted or not any(type(budget.get(unit)) is int for unit in UNITS):
        return None
    unit, algorithm = unit_of(budget), settings.get("algorithm")
    whole = budget[unit]
    own = _hyperparameters(settings) if isinstance(algorithm, dict) else None
    ours = own is not None or (isinstance(algorithm, dict) and algorithm.get("kind") == "learner")
    every, evaluated = budget["record_every"], budget["evaluate_every"]
    return Expected(
        unit=unit,
        whole=whole,
        budget=budget,
        scenarios=scored(settings),
        ours=ours,
        full=own is not None and unit != "updates",
        played=own is not None and unit != "updates" and not own.plays_steps,
        training=tuple(tuple(range(start + every, end + 1, every)) for start, end in spans(settings)),
        evaluation=tuple(
            tuple(range(start + evaluated if start else 0, end + 1, evaluated)) for start, end in spans(settings)
        ),
        losses=None
        if own is None
        else frozenset(f"{LOSS}{n}" for n in ALGORITHMS[settings["algorithm"]["name"]].losses),
        rare=frozenset()
        if own is None
        else frozenset(f"{LOSS}{n}" for n in ALGORITHMS[settings["algorithm"]["name"]].rare_losses),
        members=0 if own is None else own.members,
        phased=own is not None and type(own).first_phase is not Hyperparameters.first_phase,
    )


def _hyperparameters(settings: Mapping[str, Any]) -> Any:
    """The hyperparameters of a method of the suite's own; None if it is from elsewhere or no longer known."""
    name, version = settings["algorithm"].get("name"), settings["algorithm"].get("version")
    algorithm = ALGORITHMS.get(name)
    if algorithm is None or algorithm.version != version or guest(settings):
        return None
    try:
        return algorithm.hyperparameters.model_validate(settings.get("hyperparameters"))
    except ValidationError:
        return None


def _contradictions(record: Record, expected: Expected) -> Iterator[str]:
    first, last = record.numbers.first_update, expected.whole
    if expected.unit == "steps" and expected.played:
        last += expected.budget["record_every"] - 1  # the last round of whole episodes is at most this long
    if first is not None and expected.full and first > last:
        yield f"numbers.first_update: got {first}; allowed: {_at_most(expected)}"
    yield from _reported(record, expected)
    for i, (scores, scenario) in enumerate(zip(record.numbers.scores, expected.scenarios, strict=True)):
        key = f"numbers.scores[{i}]"
        yield from _returns(record, scores, expected, key)
        for name, curve in scores.curves.items():
            yield from _counts(curve, expected, scenario, f"{key}.curves.{name}")
        if record.status == "finished":
            yield from _whole(scores, scenario, expected, i, f"{key}.curves")
            yield from _ended(scores, expected, key)


def _reported(record: Record, expected: Expected) -> Iterator[str]:
    """Problems of the losses: they must be those of the settings' method, since another method has others."""
    if expected.losses is None:
        return
    for i, scores in enumerate(record.numbers.scores):
        key, names = f"numbers.scores[{i}].curves", {"training", "evaluation", *expected.losses, *expected.beside}
        turned = {name for name in scores.curves if expected.phased and name.partition("/")[0] == "turn"}
        if others := sorted(scores.curves.keys() - names - turned):
            yield f"{key}: got {visible(others[0])}; allowed: {listed(sorted(names))}, as the settings' method has them"
    got = {name for scores in record.numbers.scores for name in scores.curves if name.startswith(LOSS)}
    if record.numbers.first_update is None and got and not expected.phased:
        yield f"numbers.first_update: got null; allowed: a number, as there is a curve {sorted(got)[0]}"
    whole = record.status == "finished" and record.numbers.first_update is not None and not expected.phased
    if whole and (missing := sorted(expected.losses - expected.rare - got)):
        yield f"numbers.scores: got no curve {missing[0]}; allowed: one, as the settings' method reports it"


def _returns(record: Record, scores: Scores, expected: Expected, key: str) -> Iterator[str]:
    """Problems of the number of returns: all episodes of the final evaluation; a failed run may have none."""
    got, allowed = len(scores.returns), expected.budget["final_evaluation_episodes"]
    if got != allowed and (got or record.status == "finished"):
        yield f"{key}.returns: got {got}; allowed: {allowed}, the settings' final_evaluation_episodes"


def _counts(curve: Curve, expected: Expected, scenario: Scored, key: str) -> Iterator[str]:
    """Problems of a curve's places: the budget's unit, within the budget, and as many steps as its episodes have."""
    if (curve.updates is None) != (expected.unit != "updates"):
        yield f"{key}.updates: allowed: only if the settings' budget counts updates, and then required"
        return
    if (last := curve.at(expected.unit)[-1]) > expected.whole:
        yield f"{key}.{expected.unit}: got {last}; allowed: {_at_most(expected)}"
    limit = scenario.episode_limit
    if expected.unit == "episodes" and any(s != e * limit for e, s in zip(curve.episodes, curve.steps, strict=True)):
        yield f"{key}.steps: allowed: {limit} for each episode, the settings' episode_limit"


def _whole(scores: Scores, scenario: Scored, expected: Expected, i: int, key: str) -> Iterator[str]:
    """Problems in the i-th scenario of a finished run: if the suite's own loop trained it, it evaluates to the end."""
    evaluation = scores.curves.get("evaluation")
    if evaluation is None:
        yield f"{key}: got no evaluation; allowed: one, as every run has"
        return
    yield from _numbers(evaluation, f"{key}.evaluation")
    if {*evaluation.n} != {episodes := expected.budget["evaluation_episodes"]}:
        yield f"{key}.evaluation.n: allowed: {episodes}, the settings' evaluation_episodes"
    yield from _evaluated(evaluation, expected, expected.evaluation[i], f"{key}.evaluation.{expected.unit}")
    training = scores.curves.get("training")
    if not scenario.trained or not expected.played:
        return
    if training is None:
        yield f"{key}: got no training; allowed: a curve of each scenario that the settings train on"
        return
    yield from _numbers(training, f"{key}.training")
    if (got := training.at(expected.unit)) != (places := expected.training[i]):
        yield f"{key}.training.{expected.unit}: got {_listed(got)}; allowed: {_listed(places)}, the settings' budget"
    if expected.unit == "episodes" and {*training.n} != {every := expected.budget["record_every"]}:
        yield f"{key}.training.n: allowed: {every}, the settings' record_every"


def _numbers(curve: Curve, key: str) -> Iterator[str]:
    if None in curve.mean:
        yield f"{key}.mean: got null at point {curve.mean.index(None)}; allowed: numbers, in a run that finished"


def _evaluated(curve: Curve, expected: Expected, places: tuple[int, ...], key: str) -> Iterator[str]:
    """Problems of evaluations: up to the end of the budget, as often as the settings say; the first may be missing."""
    got = curve.at(expected.unit)
    few = expected.full and len(got) < len(places) - 1
    if few or (expected.ours and got[-1] != places[-1]):
        yield f"{key}: got {_listed(got)}; allowed: {_listed(places)}, the settings' budget"


def _ended(scores: Scores, expected: Expected, key: str) -> Iterator[str]:
    """Problems of episode counts, if the budget counts no episodes: no curve may have more than the training curve."""
    if expected.unit == "episodes":
        return
    training = scores.curves.get("training")
    played = 0 if training is None else sum(training.n)
    for name, curve in scores.curves.items():
        if curve.episodes[-1] > played:
            yield f"{key}.curves.{name}.episodes: got {curve.episodes[-1]}; allowed: at most {played}, as training has"


def _listed(places: tuple[int, ...]) -> str:
    return f"{len(places)} points up to {places[-1]}"


def _at_most(expected: Expected) -> str:
    return f"at most {expected.whole}, the settings' budget in {expected.unit}"
