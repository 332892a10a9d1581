"""Canaries: tiny seeded runs of every method on everything it can run on, which must repeat to the last bit.

A canary is a cell of a suite at its own settings, shortened so that it learns for a few updates only. What it comes to
is stored for each platform class (`<baseline>/canaries/<class>.json`). On a class of which nothing is stored, the
curves are held against those of the class most like it, within `TOLERANCES`.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from baselines.specs import ALGORITHMS
from bench.executors.local import ENVIRONMENT
from bench.nightly.stored import Canary, CanaryFile, Drawn
from bench.plan import Cell, Plan, Run, Selection, make_plan
from bench.store import Record, Store, numbers_hash
from bench.suite import Suite

SEEDS = (0, 1)  # two, so that stacked lanes are looked at too
POINTS, POINT_EPISODES = 4, 12  # points of a curve, and the least number of episodes of each
EPISODES_LOOKED_AT = 4  # of an evaluation
# What would delay a canary's learning, and the most that it may be here. A batch of 512 is the smallest that takes the
# way of large ones (baselines/maddpg.py, products.py).
SHORTENED: Mapping[str, int] = {
    "batch_size": 512,
    "warmup_transitions": 512,
    "target_update_interval": 2,
    "epsilon_anneal_steps": 500,
}
# Relative, by point of training, for another platform class than the stored one: a difference in the last bit grows
# with every update. Measured with every vector instruction held back: 5e-5 and 1e-2 at most (docs/nightly.md).
TOLERANCES = (1e-3, 1e-3, 5e-2, 5e-2)
LIMIT_S = 900.0  # for all canaries together; a hang must end

State = Literal["same", "close", "differs", "settings", "missing", "gone", "failed"]


@dataclass(frozen=True)
class Outcome:
    """One canary. says: where its numbers part, which settings changed, why it failed."""

    name: str
    state: State
    says: str = ""


def canary_plan(suite: Suite) -> Plan:
    """Every cell of a suite that can run here, shortened. Raises SuiteError."""
    settings, rounds = [], [1]
    for method in (m.id for m in suite.method if not m.waits_for):
        values = {name: s.value for name, s in suite.settings(method).items()}
        model = ALGORITHMS[suite["method", method].algorithm].hyperparameters.model_validate(values)
        rounds.append(model.round_episodes)
        for name, most in SHORTENED.items():
            if isinstance(value := values.get(name), int) and value > most:
                settings.append(f"{method}.{name}={most}")
    whole = math.lcm(*rounds)
    point = -(-POINT_EPISODES // whole) * whole
    budget = {
        "episodes": POINTS * point,
        "record_every": point,
        "evaluate_every": 2 * point,
        "evaluation_episodes": EPISODES_LOOKED_AT,
        "final_evaluation_episodes": EPISODES_LOOKED_AT,
    }
    settings += [f"budget.{key}={value}" for key, value in budget.items()]
    return make_plan(suite, Selection(seeds=SEEDS, settings=tuple(settings)))


def name_of(cell: Cell) -> str:
    return f"{cell.suite}: {cell.label} ({cell.experiment})"


def drawn(suites: Iterable[Suite]) -> dict[str, Drawn | str]:
    """Run every canary of these suites; by name what it came to, or why it failed, a second try included."""
    found: dict[str, Drawn | str] = {}
    for suite in suites:
        plan = canary_plan(suite)
        with tempfile.TemporaryDirectory(prefix="canaries-") as folder:
            store = Store(folder)
            store.open_for_writing()
            failed = _run(plan, store)
            if failed:  # once more
                for run in plan.runs:
                    store.forget_failure(run.id)
                failed = _run(plan, store)
            for cell in plan.cells:
                found[name_of(cell)] = _drawn(cell, [r for r in plan.runs if r.cell == cell.key], store, failed)
    return found


def compared(
    stored: CanaryFile, found: Mapping[str, Drawn | str], exact: bool, suites: Sequence[str]
) -> Iterator[Outcome]:
    """What became of each canary. exact: the stored ones are of this very platform class. suites: those looked at."""
    for name, own in found.items():
        if isinstance(own, str):
            yield Outcome(name, "failed", own)
        elif name not in stored.canaries:
            yield Outcome(name, "missing", "nothing is stored for it: bench nightly refresh-canary stores it")
        else:
            yield _compared(name, stored.canaries[name], own, exact)
    for name in stored.canaries:
        if name not in found and name.partition(":")[0] in suites:
            yield Outcome(name, "gone", "it is stored, but nothing here runs it any more")


def differing(stored: Mapping[str, object], found: Mapping[str, object], exact: bool) -> str:
    """Where two tables of curves part first, in training: nothing where they do not."""
    for name in [*stored, *(n for n in found if n not in stored)]:
        a, b = stored.get(name), found.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            if inner := differing(a, b, exact):
                return f"{name}, {inner}"
        elif not isinstance(a, Sequence) or not isinstance(b, Sequence) or len(a) != len(b):
            return f"{name}: got {_count(b)}, stored {_count(a)}"
        else:
            allowed = [0.0] * len(a) if exact else TOLERANCES[-len(a) :]  # losses begin later
            for i, (x, y, most) in enumerate(zip(a, b, allowed, strict=True), POINTS + 1 - len(a)):
                if not _near(x, y, most):
                    return f"{name}: point {i} of {POINTS} is {y}, stored {x}"
    return ""


def _compared(name: str, stored: Canary, own: Drawn, exact: bool) -> Outcome:
    if own.cell != stored.cell:
        changed = _changes(stored.settings, own.settings)
        return Outcome(name, "settings", f"its settings changed: {changed}; the stored canary is of the old ones")
    if own.numbers == stored.numbers:
        return Outcome(name, "same")
    parted = differing(stored.curves, own.curves, exact)
    parted = parted and f"seed {parted}"  # curves stand by seed
    if exact:
        return Outcome(name, "differs", parted or "the curves agree; evaluations or weights do not")
    return Outcome(name, "differs", parted) if parted else Outcome(name, "close")


def _run(plan: Plan, store: Store) -> dict[str, str]:
    """Train what has no record yet, in one process; why runs failed, by id."""
    if not plan.runs:
        return {}
    jobs = [
        {
            "cell": cell.model_dump(mode="json"),
            "runs": [run.model_dump(mode="json") for run in plan.runs if run.cell == cell.key],
            "suite_version": plan.suite_version,
            "profile": plan.profile,
        }
        for cell in plan.cells
    ]
    order = json.dumps({"jobs": jobs, "results": str(store.root), "parent": os.getpid()})
    log = store.root / "log"
    try:
        with log.open("w") as errors:
            done = subprocess.run(
                [sys.executable, "-m", "bench.nightly.worker"],
                env=os.environ | ENVIRONMENT,
                input=order + "\n",
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
        failed = json.loads(done.stdout) if done.returncode == 0 else {}
        why = f"its process ended with code {done.returncode}: {_last_line(log)}"
    except subprocess.TimeoutExpired:
        failed, why = {}, f"all canaries together took longer than {LIMIT_S:g} s"
    for run in plan.runs:
        record = store.settled(run.id)
        if record is None:
            failed.setdefault(run.id, why)
        elif record.status == "failed":
            failed[run.id] = record.reason
    return failed


def _drawn(cell: Cell, runs: Sequence[Run], store: Store, failed: Mapping[str, str]) -> Drawn | str:
    if reasons := [f"seed {run.seed}: {failed[run.id]}" for run in runs if run.id in failed]:
        return "; ".join(reasons)
    records = [record for run in runs if (record := store.settled(run.id))]
    if any(r.numbers.first_update is None for r in records):
        return f"it never learns within its {cell.settings['budget']['episodes']} episodes: shorten what delays it"
    return Drawn(
        cell=cell.key,
        settings=cell.settings,
        numbers={str(r.seed): numbers_hash(r) for r in records},
        curves={str(r.seed): _curves(cell, r) for r in records},
    )


def _curves(cell: Cell, record: Record) -> dict[str, dict[str, tuple[float | None, ...]]]:
    """Means of training and losses by scenario; evaluations are left out, a greedy choice may turn on the last bit."""
    own = zip(cell.scenarios, record.numbers.scores, strict=True)
    return {s: {n: c.mean for n, c in scores.curves.items() if n != "evaluation"} for s, scores in own}


def _changes(old: Mapping[str, object], new: Mapping[str, object], at: str = "") -> str:
    """The settings that differ, by key."""
    parts = []
    for key in dict.fromkeys([*old, *new]):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            parts.append(_changes(a, b, f"{at}{key}."))
        elif a != b:
            parts.append(f"{at}{key} was {a}, is {b}")
    return "; ".join(filter(None, parts))


def _near(x: float | None, y: float | None, most: float) -> bool:
    return x == y if x is None or y is None else math.isclose(x, y, rel_tol=most)


def _count(points: object) -> str:
    return f"{len(points)} points" if isinstance(points, Sequence) else "none"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "no message"
