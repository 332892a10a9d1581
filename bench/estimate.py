"""How long a plan takes and how much memory: from what was measured here, else from counted operations.

The rate of an unmeasured cell is the median of what this results folder's runs reached (operations per CPU second),
else RATE, and the estimate says which.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from baselines.specs import ALGORITHMS, Cost
from bench.envs import checked
from bench.measures import Evidence
from bench.plan import Plan
from bench.store import Record

RATE = 5.5e10  # operations per CPU second of one thread: KnowRU's tasks I and II, AMD EPYC, 2 cores, 2026-11-20
PROCESS_BYTES = 400 * 2**20  # a worker with torch loaded, before any lane; same machine and day


@dataclass(frozen=True)
class Estimate:
    """One run. basis: what the time rests on."""

    cpu_s: float
    bytes: float
    basis: Literal["this cell's runs", "other runs here", "assumed rate"]


def estimates(evidence: Evidence) -> dict[str, Estimate]:
    """An estimate for each cell of the plan, by key."""
    plan = evidence.plan
    costs = {cell.key: cost(cell.settings) for cell in plan.cells}
    rates = list(_rates(evidence.records))
    rate = statistics.median(rates) if rates else RATE
    found = {}
    for cell in plan.cells:
        times = [r.provenance.cpu_s for r in evidence.finished(cell).values()]
        seconds = statistics.median(times) if times else costs[cell.key].operations / rate
        basis = "this cell's runs" if times else "other runs here" if rates else "assumed rate"
        found[cell.key] = Estimate(seconds, costs[cell.key].bytes, basis)
    return found


def cost(settings: Mapping[str, Any]) -> Cost:
    """Operations and bytes of one run of a cell."""
    scenario, budget = settings["scenario"], settings["budget"]
    params = checked(scenario["family"], scenario["params"])
    hyperparameters = ALGORITHMS[settings["algorithm"]["name"]].hyperparameters
    return hyperparameters.model_validate(settings["hyperparameters"]).cost(
        agents=scenario["params"]["agents"],
        obs_size=params.obs_size,
        action_size=params.action_size,
        episode_limit=scenario["episode_limit"],
        episodes=budget["episodes"],
    )


def peak_bytes(plan: Plan, by_cell: Mapping[str, Estimate], jobs: int) -> float:
    """Memory of the largest cell when its seeds train in `jobs` processes at once."""
    lanes = {cell.key: len(cell.seeds) for cell in plan.cells}
    return jobs * PROCESS_BYTES + max((by_cell[key].bytes * n for key, n in lanes.items()), default=0.0)


def _rates(records: Iterable[Record]) -> Iterable[float]:
    for record in records:
        if record.status == "finished" and record.provenance.cpu_s > 0:
            yield cost(record.settings).operations / record.provenance.cpu_s
