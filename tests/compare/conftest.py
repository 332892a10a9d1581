"""A run of a method from elsewhere, played by the harness in this process, without a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench.executors.jobs import run_job
from bench.guests.method import Guest
from bench.guests.places import entry
from bench.guests.process import describe
from bench.plan import Selection
from bench.run.job import Job, Limits
from bench.store import Record, Store
from bench.suite import PRIMARY
from bench.suite.loading import load

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
STARTERS = HERE.parent.parent / "bench" / "starters"
BUDGET = {
    "episodes": 6,
    "record_every": 2,
    "evaluate_every": 3,
    "evaluation_episodes": 2,
    "final_evaluation_episodes": 4,
}

Played = Callable[..., Record]


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Guest]:
    """A method of tests/compare or examples, by `module:attribute`."""
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{EXAMPLES}:{STARTERS}:{HERE.parent.parent}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return lambda target: describe(target, Limits())


_known: dict[tuple[str, bool], Guest] = {}


def known(target: str, described: Callable[[str], Guest]) -> Guest:
    """A method of a module that does not change: only its first function and its first class are described.

    The module's other functions or classes have the same kind, hash and declaration; describing starts a process.
    """
    module, _, attribute = target.partition(":")
    kind = (module, attribute[0].isupper())
    if kind not in _known:
        _known[kind] = described(target)
    return _known[kind].model_copy(update={"name": target, "target": target})


@pytest.fixture
def played(described: Callable[[str], Guest], tmp_path: Path) -> Played:
    """Plays a run of `target` in an experiment and returns its record. budget: keys that differ from `BUDGET`."""

    def play(
        target: str,
        *,
        seed: int = 0,
        limits: Limits | None = None,
        suite: str = "knowru",
        only: str = "spread/I",
        hyperparameters: dict | None = None,
        **budget: int,
    ) -> Record:
        store = Store(tmp_path / "results")
        store.open_for_writing()
        chosen_budget = {key: n for key, n in (BUDGET | budget).items() if key != "episodes" or "steps" not in budget}
        settings = tuple(f"budget.{key}={value}" for key, value in chosen_budget.items())
        loaded = load(suite)
        chosen = loaded.pinned if suite == "mkt_marl" else PRIMARY  # whose opponents come with the project
        selection = Selection(profile="smoke", only=(only,), seeds=(seed,), settings=settings, reading=chosen)
        method = known(target, described)
        if hyperparameters is not None:
            declaration = method.declaration.model_copy(update={"hyperparameters": hyperparameters})
            method = method.model_copy(update={"declaration": declaration})
        entered = entry(loaded.under(chosen), selection, method, ())
        cell = entered.contests[0].cell
        runs = tuple(run for run in entered.plan.runs if run.cell == cell.key)
        job = Job(cell=cell, runs=runs, suite_version=1, profile="smoke", limits=limits or Limits())
        run_job(job, store, stop=lambda: False, report=lambda event: None)
        record = store.record(runs[0].id)
        assert record is not None
        return record

    return play


def printed_ids(results: Path) -> list[int]:
    """Of processes, one a line, as the hostile methods print them to their logs."""
    logs = (path.read_text(errors="replace") for path in (results / "logs").glob("*.log"))
    return [int(line) for log in logs for line in log.splitlines() if line.isdecimal()]


def still_there(ids: Sequence[int], seconds: float = 10.0) -> list[int]:
    """The processes that still run after the time limit; a dead one that nobody has waited for does not count."""

    def running(id_: int) -> bool:
        try:
            return Path(f"/proc/{id_}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False

    deadline = time.monotonic() + seconds
    while (left := [id_ for id_ in ids if running(id_)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left
