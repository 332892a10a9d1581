"""Claims that compare a run with itself: two methods with the same settings share their runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from bench.plan import Selection, cells_of
from bench.suite import (
    Change,
    Claim,
    Difference,
    Equivalence,
    Experiment,
    Measure,
    NotGreater,
    Ordering,
    Ratio,
    Suite,
    Test,
    quantities,
    split,
)
from bench.suite.explain import Problem


def compared(test: Test) -> list[tuple[str, str]]:
    """The pairs of quantities that a test compares."""
    if isinstance(test, Ordering | NotGreater):
        return [*itertools.product(test.greater, test.less)]
    if isinstance(test, Equivalence):
        return [*itertools.combinations(test.same, 2)]
    if isinstance(test, Ratio | Difference | Change):
        asked = [*quantities(test)]
        return [(asked[0], asked[1])] if len(asked) == 2 else []
    return []


def one_run(test: Test, basis: Callable[[str], object]) -> tuple[str, str] | None:
    """The first compared pair with the same basis. basis: gives what a quantity rests on; None if that is unknown."""
    found = ((pair, basis(pair[0]), basis(pair[1])) for pair in compared(test))
    return next((pair for pair, a, b in found if a is not None and a == b), None)


def read_alike(measure: Measure) -> object:
    """What a measure reads, without its name."""
    return measure.model_dump(exclude={"id", "says"})


def compares_itself(suite: Suite) -> Iterator[Problem]:
    """Claims that would compare a run with itself. Raises SuiteError."""
    cells = {e.id: cells_of(suite, Selection(), e) for e in suite.experiment}

    def keys(quantity: str, experiment: Experiment) -> object:
        home, method, measure = suite.place(quantity, experiment)
        own = tuple(cell.key for (name, _), cell in cells[home].items() if name == method)
        return (own, read_alike(suite["measure", measure])) if own else None

    def pair_of(claim: Claim, experiment: Experiment) -> tuple[str, str] | None:
        return one_run(claim.test, lambda quantity: keys(quantity, experiment))

    for claim in suite.claim:
        for experiment in (suite["experiment", id_] for id_ in claim.experiments):
            if pair := pair_of(claim, experiment):
                got = f"{pair[0]} and {pair[1]}, which are the same run in {experiment.id}"
                mend = f"give {split(pair[0])[0]} or {split(pair[1])[0]} another setting, or compare other quantities"
                yield Problem(f"claim[{claim.id}].test", got, "sides with runs of their own", mend)
