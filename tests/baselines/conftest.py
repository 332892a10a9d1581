"""A toy world in which learners can be run: seeds, copies and agents with smooth dynamics of their own.

Axes: S seed, E environment copy, T time step, N agent, O observation entry, A action entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from baselines import specs
from baselines.knowru import knowru, knowru_adversaries
from baselines.learner import Layout, Rollout, Task, Teacher
from baselines.maddpg import MADDPG
from baselines.streams import Streams

MADDPG_SETTINGS = {
    "hidden_layers": 3,
    "hidden_width": 16,
    "lr": 0.01,
    "gamma": 0.95,
    "tau": 0.05,
    "batch_size": 16,
    "replay_size": 80,
    "warmup_transitions": 20,
    "update_episodes": 2,
    "grad_clip": 0.5,
    "logit_penalty": 0.001,
    "temperature": 1.0,
    "layout_agents": 0,
}
KNOWRU_SETTINGS = {
    "alpha_start": 0.5,
    "alpha_end": 0.02,
    "anneal_fraction": 0.5,
    "reuse_loss": "mse",
    "reuse_scale": "order_of_magnitude",
    "teacher_view": "same",
}


@dataclass
class Run:
    """A learner, its seeds and its history."""

    learner: MADDPG
    task: Task
    streams: list[Streams]
    losses: list[dict[str, Tensor]]
    rollouts: list[Rollout]

    def play(self, rounds: int) -> Run:
        """Rounds of the toy world: actions move observations, and smaller observations give a higher reward."""
        for _ in range(rounds):
            rollout = toy_round(self)
            self.rollouts.append(rollout)
            episodes = len(self.rollouts) * self.learner.copies
            self.losses.append(self.learner.learn(0, rollout, episodes))
        return self

    def lane(self, lane: int) -> dict[str, Tensor]:
        """The whole state of a seed, by name: networks, optimisers, losses and actions."""
        own = {name: tensor[lane] for name, tensor in self.learner.state().items()}
        for i, (losses, rollout) in enumerate(zip(self.losses, self.rollouts, strict=True)):
            own |= {f"{i}.{name}": loss[lane] for name, loss in losses.items()}
            own |= {f"{i}.actions": rollout.actions[lane], f"{i}.obs": rollout.obs[lane]}
        return own


def toy_round(run: Run) -> Rollout:
    """One round, each seed's world computed alone; some episodes end in a terminal state."""
    task, copies = run.task, run.learner.copies
    shape = (copies, task.agents, task.obs_size)
    starts = [torch.randn(shape, generator=s["environment"]) for s in run.streams]
    ends = [torch.rand(copies, generator=s["environment"]) < 0.3 for s in run.streams]
    obs, actions = [torch.stack(starts)], []
    for noise in run.learner.exploration_noise():
        actions.append(run.learner.explore(obs[-1], noise))
        push = torch.linspace(-1, 1, task.action_size)
        obs.append(
            torch.stack(
                [0.8 * x + (a.float() * push).sum(-1, keepdim=True) for x, a in zip(obs[-1], actions[-1], strict=True)]
            )
        )
    rewards = torch.stack(
        [torch.stack([-x.square().mean(-1) for x in lane]) for lane in torch.stack(obs[1:], 2).unbind()]
    )
    terminated = torch.zeros(len(run.streams), copies, task.episode_limit, dtype=torch.bool)
    terminated[:, :, -1] = torch.stack(ends)
    return all_available(torch.stack(obs, 2), torch.stack(actions, 2), rewards, terminated)


def all_available(obs: Tensor, actions: Tensor, rewards: Tensor, terminated: Tensor) -> Rollout:
    """A rollout in which every action is available at every step."""
    avail_actions = torch.ones(*obs.shape[:-1], actions.shape[-1], dtype=torch.bool)
    return Rollout(obs, actions, rewards, terminated, avail_actions)


def toy_task(agents: int = 3, obs_size: int = 4, width: int = 6) -> Task:
    """Observations are in a layout of `width` entries, the last entry first and the gaps in between."""
    slots = (width - 1, *range(obs_size - 1))
    return Task(agents, obs_size, 3, 5, 60, Layout(width, slots))


