"""The code that test_masac.py times: the suite's MA-SAC on spread with continuous actions, and its bare products.

Axes: K networks side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from baselines import specs
from baselines.learner import Layout, Task
from baselines.masac import MASAC
from baselines.streams import Streams
from bench.envs import checked, make
from bench.run.playing import play
from bench.suite.loading import load

LIMIT, UPDATES = 25, 2  # steps of an episode; updates of a turn


class MASACWork:
    """One seed at the suite's settings, rounds of random episodes stored."""

    def __init__(self, agents: int, rounds: int = 20):
        suite, streams = load("dvm"), [Streams(0)]
        scenario = suite["scenario", f"spread-{agents}/continuous/phase-1"]
        params = checked(scenario.family, scenario.params)
        obs = params.obs_sizes[0]
        task = Task(agents, obs, params.action_size, LIMIT, 10**4, Layout(obs, tuple(range(obs))), continuous=True)
        values = {name: setting.value for name, setting in suite.settings("masac").items()}
        self.learner, environment = (
            MASAC([task], specs.MASAC.model_validate(values), streams, "cpu"),
            make(scenario.family, params),
        )
        for done in range(rounds):
            act = self.learner.exploring(0, done * self.learner.copies)
            starts = [s["environment"] for s in streams]
            self.learner.replay.append(play(environment, starts, self.learner.copies, LIMIT, act).rollout)
        self.drawn = self.learner._drawn()
        found = list(products(agents, obs, params.action_size, self.learner.hyperparameters))
        self._products = [run for run, _ in found]
        self.gflop = sum(operations for _, operations in found) / 1e9

    def updates(self) -> None:
        """Their random numbers are drawn beforehand."""
        for _ in range(UPDATES):
            self.learner._update(*self.drawn, {})

    def products(self) -> None:
        """The products of as many updates."""
        for _ in range(UPDATES):
            for run in self._products:
                run()


def products(agents: int, obs: int, actions: int, h: specs.MASAC) -> Iterator[tuple[Callable[[], object], int]]:
    """Each bare product of one seed's update, into memory of its own, with its floating-point operations.

    A call for each agent's networks, as in the learner: a stack of all agents' would not fit the cache.
    """

    def product(times: int, rows: int, inner: int, columns: int) -> Iterator[tuple]:
        a, b = (torch.randn(1, *shape) for shape in ((rows, inner), (inner, columns)))
        out = torch.empty(1, rows, columns)
        for _ in range(times * agents):
            yield lambda: torch.bmm(a, b, out=out), 2 * rows * inner * columns

    width, batch = h.hidden_width, h.batch_size
    assert (h.hidden_layers, h.q_networks) == (2, 1)

    def forward(times: int, inputs: int, outputs: int) -> Iterator[tuple]:
        yield from product(times, width, inputs, batch)
        yield from product(times, width, width, batch)
        yield from product(times, outputs, width, batch)

    def backward(inputs: int, outputs: int) -> Iterator[tuple]:
        """Gradients of weights, and through all layers but the first."""
        yield from product(1, outputs, batch, width)
        yield from product(1, width, outputs, batch)
        yield from product(1, width, batch, width)
        yield from product(1, width, width, batch)
        yield from product(1, width, batch, inputs)

    joint, seen = agents * (obs + actions), agents * obs
    for times, inputs, outputs in ((1, obs, 2 * actions), (2, joint, 1), (2, seen, 1)):  # policy; Q twice; V and target
        yield from forward(times, inputs, outputs)
        yield from backward(inputs, outputs)
    yield from product(1, width, 1, batch)  # through Q to the actions drawn anew
    yield from product(1, width, width, batch)
    yield from product(1, agents * actions, width, batch)
