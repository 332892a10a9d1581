"""What is timed, and how: the suite's learner beside its bare matrix products, and other comparisons.

Every figure is CPU time: a median of turns that alternate with those of the code that it is compared
to. So a noisy machine slows both. On a GPU it is wall time between two synchronisations. Axes as in nn.py.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import TypeVar

import torch
from torch import Tensor

from baselines import specs
from baselines.knowru import knowru
from baselines.learner import Layout, Rollout, Task, Teacher
from baselines.maddpg import MADDPG
from baselines.qmix import qmix
from baselines.streams import Streams
from bench.envs import checked, make
from bench.envs.particle.layouts import slots, width
from bench.envs.scores import episode_scores
from bench.run.playing import play
from bench.suite.loading import load

ACTIONS, EPISODES, LIMIT = 5, 5000, 25  # of KnowRU's simple_spread tasks
LAYOUT_AGENTS = 8  # the suite's actors read a layout for so many agents
FILLING = 50  # episodes appended at once where a replay is filled

Key = TypeVar("Key")


def hyperparameters(method: str, agents: int) -> dict:
    """As in the suite file, except for teams that do not fit its common layout."""
    values = {name: setting.value for name, setting in load("knowru").settings(method).items()}
    return values | {"layout_agents": max(agents, LAYOUT_AGENTS)}


def updates(settings: specs.MADDPG) -> int:
    """Updates of a whole run: one per round, once the warm-up and a batch are stored."""
    needed = max(settings.warmup_transitions, settings.batch_size)
    rounds = range(settings.update_episodes, EPISODES + 1, settings.update_episodes)
    return sum(episodes * LIMIT >= needed for episodes in rounds)


class SuiteWork:
    """The suite's own MADDPG, or knowru, on simple_spread: `rollout`, `update` and `products` are one turn each.

    rollout: a round of all seeds, as bench/run/ plays it. update: storing a round, then an update of all seeds.
    products: the bare matrix products of one seed's update. stored: episodes in each seed's replay beforehand.
    """

    def __init__(self, agents: int, seeds: int, stored: int, method: str = "maddpg", device: str = "cpu"):
        self.params = checked("particle", {"name": "simple_spread", "agents": agents, "dynamics": "openai"})
        self.environment = make("particle", self.params, device)
        self.streams = [Streams(seed, device) for seed in range(seeds)]
        self.learner = self._learner(method, device)
        for _ in range(0, stored, FILLING):
            self.learner.replay.append(random_rollout(agents, seeds, FILLING, device))
        self.played = self._play()
        self.learner.learn(0, self.played, stored)
        self._products = [run for run, _ in products(agents, method == "knowru", device)]
        self.gflop = sum(operations for _, operations in products(agents, method == "knowru", device)) / 1e9

    def rollout(self) -> None:
        episode_scores("step_reward", self.params, self._play().rewards)

    def update(self) -> None:
        self.learner.learn(0, self.played, EPISODES // 2)

    def products(self) -> None:
        for run in self._products:
            run()

    def _play(self) -> Rollout:
        streams = [stream["environment"] for stream in self.streams]
        return play(self.environment, streams, self.learner.copies, LIMIT, self.learner.exploring(0, 0)).rollout

    def _learner(self, method: str, device: str) -> MADDPG:
        n, layout_agents = self.environment.agents, max(self.environment.agents, LAYOUT_AGENTS)
        layout = Layout(width(self.params, layout_agents), slots(self.params, layout_agents))
        task = Task(n, self.environment.obs_size, ACTIONS, LIMIT, EPISODES, layout)
        base = specs.MADDPG.model_validate(hyperparameters("maddpg", n))
        maddpg = MADDPG([task], base, self.streams, device)
        if method == "maddpg":
            return maddpg
        teacher = Teacher(maddpg.policy(), layout, lambda obs: obs)
        task = Task(n, task.obs_size, ACTIONS, LIMIT, EPISODES, layout, teacher)
        settings = specs.KnowRU.model_validate(hyperparameters("knowru", n))
        return knowru([task], settings, self.streams, device)


class TeamWork:
    """The suite's own qmix_teacher on speaker-listener: `rollout` is a round of all seeds, `update` an update of them.

    stored: episodes in each seed's replay beforehand.
    """

    def __init__(self, seeds: int, stored: int, device: str = "cpu"):
        suite = load("mkt_marl")
        scenario, settings = suite["scenario", "mpe/speaker_listener"], suite.settings("qmix_teacher")
        self.params, self.limit = checked(scenario.family, scenario.params), scenario.steps
        self.environment = make(scenario.family, self.params, device)
        self.streams = [Streams(seed, device) for seed in range(seeds)]
        agents, obs, actions = self.environment.agents, self.environment.obs_size, self.environment.action_size
        layout, state = Layout(obs, tuple(range(obs))), self.params.state_size
        task = Task(agents, obs, actions, self.limit, 2 * stored, layout, state_size=state, common_reward=True)
        values = specs.QMIX.model_validate({name: setting.value for name, setting in settings.items()})
        self.learner = qmix([task], values, self.streams, device)
        played = self._play()
        while self.learner.replays[0].episodes < stored:
            self.learner.replays[0].append(played)
        self.played = played

    def rollout(self) -> None:
        episode_scores("return_sum", self.params, self._play().rewards)

    def update(self) -> None:
        self.learner.learn(0, self.played, self.learner.replays[0].episodes)

    def _play(self) -> Rollout:
        streams = [stream["environment"] for stream in self.streams]
        return play(self.environment, streams, self.learner.copies, self.limit, self.learner.exploring(0, 0)).rollout


def random_rollout(agents: int, seeds: int, episodes: int, device: str) -> Rollout:
    lead = (seeds, episodes)
    return Rollout(
        torch.randn(*lead, LIMIT + 1, agents, 6 * agents, device=device),
        torch.rand(*lead, LIMIT, agents, ACTIONS, device=device),
        torch.randn(*lead, LIMIT, agents, device=device),
        torch.zeros(*lead, LIMIT, dtype=torch.bool, device=device),
        torch.ones(*lead, LIMIT + 1, agents, ACTIONS, dtype=torch.bool, device=device),
    )


def products(agents: int, knowru: bool, device: str) -> Iterator[tuple[Callable[[], Tensor], int]]:
    """Each bare product of one seed's update, into memory of its own, with its floating-point operations."""

    def product(times: int, networks: int, rows: int, inner: int, columns: int):
        a, b = (torch.randn(networks, *shape, device=device) for shape in ((rows, inner), (inner, columns)))
        out = torch.empty(networks, rows, columns, device=device)
        for _ in range(times):
            yield lambda: torch.bmm(a, b, out=out), 2 * networks * rows * inner * columns

    settings = specs.MADDPG.model_validate(hyperparameters("maddpg", agents))
    n, o, h, a, b = agents, 6 * agents, settings.hidden_width, ACTIONS, settings.batch_size
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