def toy_teacher(
    seeds: Sequence[int], task: Task, agents: int, hidden: int, dtype: torch.dtype, activation: str
) -> Teacher:
    """Untrained actors of other seeds, which read the observation entries in the opposite order."""
    own = {"hidden_width": hidden, "activation": activation}
    settings = specs.MADDPG.model_validate(MADDPG_SETTINGS | own)
    streams = [Streams(1000 + seed) for seed in seeds]
    weights = MADDPG([replace(task, agents=agents)], settings, streams, "cpu", dtype=dtype).policy()
    return Teacher(weights, task.layout, lambda obs: obs.flip(-1), own)


@pytest.fixture
def start() -> Callable[..., Run]:
    """Start a run: `start(knowru, seeds=(0, 1), reuse_loss="kl")`; other keywords are hyperparameters."""

    def start_run(
        method: Callable[..., MADDPG],
        seeds: Sequence[int] = (0, 1, 2, 3, 4),
        *,
        task: Task | None = None,
        teacher_agents: int = 2,
        teacher_kinds: tuple[str, ...] = (),
        taught: bool = True,
        lanes_per_call: int | None = None,
        dtype: torch.dtype = torch.float32,
        **changed: object,
    ) -> Run:
        task = task or toy_task()
        streams = [Streams(seed) for seed in seeds]
        options = {"lanes_per_call": lanes_per_call, "dtype": dtype}
        if taught and method is not MADDPG and task.teacher is None:
            hidden = int(str(changed.get("hidden_width", MADDPG_SETTINGS["hidden_width"])))
            activation = str(changed.get("activation", "relu"))
            teacher = toy_teacher(seeds, task, teacher_agents, hidden, dtype, activation)
            task = replace(task, teacher=replace(teacher, kinds=teacher_kinds))
        if method in (knowru, knowru_adversaries):
            kind, students = specs.KnowRU, {}
            if method is knowru_adversaries:
                kind, students = specs.KnowRUAdversaries, {"students": "adversaries"}
            settings = kind.model_validate(MADDPG_SETTINGS | KNOWRU_SETTINGS | students | changed)
            return Run(method([task], settings, streams, "cpu", **options), task, streams, [], [])
        settings = specs.MADDPG.model_validate(MADDPG_SETTINGS | changed)
        return Run(method([task], settings, streams, "cpu", **options), task, streams, [], [])

    return start_run


@pytest.fixture
def released() -> dict[str, object]:
    """The learner's settings in KnowRU's released code, apart from sizes and rates."""
    return {
        "activation": "leaky_relu",
        "initial_weights": "xavier_leaky_relu",
        "batches": "own",
        "clipping": "network",
    }


@pytest.fixture
def toy() -> Callable[..., Task]:
    """`toy(agents, obs_size, width)` is a task of other sizes."""
    return toy_task


@pytest.fixture
def learned_score(start: Callable[..., Run]) -> Callable[[Callable[..., MADDPG]], float]:
    """Share of greedy actions that name what the agent sees, after training for it on a shared reward."""
    task = Task(2, 3, 3, 5, 800, Layout(3, (0, 1, 2)))

    def trained(method: Callable[..., MADDPG], task: Task) -> MADDPG:
        sizes = {"hidden_width": 32, "batch_size": 64, "update_episodes": 4, "replay_size": 2000}
        learner = start(method, seeds=(0, 1), task=task, gamma=0.0, **sizes).learner
        goals = torch.Generator().manual_seed(7)
        for episode in range(4, task.episodes + 1, 4):
            obs = torch.eye(3)[torch.randint(3, (2, 4, 6, 2), generator=goals)]  # [S, E, T+1, N, O]
            noise = learner.exploration_noise()
            actions = torch.stack([learner.explore(obs[:, :, t], noise[t]) for t in range(5)], 2)
            rewards = (obs[:, :, :-1] * actions).sum(-1).mean(-1, keepdim=True).expand(-1, -1, -1, 2)
            learner.learn(0, all_available(obs, actions, rewards, torch.zeros(2, 4, 5, dtype=torch.bool)), episode)
        return learner

    def score(method: Callable[..., MADDPG]) -> float:
        learner = trained(MADDPG, task)
        if method is not MADDPG:
            teacher = Teacher(learner.policy(), task.layout, lambda obs: obs)
            learner = trained(method, replace(task, teacher=teacher, episodes=200))
        seen = torch.eye(3).view(1, 3, 1, 3).expand(2, 3, 2, 3)
        return (learner.likeliest(seen) * seen).sum(-1).mean().item()

    return score
