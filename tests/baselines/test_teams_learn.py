"""Teams learn all small tasks, and sooner from perfect teachers. Every agent must name what it sees.

Axes: S seed, E environment copy, T time step, N agent, O observation entry, A action; K task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from baselines.learner import Rollout, Task, Teacher
from baselines.mappo import mappo
from baselines.mappo_multi import mappo_multi
from baselines.mkt_marl import mkt_marl
from baselines.qmix import qmix
from baselines.qmix_multi import qmix_multi
from tests.teams import L, TeamRun, distilling, ppo, seen, several, several_ppo, single, started, toy_task

SEEDS, WIDTH = (0, 1, 2), 16
TASKS = [toy_task(2, 3, 3, 4), toy_task(2, 6, 5, 2)]
UNEQUAL = [TASKS[0], toy_task(3, 6, 5, 2)]
LEARNING = {
    "update_episodes": 4,
    "batch_size": 32,
    "lr": 0.01,
    "replay_size": 200,
    "epsilon_anneal_steps": 400,
    "target_update_interval": 20,
    "hidden_width": WIDTH,
    "grad_clip": 10.0,
}


PPO_LEARNING = {"update_episodes": 24, "entropy_weight": 0.05, "grad_clip": 10.0}
ON_POLICY = {
    "td_steps": None,
    "gae_lambda": 0.95,
    "tau": 1.0,
    "value_normalisation": True,
    "advantage_critic": "target",
    "standardise_advantages": True,
    "clip_values": True,
    "huber_delta": 10.0,
}


def situations(task: Task, copies: int, run: TeamRun) -> tuple[Tensor, Tensor]:
    """The target, [S, E, T+1, N], and its observation: a one-hot vector, and noise in further entries."""
    named, seen = [], []
    for stream in run.streams:
        g = stream["environment"]
        shape = (copies, task.episode_limit + 1, task.agents)
        named.append(torch.randint(task.action_size, shape, generator=g))
        noise = torch.randn(*shape, task.obs_size - task.action_size, generator=g)
        seen.append(torch.cat([one_hot(named[-1], task.action_size).float(), noise], -1))
    return torch.stack(named), torch.stack(seen)


def trained(run: TeamRun[L], rounds: int) -> TeamRun[L]:
    """The reward is the share of agents that named it."""
    for _ in range(rounds):
        done = run.rounds * run.learner.copies
        for k, task in enumerate(run.learner.tasks):
            named, obs = situations(task, run.learner.copies, run)
            avail = torch.ones(*named.shape, task.action_size, dtype=torch.bool)
            act = run.learner.exploring(k, done)
            actions = torch.stack([act(seen(obs[:, :, t], avail[:, :, t], t)) for t in range(task.episode_limit)], 2)
            rewards = (actions.argmax(-1) == named[:, :, :-1]).float() / task.agents
            ends = torch.zeros(rewards.shape[:3], dtype=torch.bool)
            run.learner.learn(k, Rollout(obs, actions, rewards, ends, avail), done + run.learner.copies)
        run.rounds += 1
    return run


def learnt(run: TeamRun, rounds: int) -> bool:
    """Whether every seed names more than 9 in 10 on every task after so many rounds; or earlier, then 19 in 20."""
    for _ in range(0, rounds, 10):
        trained(run, 10)
        if (scores(run) > 0.95).all():
            return True
    return bool((scores(run) > 0.9).all())


def scores(run: TeamRun) -> Tensor:
    """The share that greedy agents name, [K, S]; at random 1 / A."""
    found = []
    for k, task in enumerate(run.learner.tasks):
        named, obs = situations(task, 100, run)
        avail = torch.ones(*named[:, :, 0].shape, task.action_size, dtype=torch.bool)
        right = run.learner.greedy(k)(seen(obs[:, :, 0], avail)).argmax(-1) == named[:, :, 0]
        found.append(right.float().mean((-2, -1)))
    return torch.stack(found)


def perfect(task: Task) -> Task:
    """With teachers that value the target 8 and the rest 0."""
    weights = {}
    for layer, (inputs, outputs) in enumerate(((task.obs_size, WIDTH), (WIDTH, WIDTH), (WIDTH, task.action_size))):
        through = torch.zeros(outputs, inputs)
        through[range(task.action_size), range(task.action_size)] = 2.0
        weights[f"weight_{layer}"] = through.expand(len(SEEDS), -1, -1)
        weights[f"bias_{layer}"] = torch.zeros(len(SEEDS), outputs)
    h = single("vdn", obs_agent_id=False).model_dump()
    return replace(task, teacher=Teacher(weights, task.layout, lambda obs: obs, h))


def runs(tasks: Sequence[Task], mixer: str) -> tuple[TeamRun, TeamRun]:
    """TD alone, and distillation alone."""
    constant = {"lambda_start": 0.0, "lambda_end": 0.0, "lambda_schedule": "constant"}
    td = started(qmix_multi, tasks, several(mixer, **LEARNING), SEEDS)
    taught = [perfect(task) for task in tasks]
    return td, started(mkt_marl, taught, distilling(mixer, **LEARNING | constant), SEEDS)


@pytest.mark.parametrize(("mixer", "use_rnn"), [("qmix", False), ("vdn", False), ("qmix", True)])
def test_one_task_is_learnt(mixer, use_rnn):
    """Random is 1/5; every seed comes above 9 in 10."""
    run = started(qmix, [TASKS[1]], single(mixer, use_rnn=use_rnn, **LEARNING), SEEDS)
    assert (scores(run) < 0.6).all()
    assert learnt(run, 150)


@pytest.mark.parametrize("changes", [{}, ON_POLICY, {"use_rnn": True}])
def test_mappo_learns_one_task(changes):
    """Random is 1/5; every seed comes above 9 in 10."""
    run = started(mappo, [TASKS[1]], ppo(**PPO_LEARNING, **changes), SEEDS)
    assert (scores(run) < 0.6).all()
    assert learnt(run, 60)


def test_mappo_learns_two_tasks_of_different_sizes_together():
    """Random is 1/3 and 1/5; every seed comes above 9 in 10 on both."""
    run = started(mappo_multi, UNEQUAL, several_ppo(**PPO_LEARNING), SEEDS)
    assert (scores(run) < 0.7).all()
    assert learnt(run, 90)


@pytest.mark.parametrize(("mixer", "tasks"), [("qmix", TASKS), ("vdn", UNEQUAL)])
def test_all_tasks_are_learnt_and_sooner_from_teachers(mixer, tasks):
    """Random is 1/3 and 1/5; every seed comes above 9 in 10 on both. After 50 rounds the worst seed of those that learn
    from teachers alone is ahead by .15 on the larger task; seen were .51 with QMIX and .29 with VDN.
    """
    td, distilled = runs(tasks, mixer)
    assert all((scores(run) < 0.7).all() for run in (td, distilled))
    early = [scores(trained(run, 50)).amin(-1) for run in (distilled, td)]
    assert early[0][1] > early[1][1] + 0.15
    assert learnt(distilled, 50)
    assert learnt(td, 200)
