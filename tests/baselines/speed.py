"""How fast an update is, beside the bare matrix products that it cannot do without. Not a test: run it as a script.

    python tests/baselines/speed.py [agents ...] [--knowru]

Products and updates alternate in one process, so that a noisy machine slows both. Axes as in nn.py.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median

import torch
from torch import Tensor

from baselines import specs
from baselines.knowru import KnowRU
from baselines.learner import Layout, Rollout, Task, Teacher
from baselines.maddpg import MADDPG
from baselines.streams import Streams

BATCH, HIDDEN, ACTIONS, LIMIT = 1024, 64, 5, 25
COMMON = {
    "hidden_layers": 3,
    "hidden_width": HIDDEN,
    "lr": 0.01,
    "gamma": 0.95,
    "tau": 0.01,
    "batch_size": BATCH,
    "replay_size": 1_000_000,
    "warmup_transitions": 1024,
    "update_episodes": 4,
    "grad_clip": 0.5,
    "logit_penalty": 0.001,
    "temperature": 1.0,
    "layout_agents": 0,
}
REUSE = {
    "alpha_start": 0.5,
    "alpha_end": 0.02,
    "anneal_fraction": 1.0,
    "reuse_loss": "mse",
    "reuse_scale": "order_of_magnitude",
    "teacher_view": "same",
}


def products(agents: int, knowru: bool) -> Iterator[tuple[Callable[[], Tensor], int]]:
    """Each bare product of one seed's update, into memory of its own, with its floating-point operations."""

    def product(times: int, networks: int, rows: int, inner: int, columns: int):
        a, b = torch.randn(networks, rows, inner), torch.randn(networks, inner, columns)
        out = torch.empty(networks, rows, columns)
        for _ in range(times):
            yield lambda: torch.bmm(a, b, out=out), 2 * networks * rows * inner * columns

    n, o, h, a, b = agents, 6 * agents, HIDDEN, ACTIONS, BATCH
    joint, teacher = n * (o + a), int(knowru)
    yield from product(3, 1, n * h, joint, b)  # first critic layer: target, critic's pass, actor's pass
    yield from product(1, 1, n * h, b, joint)  # its weights' gradient
    yield from product(2 + teacher, n, h, o, b)  # first actor layer: target, actor
    yield from product(1, n, h, b, o)
    # hidden layers: two of each network; 5 forward passes, 3 backward to inputs, 2 to weights
    yield from product(2 * (5 + teacher) + 2 * 3, n, h, h, b)
    yield from product(2 * 2, n, h, b, h)
    yield from product(2 + teacher, n, a, h, b)  # actor's output
    yield from product(1, n, h, a, b)
    yield from product(1, n, a, b, h)
    yield from product(1, n, h, a, b)  # own action into the critic
    yield from product(1, n, a, h, b)


def learner(agents: int, seeds: int, knowru: bool) -> MADDPG:
    obs_size = 6 * agents
    layout = Layout(obs_size, tuple(range(obs_size)))
    task = Task(agents, obs_size, ACTIONS, LIMIT, 5000, layout)
    streams = [Streams(seed) for seed in range(seeds)]
    if not knowru:
        return MADDPG(task, specs.MADDPG(**COMMON), streams, "cpu")
    weights = MADDPG(task, specs.MADDPG(**COMMON), streams, "cpu").policy()
    task = Task(agents, obs_size, ACTIONS, LIMIT, 5000, layout, Teacher(weights, layout, lambda obs: obs))
    return KnowRU(task, specs.KnowRU(**COMMON, **REUSE), streams, "cpu")


def milliseconds(run: Callable[[], object]) -> float:
    """CPU time, which waits for no colleague."""
    start = time.process_time()
    run()
    return 1000 * (time.process_time() - start)


def random_rollout(agents: int, seeds: int, episodes: int) -> Rollout:
    lead = (seeds, episodes)
    return Rollout(
        torch.randn(*lead, LIMIT + 1, agents, 6 * agents),
        torch.rand(*lead, LIMIT, agents, ACTIONS),
        torch.randn(*lead, LIMIT, agents),
        torch.zeros(*lead, LIMIT, dtype=torch.bool),
    )


def measure(agents: int, knowru: bool, seeds: int = 5, repeats: int = 40) -> str:
    maddpg = learner(agents, seeds, knowru)
    maddpg.learn(random_rollout(agents, seeds, 400), 400)
    bare, played = list(products(agents, knowru)), random_rollout(agents, seeds, 4)
    updates, baseline = [], []
    for _ in range(repeats):
        baseline.append(milliseconds(lambda: [run() for run, _ in bare]))
        updates.append(milliseconds(lambda: maddpg.learn(played, 404)) / seeds)
    gflop, update, products_ms = sum(flops for _, flops in bare) / 1e9, median(updates), median(baseline)
    noise, obs = maddpg.exploration_noise(), played.obs[:, :, 0]
    explore = median(milliseconds(lambda: maddpg.explore(obs, noise[0])) for _ in range(200))
    draw = median(milliseconds(maddpg.exploration_noise) for _ in range(20))
    return (
        f"N={agents}: {gflop:.2f} GFLOP; products {products_ms:.2f} ms; learn, a seed and update {update:.2f} ms "
        f"({100 * products_ms / update:.0f}% of the products' speed, {1000 * gflop / update:.0f} GFLOP/s); "
        f"explore, 5 seeds x 4 copies {explore:.3f} ms; noise of a round {draw:.2f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("agents", type=int, nargs="*", default=[4, 6, 8])
    parser.add_argument("--knowru", action="store_true")
    options = parser.parse_args()
    for agents in options.agents:
        print(measure(agents, options.knowru))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
