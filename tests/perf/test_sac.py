"""SAC on HalfCheetah-v4, an update a step, against stable-baselines3's and a plain loop; ensembles; its bare products.

Every code plays, stores and updates for itself: a whole step except evaluations. Turns alternate.
"""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec

import pytest

from tests.perf.measure import interleaved
from tests.perf.sac import STEPS
from tests.perf.workers import Worker

STORED, ROUNDS = 300, 40
DISTILLED, MINIBATCHES = 513, 20  # transitions, of which two whole blocks; five epochs of them for each of two students
OURS, LIBRARY, PLAIN, THREE = "ours", "stable-baselines3", "plain, as CleanRL builds it", "ours, 3 members"
REQUIRED = {LIBRARY: 1.5, PLAIN: 1.3}  # of their time
MOST_OF_THREE = 3.1  # times one member
LEAST_OF_PRODUCTS, GOAL = 0.4, 0.65  # of their speed
CODES = {
    OURS: {"allocator": True, "kind": "sac"},
    THREE: {"allocator": True, "kind": "sac", "members": 3},
    LIBRARY: {"allocator": False, "kind": "sb3_sac"},
    PLAIN: {"allocator": False, "kind": "naive_sac"},
}
MISSING = [name for name in ("mujoco", "stable_baselines3") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: SAC was not timed")


def test_sac_against_a_library_and_a_plain_loop(benchmark, table):
    with ExitStack() as stack:
        workers = {n: stack.enter_context(Worker(stored=STORED, **own)) for n, own in CODES.items()}
        turns = {(name, "steps"): worker.turn("steps") for name, worker in workers.items()}
        turns |= {(OURS, part): workers[OURS].turn(part) for part in ("updates", "products")}
        found = benchmark.pedantic(interleaved, args=(turns, ROUNDS), rounds=1)
    each = {key: total / STEPS for key, total in found.items()}
    ratios = {name: each[name, "steps"] / each[OURS, "steps"] for name in CODES}
    table(
        f"SAC, HalfCheetah-v4, an update a step; goal: {100 * GOAL:.0f}% of the products' speed",
        ["code", "ms a step", "steps a CPU second", "of ours"],
        [[n, f"{each[n, 'steps']:.2f}", f"{1000 / each[n, 'steps']:.0f}", f"{r:.2f}"] for n, r in ratios.items()],
    )
    update, bare = each[OURS, "updates"], each[OURS, "products"]
    share = bare / update
    table(
        "An update of one member",
        ["update, ms", "its bare products, ms", "of the products' speed", "of a step"],
        [[f"{update:.2f}", f"{bare:.2f}", f"{100 * share:.0f}%", f"{100 * update / each[OURS, 'steps']:.0f}%"]],
    )
    benchmark.extra_info |= {"ms": {f"{n}, {part}": t for (n, part), t in each.items()}, "ratios": ratios}
    assert {name: ratios[name] for name in REQUIRED if ratios[name] < REQUIRED[name]} == {}
    assert ratios[THREE] <= MOST_OF_THREE
    assert share >= LEAST_OF_PRODUCTS


def test_a_distillation_s_minibatch_costs_less_than_the_critics_and_actor_s_steps(benchmark, table):
    with ExitStack() as stack:
        sac = stack.enter_context(Worker(allocator=True, kind="sac", stored=STORED))
        distilling = stack.enter_context(Worker(allocator=True, kind="distilling", stored=DISTILLED))
        turns = {"parts": sac.turn("parts"), "distil": distilling.turn("distil")}
        found = benchmark.pedantic(interleaved, args=(turns, ROUNDS), rounds=1)
    parts, minibatch = found["parts"] / STEPS, found["distil"] / MINIBATCHES
    table(
        "A distillation's minibatch of one student, all that a distillation takes included",
        ["ms", "the critics' and the actor's steps of an update, ms", "of them"],
        [[f"{minibatch:.2f}", f"{parts:.2f}", f"{minibatch / parts:.2f}"]],
    )
    assert minibatch <= parts
