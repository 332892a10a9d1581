"""QMIX with a GRU on SMAX's 3s_vs_5z, in PTDE's sizes: the suite's own code, a plain loop, and JAX's own scan.

    python -m tests.perf.smax ours | plain | steps_BATTLES

Each is a process that is measured by turns (`workers.Worker`). CPU time is that of the process and of those that it has
started: battles are played in a process of their own. A turn that plays answers with its milliseconds a step of one
battle, any other with its milliseconds.

Axes: B battle, N agent, O observation entry, A action, X state entry, T time step.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from baselines import specs
from baselines.learner import Layout, Rollout, Task
from baselines.qmix import qmix
from baselines.streams import Streams
from bench.envs import checked, make
from bench.envs.smax.environment import Battlefield
from bench.run.playing import play
from bench.suite.loading import load
from tests.perf.memory import children

MAP, LIMIT, BATTLES, STORED = "3s_vs_5z", 250, 8, 128
SCANNED = 400  # steps of a turn of `steps` and of JAX's scan
HIDDEN, MIXING, HYPER, BATCH = 64, 32, 64, 128
LR, GAMMA, LAMBDA, CLIP, UNAVAILABLE = 1e-3, 0.99, 0.6, 10.0, -9_999_999.0

Turn = Callable[[], int | None]  # battles' steps that it has played


def cpu_ms() -> float:
    """CPU time of this process and its children so far."""
    used = 0
    for folder in (Path(f"/proc/{os.getpid()}"), *children()):
        for thread in (folder / "task").iterdir():
            used += int((thread / "schedstat").read_text().split()[0])
    return used / 1e6


class Ours:
    """The suite's `qmix` of PTDE, one seed, as every seed trains on SMAX: `rollout` is a round of 8 battles."""

    def __init__(self) -> None:
        params = checked("smax", {"name": MAP})
        self.environment = make("smax", params, "cpu")
        layout = Layout(params.obs_size, tuple(range(params.obs_size)))
        sizes = params.obs_size, params.action_size, LIMIT, 5000
        task = Task(len(params.obs_sizes), *sizes, layout, state_size=params.state_size, common_reward=True, alone=True)
        values = {name: setting.value for name, setting in load("ptde").settings("qmix").items()}
        self.streams = [Streams(0, "cpu")]
        self.learner = qmix([task], specs.QMIX.model_validate(values), self.streams, "cpu")
        self.played = self._play()
        for _ in range(STORED // BATTLES):
            self.played = self._play()
            self.learner.replays[0].append(self.played)

    def rollout(self) -> int:
        mask = self._play().mask
        assert mask is not None
        return int(mask.sum())

    def update(self) -> None:
        self.learner.learn(0, self.played, 0)

    def _play(self) -> Rollout:
        generators = [stream["environment"] for stream in self.streams]
        act = self.learner.exploring(0, 0)
        return play(self.environment, generators, self.learner.copies, LIMIT, act, ends_early=True, short=True).rollout


class Agent(nn.Module):
    """Linear - ReLU - GRUCell - Linear."""

    def __init__(self, inputs: int, actions: int):
        super().__init__()
        self.first, self.gru, self.last = (
            nn.Linear(inputs, HIDDEN),
            nn.GRUCell(HIDDEN, HIDDEN),
            nn.Linear(HIDDEN, actions),
        )

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.gru(self.first(x).relu(), hidden)
        return self.last(hidden), hidden


class Mixer(nn.Module):
    """Q_tot [B, T] of Q_i [B, T, N] and states [B, T, X]."""

    def __init__(self, agents: int, state: int):
        super().__init__()

        def hyper(outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(state, HYPER), nn.ReLU(), nn.Linear(HYPER, outputs))

        self.w_1, self.w_final, self.b_1 = hyper(agents * MIXING), hyper(MIXING), nn.Linear(state, MIXING)
        self.v = nn.Sequential(nn.Linear(state, MIXING), nn.ReLU(), nn.Linear(MIXING, 1))

    def forward(self, q: Tensor, state: Tensor) -> Tensor:
        shape, q, state = q.shape[:2], q.flatten(0, 1).unsqueeze(1), state.flatten(0, 1)
        w_1 = self.w_1(state).abs().view(-1, q.shape[-1], MIXING)
        hidden = nn.functional.elu(torch.bmm(q, w_1) + self.b_1(state).unsqueeze(1))
        return (torch.bmm(hidden, self.w_final(state).abs().unsqueeze(-1)) + self.v(state).unsqueeze(-1)).view(shape)


class Plain:
    """One seed, written the way PyMARL2 is.

    8 battles, each stepped by a call of its own. The network goes through a batch step by step. A batch is cut to its
    longest episode. Targets are made by a loop backwards over time.
    """

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.random = np.random.default_rng(0)
        params = checked("smax", {"name": MAP})
        self.n, self.o, self.a, self.x = len(params.obs_sizes), params.obs_size, params.action_size, params.state_size
        self.battles = [Battlefield(MAP) for _ in range(BATTLES)]
        inputs = self.o + self.a + self.n
        self.agent, self.mixer = Agent(inputs, self.a), Mixer(self.n, self.x)
        self.target_agent, self.target_mixer = deepcopy(self.agent), deepcopy(self.mixer)
        self.parameters = [*self.agent.parameters(), *self.mixer.parameters()]
        self.adam = torch.optim.Adam(self.parameters, lr=LR)
        episodes = 2 * STORED
        self.obs, self.state = (torch.zeros(episodes, LIMIT + 1, *shape) for shape in ((self.n, self.o), (self.x,)))
        self.avail = torch.zeros(episodes, LIMIT + 1, self.n, self.a, dtype=torch.bool)
        self.actions = torch.zeros(episodes, LIMIT, self.n, dtype=torch.long)
        self.rewards, self.over, self.filled = (torch.zeros(episodes, LIMIT) for _ in range(3))
        self.episodes = 0
        for _ in range(STORED // BATTLES):
            self.rollout()

    @torch.no_grad()
    def rollout(self) -> int:
        """8 battles to their ends."""
        rows = [(self.episodes + i) % len(self.obs) for i in range(BATTLES)]
        self.filled[rows] = 0
        for row, battle in zip(rows, self.battles, strict=True):
            self._see(row, 0, battle.begin([int(self.random.integers(2**31 - 1))], [True]))
        hidden, last = torch.zeros(BATTLES * self.n, HIDDEN), torch.zeros(BATTLES, self.n, self.a)
        going, played = list(range(BATTLES)), 0
        for t in range(LIMIT):
            _, hidden = self.agent(self._inputs(self.obs[rows, t], last), hidden)
            # epsilon is 1: a random available action, as at the start of a run, in every code that is compared
            could = self.avail[rows, t].float()
            could[[i for i in range(BATTLES) if i not in going]] = 1
            chosen = torch.distributions.Categorical(could).sample()
            last = nn.functional.one_hot(chosen, self.a).float()
            for i in list(going):
                obs, state, avail, reward, over, _ = self.battles[i].step(chosen[i : i + 1].int().numpy())
                row = rows[i]
                self._see(row, t + 1, [obs, state, avail])
                self.actions[row, t], self.rewards[row, t] = chosen[i], float(reward[0])
                self.over[row, t], self.filled[row, t] = float(over[0]), 1
                played += 1
                if over[0]:
                    going.remove(i)
            if not going:
                break
        self.episodes += BATTLES
        return played

    def update(self) -> None:
        index = torch.from_numpy(self.random.choice(min(self.episodes, len(self.obs)), BATCH, replace=False))
        steps = int(self.filled[index].sum(1).max())
        obs, state, avail = self.obs[index, : steps + 1], self.state[index, : steps + 1], self.avail[index, : steps + 1]
        actions, rewards = self.actions[index, :steps], self.rewards[index, :steps]
        over, filled = self.over[index, :steps], self.filled[index, :steps]
        last = torch.cat([torch.zeros(BATCH, 1, self.n, self.a), nn.functional.one_hot(actions, self.a).float()], 1)
        q = self._q(self.agent, obs, last)
        taken = q[:, :-1].gather(3, actions.unsqueeze(3)).squeeze(3)
        with torch.no_grad():
            target = self._q(self.target_agent, obs, last)
            best = q.masked_fill(~avail, UNAVAILABLE).max(3, keepdim=True)[1]
            values = self.target_mixer(target.gather(3, best).squeeze(3), state)
            targets = torch.zeros(BATCH, steps)
            following = values[:, -1] * (1 - over.sum(1))
            for t in reversed(range(steps)):
                one = rewards[:, t] + GAMMA * (1 - LAMBDA) * values[:, t + 1] * (1 - over[:, t])
                following = GAMMA * LAMBDA * following + filled[:, t] * one
                targets[:, t] = following
        errors = (self.mixer(taken, state[:, :-1]) - targets) * filled
        loss = errors.square().sum() / filled.sum()
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.adam.step()

    def _see(self, row: int, t: int, seen: list[np.ndarray]) -> None:
        for place, x in zip((self.obs, self.state, self.avail), seen, strict=True):
            place[row, t] = torch.from_numpy(x[0].copy())

    def _inputs(self, obs: Tensor, last: Tensor) -> Tensor:
        """[B, N, O], [B, N, A] -> [B N, I]."""
        return torch.cat([obs, last, torch.eye(self.n).expand(len(obs), self.n, self.n)], 2).flatten(0, 1)

    def _q(self, agent: Agent, obs: Tensor, last: Tensor) -> Tensor:
        """[B, T, N, O] -> [B, T, N, A]."""
        hidden, found = torch.zeros(len(obs) * self.n, HIDDEN), []
        for t in range(obs.shape[1]):
            q, hidden = agent(self._inputs(obs[:, t], last[:, t]), hidden)
            found.append(q.view(-1, self.n, self.a))
        return torch.stack(found, 1)


class PythonSteps:
    """Random moves, and a new battle for each that is over, through the suite's environment: a copy's bare step."""

    def __init__(self, battles: int):
        self.environment = make("smax", checked("smax", {"name": MAP}), "cpu")
        self.generator, self.battles = torch.Generator().manual_seed(0), battles
        self.environment.reset([self.generator], battles)

    def rollout(self) -> int:
        for _ in range(SCANNED):
            avail = self.environment.avail_actions()
            scores = torch.rand(avail.shape, generator=self.generator).masked_fill(~avail, -1)
            chosen = nn.functional.one_hot(scores.argmax(-1), avail.shape[-1]).double()
            ended = self.environment.step(chosen).terminated
            if ended.any():
                self.environment.restart(ended)
        return SCANNED * self.battles


def turns(kind: str) -> dict[str, Turn]:
    match kind:
        case "ours":
            work: Ours | Plain = Ours()
        case "plain":
            work = Plain()
        case _:
            return {"rollout": PythonSteps(int(kind.removeprefix("steps_"))).rollout}
    return {"rollout": work.rollout, "update": work.update}


def serve(parts: dict[str, Turn], used: Callable[[], float]) -> None:
    """Run what a line names, and answer with its cost; once each beforehand."""
    for run in parts.values():
        run()
    for line in sys.stdin:
        before = used()
        steps = parts[line.strip()]()
        print((used() - before) / (steps or 1), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(turns(sys.argv[1]), cpu_ms)