def milliseconds(run: Callable[[], object], device: str = "cpu") -> float:
    """CPU time of one call; on a GPU wall time until the device has done it."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        start = time.perf_counter()
        run()
        torch.cuda.synchronize(device)
        return 1000 * (time.perf_counter() - start)
    start = time.process_time()
    run()
    return 1000 * (time.process_time() - start)


def interleaved(turns: Mapping[Key, Callable[[], float]], rounds: int) -> dict[Key, float]:
    """Median of each turn's milliseconds over this many rounds; every turn comes once in each."""
    taken: dict[Key, list[float]] = {key: [] for key in turns}
    for _ in range(rounds):
        for key, turn in turns.items():
            taken[key].append(turn())
    return {key: median(times) for key, times in taken.items()}


def main() -> None:
    """How near the updates come to their bare products, in this process with its current settings."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("agents", type=int, nargs="*", default=[4, 6, 8])
    parser.add_argument("--method", choices=["maddpg", "knowru"], default="maddpg")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for agents in options.agents:
        work = SuiteWork(agents, seeds=5, stored=400, method=options.method)
        found = interleaved({run: lambda run=run: milliseconds(run) for run in (work.update, work.products)}, 40)
        update, bare = found[work.update] / 5, found[work.products]
        print(
            f"N={agents}: {work.gflop:.2f} GFLOP; products {bare:.2f} ms; update of a seed {update:.2f} ms, "
            f"{100 * bare / update:.0f}% of the products' speed"
        )


if __name__ == "__main__":
    main()
