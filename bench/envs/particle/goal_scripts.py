"""Scripted policies for the scenarios with a goal: the cost of not knowing it, and the score of a simple good plan.

Axes: S seed, E environment copy, N agent, L landmark, C symbol.

As in scripts.py, a script maps an environment to actions and keeps no memory. `no_information` scripts know where the
landmarks are but not which of them is the goal: agents that should go there wait in the middle of the landmarks. `good`
scripts know no more than the agents that they play.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.physics import State
from bench.envs.particle.scripts import walk

SHUN = 0.15  # simple push's agent stays this far beyond its goal; two agents touch at .1
SURELY = 1e6  # more than any sum of squared distances: an assignment lowered by it is always chosen


def speaker_listener_no_information(env: ParticleEnvironment) -> Tensor:
    """The speaker always says the first symbol; the listener waits in the middle of the landmarks."""
    return _say(walk(env, _middle(env.world)), torch.zeros_like(_goal(env.world)))


def speaker_listener_good(env: ParticleEnvironment) -> Tensor:
    """The speaker says the goal's symbol. The listener walks to the middle, then to the landmark that it heard of."""
    state = env.world
    assert state.messages is not None
    heard = (state.messages.unsqueeze(-1) * state.landmarks).sum(-2)
    target = torch.where(state.messages.any(-1, keepdim=True), heard, state.landmarks.mean(-2))
    return _say(walk(env, target.unsqueeze(-2).expand_as(state.positions)), _goal(state))


def push_no_information(env: ParticleEnvironment) -> Tensor:
    """Both wait in the middle of the landmarks."""
    return walk(env, _middle(env.world))


def push_good(env: ParticleEnvironment) -> Tensor:
    """Both sides: the agent shows its goal and leaves room; the adversary goes to the landmark nearest to the agent.

    The agent walks to a point SHUN beyond its goal, seen from the other landmark.
    """
    state = env.world
    first, second = state.landmarks.unbind(-2)
    goal, other = _at_goal(state), first + second - _at_goal(state)
    beyond = goal - other
    beyond = beyond / beyond.square().sum(-1, keepdim=True).sqrt().clamp_min(1e-9)
    agent = state.positions[..., 1:, :]
    near = (state.landmarks - agent).square().sum(-1).argmin(-1)
    return walk(env, torch.stack([_at(state, near), goal + SHUN * beyond], dim=-2))


def adversary_no_information(env: ParticleEnvironment) -> Tensor:
    """Every good agent waits in the middle of the landmarks."""
    return walk(env, _middle(env.world)[..., -env.agents :, :])


def adversary_good(env: ParticleEnvironment) -> Tensor:
    """The good agents cover the landmarks, including the goal, so their places do not reveal it.

    The assignment has the least sum of squared distances. If there are fewer agents than landmarks, one of them takes
    the goal; if there are more, landmarks are taken several times.
    """
    state, count = env.world, env.world.landmarks.shape[-2]
    good = state.positions[..., -env.agents :, :]
    distance = (good.unsqueeze(-2) - state.landmarks.unsqueeze(-3)).square().sum(-1)
    cost = distance - SURELY * torch.nn.functional.one_hot(_goal(state), count).unsqueeze(-2)
    chosen = _assigned(cost, repeats=-(-env.agents // count))
    return walk(env, torch.stack([_at(state, own) for own in chosen.unbind(-1)], dim=-2))


def contest_no_information(env: ParticleEnvironment) -> Tensor:
    """Both sides wait in the middle of the landmarks."""
    return walk(env, _middle(env.world))


def contest_told(env: ParticleEnvironment) -> Tensor:
    """Adversaries know the goal and walk there; the others wait in the middle. Real adversaries cannot know it."""
    state, adversaries = env.world, env.params.kinds.count("adversary")
    targets = _middle(state).clone()
    targets[..., :adversaries, :] = _at_goal(state).unsqueeze(-2)
    return walk(env, targets)


def _assigned(cost: Tensor, repeats: int) -> Tensor:
    """The landmark of each good agent, [S, E, N, L] -> [S, E, N], each landmark at most `repeats` times."""
    episodes = cost.repeat(1, 1, 1, repeats).flatten(0, 1).cpu().numpy()
    chosen = np.stack([linear_sum_assignment(episode)[1] for episode in episodes]) % cost.shape[-1]
    return torch.from_numpy(chosen).to(cost.device).view(cost.shape[:-1])


def _say(actions: Tensor, symbol: Tensor) -> Tensor:
    """The listener's actions with the speaker saying a symbol [S, E]."""
    said = torch.nn.functional.one_hot(symbol, actions.shape[-1]).to(actions)
    return torch.stack([said, actions[..., 1, :]], dim=-2)


def _middle(state: State) -> Tensor:
    return state.landmarks.mean(-2, keepdim=True).expand_as(state.positions)


def _goal(state: State) -> Tensor:
    assert state.goal is not None
    return state.goal


def _at_goal(state: State) -> Tensor:
    return _at(state, _goal(state))


def _at(state: State, landmark: Tensor) -> Tensor:
    """The place of a landmark [S, E] -> [S, E, 2]."""
    return state.landmarks.gather(-2, landmark[..., None, None].expand(*landmark.shape, 1, 2)).squeeze(-2)
