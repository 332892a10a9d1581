"""How cost grows with agents, seeds and processes, and the bound of updates: their bare matrix products.

    python -m tests.perf.scaling [--agents 4 8 16] [--seeds 1 5 20] [--processes 1 2] [--device cpu|cuda]

On a GPU the times are wall times; the learner runs without CUDA graphs, so there is no column for them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack

from tests.perf.conftest import markdown
from tests.perf.measure import LIMIT, hyperparameters, interleaved
from tests.perf.workers import Worker, at_once

STORED = 200  # episodes in each replay
PARTS = ("rollout", "update", "products")
COLUMNS = ["agents", "seeds", "processes", "ms an update and seed", "of the products' speed", "ms 1,000 steps"]
Point = tuple[int, int, int]  # agents, seeds of a process, processes


def measured(agents: int, seeds: Sequence[int], processes: Sequence[int], rounds: int, device: str) -> dict:
    """Milliseconds by point and part: "rollout" of 1,000 environment steps of one seed, "update" of one seed,
    "products" of one seed's update.
    """
    steps = hyperparameters("maddpg", agents)["update_episodes"] * LIMIT
    with ExitStack() as stack:
        workers = {
            s: [
                stack.enter_context(Worker(allocator=True, agents=agents, seeds=s, stored=STORED, device=device))
                for _ in range(max(processes))
            ]
            for s in seeds
        }
        turns = {
            ((agents, s, p), part): lambda own=workers[s][:p], part=part: at_once(own, part)
            for s in seeds
            for p in processes
            for part in PARTS
        }
        found = interleaved(turns, rounds)
    shares = {"rollout": 1000 / steps, "update": 1.0, "products": 1.0}
    divisors = {(point, part): 1 if part == "products" else point[1] for point, part in found}
    return {key: ms * shares[key[1]] / divisors[key] for key, ms in found.items()}


def rows(found: dict) -> list[list[str]]:
    points = sorted({point for point, _ in found}, key=lambda point: (point[2], *point[:2]))
    return [
        [
            *map(str, point),
            f"{found[point, 'update']:.2f}",
            f"{100 * found[point, 'products'] / found[point, 'update']:.0f}%",
            f"{found[point, 'rollout']:.1f}",
        ]
        for point in points
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    found = {}
    for agents in options.agents:
        found |= measured(agents, options.seeds, options.processes, options.rounds, options.device)
    print(*markdown(f"Cost on {options.device}", COLUMNS, rows(found)), sep="\n")


if __name__ == "__main__":
    main()
