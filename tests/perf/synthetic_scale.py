"""A synthetic suite of many methods and scenarios, and a results folder full of its records, to measure cost.

    python -m tests.perf.synthetic_scale FOLDER [--methods 100] [--scenarios 40] [--seeds 5] [--points 100]

Writes FOLDER/scale.toml and FOLDER/runs. The suite prints a value for each cell, compares every method with a baseline
and claims an ordering in each scenario. The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from bench.plan import Cell, Selection, make_plan, run_id
from bench.store import Curve, Numbers, Provenance, Record, Scores, Store, canonical, numbers_hash, readable, sha256
from bench.suite.loading import parse

EPISODES_A_POINT, LIMIT, RETURNS, PROCESSES = 20, 25, 32, 2
HYPERPARAMETERS = {
    "hidden_layers": 2,
    "hidden_width": 64,
    "lr": 0.01,
    "gamma": 0.95,
    "tau": 0.01,
    "batch_size": 1024,
    "replay_size": 1_000_000,
    "warmup_transitions": 1024,
    "update_episodes": 4,
    "grad_clip": 0.5,
    "logit_penalty": 0.001,
    "temperature": 1.0,
    "layout_agents": 64,
}


def suite_text(methods: int, scenarios: int, seeds: int, points: int) -> str:
    """The suite file: one experiment, a training set for each scenario."""
    ids, names = [f"method-{m:03}" for m in range(methods)], [f"scenario-{s:03}" for s in range(scenarios)]
    episodes = points * EPISODES_A_POINT
    recording = {
        "record_every": EPISODES_A_POINT,
        "evaluate_every": EPISODES_A_POINT,
        "evaluation_episodes": RETURNS,
        "final_evaluation_episodes": RETURNS,
        "source": "made up",
    }
    tables: dict[str, Any] = {
        "schema": 2,
        "version": 1,
        "paper": {"id": "scale", "title": "A made-up suite", "authors": "Nobody", "year": 2026},
        "profile": {"full": {"says": "all there is"}},
        "scenario": [_scenario(name, agents) for agents, name in enumerate(names, 2)],
        "method": [_method(id_, number) for number, id_ in enumerate(ids)],
        "experiment": [
            {
                "id": "table",
                "where": "Table 1",
                "says": "every method on every scenario",
                "methods": ids,
                "baseline": ids[0],
                "training_sets": [{"id": name, "scenarios": [name]} for name in names],
                "seeds": {"value": seeds, "source": "made up"},
                "budget": {"episodes": episodes, "source": "made up"},
                "recording": recording,
            }
        ],
        "measure": [
            {"id": "overall", "says": "all", "kind": "window", "series": "training", "window": [0.0, 1.0]},
            {
                "id": "reach",
                "says": "when",
                "kind": "first_reach",
                "series": "training",
                "level": f"{ids[0]}:overall",
                "below": {"share_of_scale": 0.1},
                "smooth": 2,
                "hold": 1,
            },
            {"id": "early", "says": "the first tenth", "kind": "window", "series": "training", "window": [0.0, 0.1]},
            {"id": "late", "says": "the last tenth", "kind": "window", "series": "training", "window": [0.9, 1.0]},
            {"id": "final", "says": "at the end", "kind": "final"},
        ],
        "transfer": {"jump_start": "early", "time_to_threshold": "reach", "asymptote": "late", "area": "overall"},
        "published": [
            {
                "id": "table-1",
                "where": "Table 1",
                "experiment": "table",
                "metric": "step_reward",
                "protocol": "greedy",
                "margin": {"share_of_scale": 0.1},
                "spread": "std",
                "seeds": 5,
                "columns": names,
                "rows": {
                    id_: " ".join(f"{_level(m, s):.2f}±0.10" for s in range(scenarios)) for m, id_ in enumerate(ids)
                },
            }
        ],
        "claim": [_claim(name, ids) for name in names],
    }
    return tomli_w.dumps(tables)


def _scenario(name: str, agents: int) -> dict[str, Any]:
    return {
        "id": name,
        "where": "here",
        "says": f"{agents} agents",
        "family": "particle",
        "params": {"name": "simple_spread", "agents": agents, "dynamics": "openai"},
        "anchors": {"random": -6.0, "no_information": -5.0, "good": 5.0, "measured": "made up"},
        "episode_limit": LIMIT,
        "metric": "step_reward",
    }


def _method(id_: str, number: int) -> dict[str, Any]:
    own = HYPERPARAMETERS | {"lr": 0.001 + 0.0001 * number}
    settings = {name: {"value": value, "source": "made up"} for name, value in own.items()}
    return {"id": id_, "where": "here", "says": "made up", "algorithm": "maddpg", "hyperparameters": settings}


def _claim(scenario: str, ids: list[str]) -> dict[str, Any]:
    return {
        "id": f"better/{scenario}",
        "where": "Sec. 1",
        "says": "the last method beats the first",
        "experiments": ["table"],
        "scenarios": [scenario],
        "protocol": "greedy",
        "margin": {"share_of_scale": 0.1},
        "test": {"kind": "ordering", "greater": [f"{ids[-1]}:final"], "less": [f"{ids[0]}:final"]},
    }


def _level(method: int, scenario: int) -> float:
    """The score that a method ends at in a scenario."""
    return 0.02 * method - 0.05 * scenario


def write(folder: Path, methods: int = 100, scenarios: int = 40, seeds: int = 5, points: int = 100) -> Path:
    """Writes the suite file and a record for each of its runs; the suite file's path."""
    path = folder / "scale.toml"
    path.write_text(suite_text(methods, scenarios, seeds, points))
    store = Store(folder / "runs")
    store.open_for_writing()
    cells = make_plan(parse(path.read_bytes(), path), Selection()).cells
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(partial(_write_cell, store, points, scenarios), range(len(cells)), cells, chunksize=50))
    return path


