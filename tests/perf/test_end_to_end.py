"""End to end on KnowRU's task I (4 agents): CPU seconds of a seed, five seeds in lanes against the naive reference.

Rollout and update are measured apart and weighted by their share of a whole run of the suite: 5,000 episodes and its
number of updates. Evaluations are left out on both sides.
"""

from __future__ import annotations

from contextlib import ExitStack

from tests.perf.measure import EPISODES, hyperparameters, interleaved, specs, updates
from tests.perf.workers import Worker

AGENTS, SEEDS, STORED = 4, 5, EPISODES // 2  # a replay as full as it is on average
ROUNDS = 40
REQUIRED = 6.0
OURS, NAIVE = "ours, 5 seeds in lanes", "naive"
CODES = {
    OURS: {"allocator": True, "seeds": SEEDS},
    "ours without the allocator settings": {"allocator": False, "seeds": SEEDS},
    NAIVE: {"allocator": False, "kind": "naive_own_batches"},
    "naive with the allocator settings": {"allocator": True, "kind": "naive_own_batches"},
    "naive, one batch for all agents": {"allocator": False, "kind": "naive"},
    "naive, one batch, allocator settings": {"allocator": True, "kind": "naive"},
}


def seconds_of_a_seed(found: dict[tuple[str, str], float], name: str) -> tuple[float, float]:
    """Rollout and updates of a whole run, from the milliseconds of one turn of each."""
    settings = specs.MADDPG.model_validate(hyperparameters("maddpg", AGENTS))
    suite = "seeds" in CODES[name]
    lanes, episodes = (SEEDS, settings.update_episodes) if suite else (1, 1)
    rollout = found[name, "rollout"] / lanes * EPISODES / episodes
    return rollout / 1000, found[name, "update"] / lanes * updates(settings) / 1000


def test_six_times_the_naive_reference(benchmark, table):
    with ExitStack() as stack:
        workers = {n: stack.enter_context(Worker(agents=AGENTS, stored=STORED, **c)) for n, c in CODES.items()}
        turns = {(name, part): w.turn(part) for name, w in workers.items() for part in ("rollout", "update")}
        found = benchmark.pedantic(interleaved, args=(turns, ROUNDS), rounds=1)
    costs = {name: seconds_of_a_seed(found, name) for name in CODES}
    ratios = {name: sum(cost) / sum(costs[OURS]) for name, cost in costs.items()}
    table(
        "CPU seconds of a seed, task I, 5,000 episodes",
        ["code", "rollout", "updates", "together", "of ours"],
        [[n, f"{r:.1f}", f"{u:.1f}", f"{r + u:.1f}", f"{ratios[n]:.2f}"] for n, (r, u) in costs.items()],
    )
    saved = [naive - own for naive, own in zip(costs[NAIVE], costs[OURS], strict=True)]
    table("Of what is saved", ["rollout", "updates"], [[f"{100 * s / sum(saved):.0f}%" for s in saved]])
    benchmark.extra_info |= {"cpu_s": costs, "ratios": ratios}
    assert ratios[NAIVE] >= REQUIRED
