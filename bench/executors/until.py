"""Training look by look: claims still open after a look get the seeds of the next, until all are decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.evidence.measures import Evidence
from bench.executors.dispatch import Outcome
from bench.plan import Plan, Selection, limited, selected
from bench.store import Record, Store
from bench.suite import Suite
from bench.verdict.waiting import Standing, standings

Train = Callable[[Plan, list[Record], bool], Outcome]  # runs, existing records, whether it is the first time


@dataclass(frozen=True)
class Round:
    """The state after a look, or before the first. wanted: seeds that open claims need, by the cell's key."""

    standings: tuple[Standing, ...]
    wanted: dict[str, int]


def train_until_decided(
    suite: Suite, selection: Selection, store: Store, train: Train, tell: Callable[[Round], None]
) -> tuple[Plan, Outcome]:
    """The runs that were asked for, and what became of them. Raises what `train` raises.

    It ends when every claim and printed value is decided, after the last look, when training is stopped, and when a
    look lacks seeds after its training: then runs have failed, and the outcome names them.
    """
    experiments, total = selected(suite, selection.only), Outcome()
    asked: dict[str, int] = {}
    before: dict[str, int] | None = None
    while True:
        evidence = Evidence(suite, selection, store)
        found = standings(evidence, experiments)
        wanted: dict[str, int] = {}
        for one in found:
            wanted |= {key: max(one.next, wanted.get(key, 0)) for key in one.cells if one.next is not None}
        tell(Round(tuple(found), wanted))
        if not wanted or wanted == before:
            return limited(evidence.plan, asked), total
        asked |= {key: max(seeds, asked.get(key, 0)) for key, seeds in wanted.items()}
        outcome = train(limited(evidence.plan, wanted), evidence.records, before is None)
        _add(total, outcome)
        if outcome.stopped or outcome.broken:
            return limited(evidence.plan, asked), total
        before = wanted


def _add(total: Outcome, outcome: Outcome) -> None:
    total.before |= outcome.before - total.finished
    total.elsewhere |= outcome.elsewhere
    total.finished |= outcome.finished
    total.failed |= outcome.failed
    total.blocked |= outcome.blocked
    total.stopped, total.broken = outcome.stopped, outcome.broken
