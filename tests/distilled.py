"""Dec-HDRQN on two toy tasks of different sizes: a seed's observations depend on that seed's streams alone.

Axes: S seed, E environment copy, T time step, N agent, O observation entry, A action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import Linear

from baselines import specs
from baselines.dec_hdrqn import DecHDRQN
from baselines.kernels.layers import initial_linear
from baselines.learner import Layout, Rollout, Seen, Task, Teacher
from baselines.streams import Streams

SETTINGS = {
    "observation_embedding_width": 7,
    "hidden_width": 6,
    "recurrent_width": 5,
    "parameter_sharing": True,
    "obs_agent_id": True,
    "obs_last_action": False,
    "separate_observation_embedding": True,
    "separate_action_mapping": True,
    "separate_replay": True,
    "task_order": "one update a task, in turn",
    "action_selector": "epsilon_greedy",
    "epsilon_start": 1.0,
    "epsilon_end": 0.1,
    "epsilon_anneal_steps": 40,
    "epsilon_evaluation": 0.0,
    "optimizer": "adam",
    "lr": 0.01,
    "grad_clip": 0.05,
    "batch_size": 4,
    "replay_size": 8,
    "update_episodes": 2,
    "trace_steps": 3,
    "trace_start": "any window that meets the episode",
    "trace_state": "zeros",
    "burn_in_steps": 0,
    "trace_source": "student",
    "distill_loss": "kl",
    "distill_temperature": 0.5,
    "loss_reduction": "mean",
}
TEACHER = {"use_rnn": False, "obs_last_action": False, "obs_agent_id": True}
SIZES = ((3, 4, 3, 6), (2, 5, 4, 5))  # N, O, A, T of two tasks


def toy_teacher(seeds: Sequence[int], agents: int, obs_size: int, action_size: int, dtype: torch.dtype) -> Teacher:
    """An untrained MLP of other seeds, scaled up to prefer some action."""
    streams = [Streams(1000 + seed) for seed in seeds]
    weights = initial_linear([obs_size + agents, 9, action_size], streams, "cpu", dtype)
    return Teacher(
        {name: 4 * p for name, p in weights.items()}, Layout(obs_size, tuple(range(obs_size))), lambda x: x, TEACHER
    )


@dataclass
class Toy:
    """A learner on toy tasks, and its history. Some episodes end early, some actions are unavailable."""

    learner: DecHDRQN
    streams: list[Streams]
    rounds: int = 0
    seen: dict[str, Tensor] = field(default_factory=dict)  # by name [S, ...]

    def play(self, rounds: int) -> Toy:
        for _ in range(rounds):
            for k in range(len(self.learner.tasks)):
                rollout = self.rollout(k)
                losses = self.learner.learn(k, rollout, (self.rounds + 1) * self.learner.copies)
                self.seen |= {f"{self.rounds}.{k}.{name}": loss for name, loss in losses.items()}
                self.seen |= {f"{self.rounds}.{k}.obs": rollout.obs, f"{self.rounds}.{k}.actions": rollout.actions}
            self.rounds += 1
        return self

    def rollout(self, k: int) -> Rollout:
        """One round of a task; each seed's world is computed alone, and moves with the actions."""
        task, dtype = self.learner.tasks[k], self.learner.policy()["F.weight_0"].dtype
        copies, limit = self.learner.copies, task.episode_limit
        shape = (copies, task.agents, task.obs_size)
        obs = [torch.stack([torch.randn(shape, generator=s["environment"], dtype=dtype) for s in self.streams])]
        avail = torch.stack(
            [
                torch.rand(copies, limit + 1, task.agents, task.action_size, generator=s["environment"]) < 0.7
                for s in self.streams
            ]
        )
        avail[..., 0] = True
        terminated = torch.stack([torch.rand(copies, limit, generator=s["environment"]) < 0.1 for s in self.streams])
        policy, actions = self.learner.exploring(k, self.rounds * copies), []
        push = torch.linspace(-1, 1, task.action_size, dtype=dtype)
        for t in range(limit):
            actions.append(policy(Seen(obs[-1], avail[:, :, t], torch.full(obs[-1].shape[:2], t == 0))))
            moved = [0.8 * x + (a * push).sum(-1, keepdim=True) for x, a in zip(obs[-1], actions[-1], strict=True)]
            obs.append(torch.stack(moved))
        rewards = torch.zeros(len(self.streams), copies, limit, task.agents)
        return Rollout(torch.stack(obs, 2), torch.stack(actions, 2), rewards, terminated, avail)

    def lane(self, lane: int) -> dict[str, Tensor]:
        """The whole state of a seed, by name."""
        return {name: x[lane] for name, x in (self.learner.state() | self.seen).items()}


def toy(seeds: Sequence[int] = (0, 1, 2), dtype: torch.dtype = torch.float32, **changed: object) -> Toy:
    tasks = [
        Task(n, o, a, limit, 1000, Layout(o, tuple(range(o))), toy_teacher(seeds, n, o, a, dtype))
        for n, o, a, limit in SIZES
    ]
    streams = [Streams(seed) for seed in seeds]
    h = specs.DecHDRQN.model_validate(SETTINGS | changed)
    return Toy(DecHDRQN(tasks, h, streams, "cpu", dtype=dtype), streams)


def linear_of(weight: Tensor, bias: Tensor) -> Linear:
    layer = Linear(weight.shape[1], weight.shape[0]).double()
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer
