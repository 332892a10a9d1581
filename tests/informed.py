"""Teams with information on the state, from both of PTDE's stages, in a world of random numbers.

Axes: S seed, B episode, T time step, N agent, O observation entry, X state entry, A action, Z entry of z.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from baselines import specs
from baselines.learner import Layout, Learner, Rollout, Seen, Task, Teacher
from baselines.ptde import stage_1
from baselines.ptde_distill import Stage2
from baselines.qmix import ValueDecomposition
from baselines.streams import Streams
from tests.teams import MIXING, SETTINGS

INFORMED = SETTINGS | MIXING | {"use_rnn": True, "mixer": "qmix", "z_width": 6, "z_head": "additive"}
STAGE_1 = INFORMED | {
    "encoder_width": 8,
    "variance_floor": 0.01,
    "z_distribution": "gaussian",
    "z_execution": "sample",
}
STAGE_2 = {
    "distill_loss": "mse",
    "distill_batch_size": 256,
    "distill_episodes": 200,
    "distill_round_episodes": 50,
    "distill_epsilon": 0.05,
    "distill_padding": True,
    "held_out_share": 0.2,
    "student": "mlp",
    "student_hidden_width": 32,
    "student_hidden_layers": 2,
    "student_variance": 0.01,
    "distill_optimizer": "adam",
    "distill_lr": 0.003,
}
Started = tuple[Any, Task, list[Streams]]  # a learner, its task and its streams
States = Callable[[Tensor, torch.Generator], Tensor]  # obs [B, T+1, N, O] -> state [B, T+1, X]


def a_task(agents: int = 2, obs: int = 3, state: int = 5, teacher: Teacher | None = None, steps: int = 3) -> Task:
    layout = Layout(obs, tuple(range(obs)))
    return Task(agents, obs, 4, steps, 10**4, layout, teacher, state_size=state, common_reward=True)


def in_a_row(obs: Tensor, stream: torch.Generator) -> Tensor:
    return obs.flatten(-2)


def unseen(size: int) -> States:
    return lambda obs, stream: torch.randn(*obs.shape[:2], size, generator=stream)


def played(learner: Learner, task: Task, streams: Sequence[Streams], state: States, cut: bool = False) -> Rollout:
    """A round of a world in which every seed's numbers come from its own stream. cut: its episodes end early."""
    copies, steps = learner.copies, task.episode_limit
    act, seen_, states, actions = learner.exploring(0, 0), [], [], []
    for s in streams:
        g = s["environment"]
        seen_.append(torch.randn(copies, steps + 1, task.agents, task.obs_size, generator=g))
        states.append(state(seen_[-1], g))
    obs, state_ = torch.stack(seen_), torch.stack(states)
    avail = torch.ones(*obs.shape[:4], task.action_size, dtype=torch.bool)
    for t in range(steps):
        first = torch.full(obs.shape[:2], t == 0)
        actions.append(act(Seen(obs[:, :, t], avail[:, :, t], first, state_[:, :, t])))
    given = torch.stack(actions, 2)
    rewards = (given.argmax(-1) == 1).float()
    mask = torch.ones(obs.shape[0], copies, steps, dtype=torch.bool)
    if cut:
        mask[:, ::2, 1:] = False
    ends = torch.zeros_like(mask)
    return Rollout(obs, given, rewards, ends, avail, state_, mask)


def of_stage_1(kind: str, seeds: Sequence[int], task: Task | None = None, **changes: object) -> Started:
    """A learner, its task and its streams."""
    h = specs.Personal.model_validate(STAGE_1 | {"information": kind} | changes)
    streams, own = [Streams(seed) for seed in seeds], task or a_task()
    return stage_1([own], h, streams, "cpu"), own, streams


def trained(learner: Any, task: Task, streams: Sequence[Streams], rounds: int, state: States) -> Any:
    for r in range(rounds):
        learner.learn(0, played(learner, task, streams, state), (r + 1) * learner.copies)
    return learner


def of_stage_2(seeds: Sequence[int], state: States, size: int, agents: int = 2, **changes: object) -> Started:
    """A learner that has played its episodes with an untrained team of stage 1, its task and streams."""
    team, task, _ = of_stage_1("gip", seeds, a_task(agents, state=size))
    assert isinstance(team, ValueDecomposition)
    teacher = Teacher(team.policy(), task.layout, lambda obs: obs, STAGE_1 | {"information": "gip"})
    streams, task = [Streams(seed) for seed in seeds], a_task(agents, state=size, teacher=teacher)
    learner = Stage2([task], specs.PTDE.model_validate(STAGE_2 | changes), streams, "cpu")
    while learner.copies:
        learner.learn(0, played(learner, task, streams, state, cut=True), 0)
    return learner, task, streams


def lane(state: Mapping[str, Tensor], i: int) -> dict[str, Tensor]:
    return {name: tensor[i] for name, tensor in state.items()}


def assert_same(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if not torch.equal(ours[name], theirs[name])]
