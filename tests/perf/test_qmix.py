"""QMIX (MLP agents) on speaker-listener, ten seeds in lanes, against a plain loop: an episode and an update by turns.

An epoch of the suite's qmix_teacher is one episode and one update; evaluations are left out on both sides.
"""

from __future__ import annotations

from contextlib import ExitStack

from tests.perf.measure import interleaved
from tests.perf.workers import Worker

LIMIT, STORED, ROUNDS = 25, 5000, 60
REQUIRED, REQUIRED_OF_UPDATES, GOAL = 5.0, 2.0, 4000  # the goal: environment steps per CPU second
OURS, NAIVE = "ours, 10 seeds in lanes", "naive, step by step as EPyMARL writes it"
LANES = {OURS: 10, "ours, 5 seeds in lanes": 5}
CODES = {
    **{name: {"allocator": True, "kind": "qmix", "seeds": seeds} for name, seeds in LANES.items()},
    NAIVE: {"allocator": False, "kind": "naive_qmix"},
    "naive, step by step, allocator settings": {"allocator": True, "kind": "naive_qmix"},
    "naive, whole sequences at once": {"allocator": False, "kind": "naive_qmix_whole"},
}


def test_qmix_against_a_plain_loop(benchmark, table):
    with ExitStack() as stack:
        workers = {n: stack.enter_context(Worker(stored=STORED, **c)) for n, c in CODES.items()}
        turns = {(name, part): w.turn(part) for name, w in workers.items() for part in ("rollout", "update")}
        found = benchmark.pedantic(interleaved, args=(turns, ROUNDS), rounds=1)
    lanes = dict.fromkeys(CODES, 1) | LANES
    costs = {n: (found[n, "rollout"] / lanes[n], found[n, "update"] / lanes[n]) for n in CODES}  # ms a seed
    rates = {name: 1000 * LIMIT / sum(cost) for name, cost in costs.items()}
    ratios = {name: sum(cost) / sum(costs[OURS]) for name, cost in costs.items()}
    table(
        "QMIX on speaker-listener: CPU milliseconds of a seed's episode and update",
        ["code", "episode", "update", "environment steps per CPU second", "of ours", "update, of ours"],
        [
            [n, f"{r:.2f}", f"{u:.2f}", f"{rates[n]:,.0f}", f"{ratios[n]:.2f}", f"{u / costs[OURS][1]:.2f}"]
            for n, (r, u) in costs.items()
        ],
    )
    benchmark.extra_info |= {"ms": costs, "steps_per_cpu_s": rates, "goal": GOAL}
    assert ratios[NAIVE] >= REQUIRED
    assert costs[NAIVE][1] >= REQUIRED_OF_UPDATES * costs[OURS][1]
