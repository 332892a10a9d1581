"""MAAC's update on KnowRU's task VIII against a plain PyTorch loop that goes agent by agent. Turns alternate."""

from __future__ import annotations

from contextlib import ExitStack

from tests.perf.measure import interleaved
from tests.perf.workers import Worker

ROUNDS, REQUIRED = 12, 2.0
OURS, LANES, PLAIN = "ours", "ours, 2 seeds in lanes", "plain, agent by agent"
CODES = {
    OURS: {"allocator": True, "kind": "maac", "seeds": 1},
    LANES: {"allocator": True, "kind": "maac", "seeds": 2},
    PLAIN: {"allocator": False, "kind": "naive_maac"},
}


def test_maac_against_a_plain_loop(benchmark, table):
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(**own)) for name, own in CODES.items()}
        turns = {name: worker.turn("update") for name, worker in workers.items()}
        found = benchmark.pedantic(interleaved, args=(turns, ROUNDS), rounds=1)
    each = {**found, LANES: found[LANES] / 2}
    ratios = {name: own / each[OURS] for name, own in each.items()}
    rows = [[name, f"{each[name]:.1f}", f"{ratio:.2f}"] for name, ratio in ratios.items()]
    table("MAAC, task VIII, an update of a seed", ["code", "ms", "of ours"], rows)
    benchmark.extra_info |= {"ms": each, "ratios": ratios}
    assert ratios[PLAIN] >= REQUIRED
