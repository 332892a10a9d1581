"""An update of MA-SAC beside its bare products, for 2 and 4 agents. Turns alternate."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.perf.masac import UPDATES
from tests.perf.measure import interleaved
from tests.perf.workers import Worker

ROUNDS, LEAST_OF_PRODUCTS = 20, 0.65  # of their speed


@pytest.mark.parametrize("agents", [2, 4])
def test_an_update_reaches_its_products_speed(agents, benchmark, table):
    with ExitStack() as stack:
        worker = stack.enter_context(Worker(allocator=True, kind="masac", agents=agents))
        turns = {part: worker.turn(part) for part in ("updates", "products")}
        found = benchmark.pedantic(interleaved, args=(turns, ROUNDS), rounds=1)
    update, bare = found["updates"] / UPDATES, found["products"] / UPDATES
    table(
        f"MA-SAC, spread with {agents} agents, batch 1,024, one seed",
        ["update, ms", "its bare products, ms", "of the products' speed"],
        [[f"{update:.1f}", f"{bare:.1f}", f"{100 * bare / update:.0f}%"]],
    )
    benchmark.extra_info |= {"update_ms": update, "products_ms": bare}
    assert bare / update >= LEAST_OF_PRODUCTS
