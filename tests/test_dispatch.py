"""The dispatcher with workers in memory: what it accepts from them, what it refuses, how it stops them."""

from __future__ import annotations

import ast
import inspect
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.executors import dispatch
from bench.executors.dispatch import Dispatcher, End, Event, Options, Outcome
from bench.executors.results import packed
from bench.plan import Plan, Selection, make_plan
from bench.run.job import Job
from bench.store import Record, Store, sha256
from bench.suite import Suite
from tests.synthetic import fill

WEIGHTS = b"a policy"
Script = Callable[["Scripted"], None]


@dataclass
class Scripted:
    """A worker and its executor: `script` has its messages. told: the dispatcher's calls to it, in order."""

    script: Script
    job: Job | None = None
    hear: Callable[[Event | None], None] = print
    told: list[str] = field(default_factory=list)
    end: End = End(True, "it ended")  # noqa: RUF009

    def start(self, job: Job, log: Path, hear: Callable[[Event | None], None]) -> Scripted:
        self.job, self.hear = job, hear
        self.script(self)
        return self

    def together(self) -> nullcontext[None]:
        return nullcontext()

    def acknowledge(self, run: str) -> None:
        self.told.append(run)

    def stop(self) -> None:
        self.told.append("stop")
        self.hear(None)

    def kill(self) -> None:
        self.told.append("kill")
        self.hear(None)

    def wait(self) -> End:
        return self.end


@pytest.fixture
def plan(tiny: Suite) -> Plan:
    return make_plan(tiny, Selection(only=("source",), seeds=(0, 1)))


@pytest.fixture
def made(plan: Plan, tmp_path: Path) -> dict[str, Record]:
    """The plan's records, with weights of a known hash, by run."""
    store = Store(tmp_path / "elsewhere")
    fill(store, plan, lambda cell, seed: [-8.0 - seed])
    found = {}
    for run in plan.runs:
        record = store.record(run.id)
        assert record is not None
        numbers = record.numbers.model_copy(update={"weights": sha256(WEIGHTS)})
        found[run.id] = record.model_copy(update={"numbers": numbers})
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(tmp_path / "results")
    found.open_for_writing()
    return found


def drained(plan: Plan, store: Store, script: Script) -> tuple[Outcome, Scripted, list[Event]]:
    workers, events = Scripted(script), []
    outcome = Dispatcher(plan, store, Options(jobs=1), events.append, workers).drain()
    return outcome, workers, events


def test_it_writes_what_workers_return_and_then_tells_them(plan: Plan, made: dict[str, Record], store: Store) -> None:
    def script(worker: Scripted) -> None:
        for record in made.values():
            worker.hear(packed(record, WEIGHTS))
        worker.hear(None)

    outcome, worker, _ = drained(plan, store, script)
    assert outcome.finished == set(made)
    assert worker.told == list(made)
    for run, record in made.items():
        assert store.record(run) == record
        assert store.weights_path(run).read_bytes() == WEIGHTS


def of(made: dict[str, Record], own: int, **changes: Any) -> Record:
    """The record of seed `own`, changed."""
    return next(record for record in made.values() if record.seed == own).model_copy(update=changes)


FALSE = {
    "another run's": (lambda made: packed(of(made, 0, run="0" * 16), WEIGHTS), "run 0000000000000000; allowed: "),
    "another seed": (lambda made: packed(of(made, 0, seed=1), WEIGHTS), "with another cell, seed or teacher"),
    "other settings": (lambda made: packed(of(made, 0, settings={}), WEIGHTS), "settings that are not its cell's"),
    "other weights": (lambda made: packed(of(made, 0), b"other"), "other weights than its record names"),
    "no weights": (lambda made: packed(of(made, 0), None), "without weights"),
    "no record": (lambda made: packed(of(made, 0), WEIGHTS) | {"record": {"run": 1}}, "no record and weights"),
    "no base64": (lambda made: packed(of(made, 0), WEIGHTS) | {"weights": "?"}, "no record and weights"),
}