def _write_cell(store: Store, points: int, scenarios: int, number: int, cell: Cell) -> None:
    for seed in cell.seeds:
        record = _record(cell, seed, points, _level(*divmod(number, scenarios)), np.random.default_rng([number, seed]))
        body = record.model_dump(mode="json") | {"numbers_hash": numbers_hash(record)}
        body["content_hash"] = sha256(canonical(body))
        store.record_path(record.run).write_bytes(readable(body))  # not synced: nothing is lost with these


def _record(cell: Cell, seed: int, points: int, level: float, draws: np.random.Generator) -> Record:
    run, rising = run_id(cell.key, seed, ()), level - 2 * np.exp(-np.linspace(0, 5, points))
    training, evaluation = (_curve(rising + draws.normal(0, 0.1, points), n) for n in (EPISODES_A_POINT, RETURNS))
    returns = level + draws.normal(0, 0.1) + draws.normal(0, 0.3, RETURNS)
    scores = Scores(
        curves={"training": training, "evaluation": evaluation},
        returns=tuple(returns.tolist()),
        final=float(returns.mean()),
    )
    return Record(
        run=run,
        cell=cell.key,
        suite=cell.suite,
        suite_version=1,
        experiment=cell.experiment,
        method=cell.method,
        training_set=cell.training_set,
        profile="full",
        seed=seed,
        settings=cell.settings,
        teachers=(),
        notes=cell.notes,
        status="finished",
        reason="",
        numbers=Numbers(scores=(scores,), first_update=EPISODES_A_POINT, weights=sha256(run.encode())),
        provenance=Provenance(
            started="2026-11-21T00:00:00Z",
            wall_s=100.0,
            cpu_s=90.0,
            lanes=5,
            device="cpu",
            hardware="made up",
            packages={"torch": "2.13.0", "numpy": "2.4.6", "python": "3.11.7"},
            commit="0" * 40,
            dirty=False,
        ),
    )


def _curve(means: np.ndarray, n: int) -> Curve:
    episodes = tuple(EPISODES_A_POINT * (p + 1) for p in range(len(means)))
    return Curve(
        episodes=episodes,
        steps=tuple(e * LIMIT for e in episodes),
        mean=tuple(means.tolist()),
        sd=tuple((0.3 + 0.01 * np.abs(means)).tolist()),
        n=(n,) * len(means),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, value in (("methods", 100), ("scenarios", 40), ("seeds", 5), ("points", 100)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print(write(options.folder, options.methods, options.scenarios, options.seeds, options.points))


if __name__ == "__main__":
    main()
