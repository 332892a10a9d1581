"""The code that test_sac.py times: the suite's SAC on HalfCheetah-v4, its bare products, and stable-baselines3's SAC.

Axes: S seed, M member, K networks side by side.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import torch

from baselines import specs
from baselines.cikd import CIKD
from baselines.learner import Layout, Task
from baselines.sac import SAC
from baselines.streams import Streams
from bench.envs import checked, make
from bench.run.stepping import Stepping
from bench.suite.loading import load

NAME, LIMIT, STEPS = "HalfCheetah-v4", 1000, 20  # environment steps, and updates, of a turn


class SACWork:
    """One seed at the suite's settings. A turn of `steps`: playing, storing, updating, as bench/run/ does it."""

    def __init__(self, stored: int, members: int = 1):
        params, streams = checked("mujoco", {"name": NAME}), [Streams(0)]
        values = {name: setting.value for name, setting in load("cikd").settings("vanilla_sac").items()}
        layout = Layout(params.obs_size, tuple(range(params.obs_size)))
        task = Task(1, params.obs_size, params.action_size, LIMIT, 10**6, layout, continuous=True)
        self.settings = specs.SAC.model_validate(values | {"warmup_transitions": stored})
        self.learner = SAC([task], self.settings, streams, "cpu", members=members)
        self.player = Stepping(make("mujoco", params), [s["environment"] for s in streams], 1, LIMIT)
        self.done = 0
        self._play(stored)
        found = list(products(params.obs_size, params.action_size, self.settings))
        self._products = [run for run, _ in found]
        self.gflop = sum(operations for _, operations in found) / 1e9

    def steps(self) -> None:
        self._play(STEPS)

    def updates(self) -> None:
        """As many as in a turn of `steps`, their batches drawn beforehand."""
        for _ in range(STEPS):
            self.learner._update(*self.drawn, {})

    @torch.no_grad()
    def parts(self) -> None:
        """The critics' and the actor's steps of as many updates."""
        batch, noise = self.drawn
        for _ in range(STEPS):
            self.learner._critic_step(batch, noise[:, 0], self.learner._alpha.value)
            self.learner._actor_step(batch, noise[:, 1], self.learner._alpha.value)

    def products(self) -> None:
        """The products of as many updates."""
        for _ in range(STEPS):
            for run in self._products:
                run()

    def _play(self, steps: int) -> None:
        for _ in range(steps):
            played, _ = self.player.play(1, self.learner.exploring(0, self.done))
            self.done += 1
            self.learner.learn(0, played, self.done)
        self.drawn = self.learner._drawn()


def products(obs: int, actions: int, h: specs.SAC) -> Iterator[tuple[Callable[[], object], int]]:
    """Each bare product of one member's update, into memory of its own, with its floating-point operations."""

    def product(times: int, networks: int, rows: int, inner: int, columns: int) -> Iterator[tuple]:
        a, b = (torch.randn(networks, *shape) for shape in ((rows, inner), (inner, columns)))
        out = torch.empty(networks, rows, columns)
        for _ in range(times):
            yield lambda: torch.bmm(a, b, out=out), 2 * networks * rows * inner * columns

    joint, width, batch = obs + actions, h.hidden_width, h.batch_size
    assert h.hidden_layers == 2
    yield from product(2, 1, width, obs, batch)  # the actor, in the next states and in the states
    yield from product(2, 1, width, width, batch)
    yield from product(2, 1, 2 * actions, width, batch)
    yield from product(3, 1, 2 * width, joint, batch)  # both critics: targets, their own step, the actor's
    yield from product(3, 2, width, width, batch)
    yield from product(3, 2, 1, width, batch)
    yield from product(1, 2, 1, batch, width)  # the critics' gradients
    yield from product(1, 2, width, batch, width)
    yield from product(1, 1, 2 * width, batch, joint)
    yield from product(2, 2, width, 1, batch)  # through the critics, twice
    yield from product(2, 2, width, width, batch)
    yield from product(1, 1, actions, 2 * width, batch)
    yield from product(1, 1, 2 * actions, batch, width)  # the actor's gradients
    yield from product(1, 1, width, 2 * actions, batch)
    yield from product(1, 1, width, batch, width)
    yield from product(1, 1, width, width, batch)
    yield from product(1, 1, width, batch, obs)


class Distilling:
    """A turn of `distil`: SAC-CIKD's three members are compared, and one teaches the two others."""

    def __init__(self, stored: int):
        params, streams = checked("mujoco", {"name": NAME}), [Streams(0)]
        values = {name: setting.value for name, setting in load("cikd").settings("sac_cikd").items()}
        layout = Layout(params.obs_size, tuple(range(params.obs_size)))
        task = Task(1, params.obs_size, params.action_size, LIMIT, 10**6, layout, continuous=True)
        settings = specs.CIKD.model_validate(values | {"warmup_transitions": stored + 1})
        self.learner = CIKD([task], settings, streams, "cpu")
        player = Stepping(make("mujoco", params), [s["environment"] for s in streams], 1, LIMIT)
        for done in range(stored):
            self.learner.learn(0, player.play(1, self.learner.exploring(0, done))[0], done + 1)

    def distil(self) -> None:
        self.learner.share()


class LibrarySAC:
    """stable-baselines3's unchanged SAC; its defaults are the suite's settings."""

    def __init__(self, stored: int):
        import stable_baselines3

        warnings.simplefilter("ignore")  # gymnasium would rather have a -v5
        self.model = stable_baselines3.SAC("MlpPolicy", NAME, learning_starts=stored, device="cpu", seed=0)
        self.model.learn(stored)

    def steps(self) -> None:
        self.model.learn(STEPS, reset_num_timesteps=False)