@pytest.mark.parametrize("name", FALSE)
def test_what_is_no_result_is_not_written(name: str, plan: Plan, made: dict[str, Record], store: Store) -> None:
    make, says = FALSE[name]
    outcome, worker, _ = drained(plan, store, lambda worker: worker.hear(make(made)))
    assert worker.told == ["kill"]
    assert outcome.failed.keys() == set(made)
    assert all(says in reason for reason in outcome.failed.values()), outcome.failed
    assert list((store.root / "records").iterdir()) == list((store.root / "weights").iterdir()) == []


def test_a_run_that_failed_may_have_no_weights(plan: Plan, made: dict[str, Record], store: Store) -> None:
    failed = of(made, 0, status="failed", reason="its environment failed")

    def script(worker: Scripted) -> None:
        worker.hear(packed(failed, None))
        worker.hear(None)

    outcome, worker, _ = drained(plan, store, script)
    assert outcome.failed[failed.run] == "its environment failed"
    assert worker.told == [failed.run]
    assert store.record(failed.run) == failed


def test_a_run_is_taken_once(plan: Plan, made: dict[str, Record], store: Store) -> None:
    first = of(made, 0)

    def script(worker: Scripted) -> None:
        worker.hear(packed(first, WEIGHTS))
        worker.hear(packed(first.model_copy(update={"suite_version": 99}), WEIGHTS))

    outcome, worker, _ = drained(plan, store, script)
    assert worker.told == [first.run, "kill"]
    assert outcome.finished == {first.run}
    assert store.record(first.run) == first


def test_what_comes_while_it_stops_is_written(
    plan: Plan, made: dict[str, Record], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(event: Event) -> None:
        if event["event"] == "started":
            raise KeyboardInterrupt

    workers = Scripted(lambda worker: worker.hear(packed(of(made, 0), WEIGHTS)))
    outcome = Dispatcher(plan, store, Options(jobs=1), interrupt, workers).drain()
    assert outcome.stopped
    assert outcome.failed == {}
    assert outcome.finished == {of(made, 0).run}
    assert workers.told == ["stop", of(made, 0).run]


def guests_of(plan: Plan) -> Plan:
    """As if its method came from elsewhere; ids are not computed again."""

    def cell(own: Any) -> Any:
        settings = own.settings | {"algorithm": own.settings["algorithm"] | {"source": "0" * 64}}
        return own.model_copy(update={"settings": settings})

    cells = tuple(cell(own) for own in plan.cells)
    return Plan(suite=plan.suite, suite_version=1, profile=plan.profile, cells=cells, runs=plan.runs)


@pytest.mark.parametrize("orderly", [True, False])
def test_a_record_that_appears_beside_a_guest_is_set_aside(
    plan: Plan, made: dict[str, Record], store: Store, tmp_path: Path, orderly: bool
) -> None:
    """It is named, and its run is made again; if the worker was killed, the next command checks once more."""
    theirs = of(made, 1).run

    def script(worker: Scripted) -> None:
        assert store.ledger.watching
        shutil.copy(tmp_path / "elsewhere" / "records" / f"{theirs}.json", store.root / "records")
        worker.end = End(orderly, "killed by its guest")
        worker.hear(None)

    outcome, _, events = drained(guests_of(plan), store, script)
    assert outcome.finished == set()
    (line,) = [event["says"] for event in events if event["event"] == "remark"]
    assert f"{theirs}.json is set aside: no command of ours wrote it" in line
    assert store.record(theirs) is None
    assert store.ledger.watching is not orderly
    again, _, _ = drained(plan, store, lambda worker: worker.hear(None))
    assert again.finished == set()
    assert not store.ledger.watching


def test_it_knows_nothing_of_processes() -> None:
    tree = ast.parse(inspect.getsource(dispatch))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not modules & {"subprocess", "os", "signal", "multiprocessing"}
