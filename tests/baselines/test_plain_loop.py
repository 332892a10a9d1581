"""The stacked learners against a plain loop: torch.nn modules, one Adam per network, agent after agent, in float64.

Axes: S seed, N agent, B batch, O observation entry, A action entry.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import LeakyReLU, Linear, Module, ReLU, Sequential
from torch.nn.functional import cross_entropy, kl_div, mse_loss

from baselines.knowru import knowru, knowru_adversaries
from baselines.learner import Layout
from baselines.maddpg import MADDPG, maddpg_initialized
from baselines.streams import Streams

UPDATES = 22
GAMMA, TAU, LR, CLIP, PENALTY, BATCH, RING = 0.95, 0.05, 0.01, 0.5, 0.001, 16, 16  # as conftest's settings


def network(weights: dict[str, Tensor], s: int, n: int, between: type[Module] = ReLU) -> Sequential:
    """Seed s's network of agent n, taken from the stacked weights."""
    layers = []
    for layer in range(len(weights) // 2):
        weight, bias = weights[f"weight_{layer}"][s, n], weights[f"bias_{layer}"][s, n]
        linear = Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        linear.load_state_dict({"weight": weight, "bias": bias})
        layers += [linear, between()]
    return Sequential(*layers[:-1])


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix + "."): p for name, p in state.items() if name.startswith(prefix + ".")}


def gumbel(uniform: Tensor) -> Tensor:
    return -(-uniform.log()).log()


class PlainMADDPG:
    """One seed. Observations are padded with zeros, the critic's input is concatenated anew wherever it is needed."""

    between: type[Module] = ReLU

    def __init__(self, run, s: int):
        state, task = run.learner.state(), run.task
        self.streams, self.task = Streams(s), task
        self.actors = [network(part(state, "actor"), s, n, self.between) for n in range(task.agents)]
        self.critics = [network(part(state, "critic"), s, n, self.between) for n in range(task.agents)]
        self.target_actors, self.target_critics = deepcopy(self.actors), deepcopy(self.critics)
        self.actor_adams = [torch.optim.Adam(a.parameters(), lr=LR, eps=1e-8) for a in self.actors]
        self.critic_adams = [torch.optim.Adam(c.parameters(), lr=LR, eps=1e-8) for c in self.critics]
        self.ring: list[list[tuple]] = []
        self.seen = 0

    def store(self, rollout, s: int) -> None:
        for obs, actions, rewards, terminated in zip(
            rollout.obs[s].double(), rollout.actions[s], rollout.rewards[s].double(), rollout.terminated[s], strict=True
        ):
            episode = [(obs[t], actions[t], rewards[t], obs[t + 1], terminated[t]) for t in range(len(actions))]
            if len(self.ring) < RING:
                self.ring.append(episode)
            else:
                self.ring[self.seen % RING] = episode
            self.seen += 1

    def batch(self) -> list[Tensor]:
        transitions = [transition for episode in self.ring for transition in episode]
        index = torch.randint(len(transitions), (BATCH,), generator=self.streams["replay"])
        return [torch.stack(column) for column in zip(*[transitions[i] for i in index], strict=True)]

    def padded(self, obs: Tensor, layout: Layout, n: int) -> Tensor:
        """[B, O] of agent n -> [B, width]."""
        wide = torch.zeros(len(obs), layout.width, dtype=torch.float64)
        own = layout.slots[n]
        for entry, slot in enumerate(layout.slots if isinstance(own, int) else own):
            wide[:, slot] = obs[:, entry]
        return wide

    def descend(self, adam: torch.optim.Adam, loss: Tensor) -> None:
        adam.zero_grad()
        loss.backward()
        for p in adam.param_groups[0]["params"]:
            p.grad *= CLIP / max(CLIP, p.grad.norm().item())
        adam.step()

    def update(self, alpha: float) -> None:
        obs, actions, rewards, next_obs, terminated = self.batch()
        agents, size = range(self.task.agents), self.task.action_size
        uniform = torch.rand(2, len(agents), size, BATCH, generator=self.streams["update"], dtype=torch.float64)
        noise = gumbel(uniform).transpose(-1, -2)

        with torch.no_grad():
            next_actions = [
                (self.target_actors[n](self.padded(next_obs[:, n], self.task.layout, n)) + noise[0, n]).softmax(-1)
                for n in agents
            ]
            next_joint = torch.cat([*(next_obs[:, n] for n in agents), *next_actions], 1)
            alive = 1.0 - terminated.double()
            y = [rewards[:, n] + GAMMA * alive * self.target_critics[n](next_joint)[:, 0] for n in agents]
        joint = torch.cat([obs.flatten(1), actions.flatten(1)], 1)
        for n in agents:
            self.descend(self.critic_adams[n], mse_loss(self.critics[n](joint)[:, 0], y[n]))
        for n in agents:
            logits = self.actors[n](self.padded(obs[:, n], self.task.layout, n))
            played = [actions[:, m] for m in agents]
            played[n] = (logits + noise[1, n]).softmax(-1)
            q = self.critics[n](torch.cat([obs.flatten(1), *played], 1))
            loss = -q.mean() + PENALTY * logits.pow(2).mean()
            self.descend(self.actor_adams[n], self.objective(loss, obs[:, n], logits, n, alpha))
        self.move_targets()

    def move_targets(self) -> None:
        for targets, online in ((self.target_actors, self.actors), (self.target_critics, self.critics)):
            for target, source in zip(targets, online, strict=True):
                for old, new in zip(target.parameters(), source.parameters(), strict=True):
                    old.data = (1 - TAU) * old.data + TAU * new.data

    def objective(self, loss: Tensor, obs: Tensor, logits: Tensor, n: int, alpha: float) -> Tensor:
        return loss


class PlainKnowRU(PlainMADDPG):
    def __init__(self, run, s: int, loss: str, scale: str):
        super().__init__(run, s)
        self.loss, self.scale = loss, scale
        weights = dict(run.task.teacher.weights)
        self.teachers = [network(weights, s, n, self.between) for n in range(weights["weight_0"].shape[1])]

    def partner(self, n: int) -> Sequential:
        return self.teachers[n % len(self.teachers)]

    def objective(self, loss: Tensor, obs: Tensor, logits: Tensor, n: int, alpha: float) -> Tensor:
        teacher = self.partner(n)
        with torch.no_grad():
            taught = teacher(self.padded(obs.flip(-1), self.task.teacher.layout, n))
        if self.loss == "mse":
            reuse = mse_loss(logits, taught)
        elif self.loss == "ce":
            reuse = cross_entropy(logits, taught.softmax(-1))
        else:
            reuse = kl_div(taught.log_softmax(-1), logits.log_softmax(-1), log_target=True, reduction="batchmean")
        if self.scale == "order_of_magnitude":
            reuse = reuse * 10.0 ** round(math.log10(abs(loss.item()) / reuse.item()))
        return alpha * reuse + (1 - alpha) * loss


class PlainAdversaries(PlainKnowRU):
    """Agent 0 is no adversary; the teacher's last is its only one."""

    def partner(self, n: int) -> Sequential:
        return self.teachers[-1]

    def objective(self, loss: Tensor, obs: Tensor, logits: Tensor, n: int, alpha: float) -> Tensor:
        return super().objective(loss, obs, logits, n, alpha) if n else loss


class InTurn(PlainMADDPG):
    """KnowRU's released code: agent after agent, each with a batch of its own; then all targets move.

    No network reads the last entry of an observation.
    """

    between = LeakyReLU

    def store(self, rollout, s: int) -> None:
        super().store(replace(rollout, obs=rollout.obs[..., :-1]), s)

    def descend(self, adam: torch.optim.Adam, loss: Tensor) -> None:
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(adam.param_groups[0]["params"], CLIP)
        adam.step()

    def update(self, alpha: float) -> None:
        agents, size = range(self.task.agents), self.task.action_size
        batches = [self.batch() for _ in agents]
        uniform = torch.rand(
            len(agents) + 1, len(agents), size, BATCH, generator=self.streams["update"], dtype=torch.float64
        )
        noise = gumbel(uniform).transpose(-1, -2)
        for n, (obs, actions, rewards, next_obs, terminated) in enumerate(batches):
            with torch.no_grad():
                next_actions = [
                    (self.target_actors[m](self.padded(next_obs[:, m], self.task.layout, m)) + noise[n, m]).softmax(-1)
                    for m in agents
                ]
                q = self.target_critics[n](torch.cat([next_obs.flatten(1), *next_actions], 1))[:, 0]
                y = rewards[:, n] + GAMMA * (1.0 - terminated.double()) * q
            q = self.critics[n](torch.cat([obs.flatten(1), actions.flatten(1)], 1))[:, 0]
            self.descend(self.critic_adams[n], mse_loss(q, y))
            logits = self.actors[n](self.padded(obs[:, n], self.task.layout, n))
            actions[:, n] = (logits + noise[-1, n]).softmax(-1)
            q = self.critics[n](torch.cat([obs.flatten(1), actions.flatten(1)], 1))
            loss = -q.mean() + PENALTY * logits.pow(2).mean()
            self.descend(self.actor_adams[n], self.objective(loss, obs[:, n], logits, n, alpha))
        self.move_targets()


class KnowRUInTurn(InTurn, PlainKnowRU):
    """The same with eq. 10."""


def assert_agree(run, plain: PlainMADDPG, s: int) -> None:
    """Largest difference <= 1e-12 of the largest number in each tensor."""
    state = run.learner.state()
    for name, modules in (
        ("actor", plain.actors),
        ("critic", plain.critics),
        ("target_actor", plain.target_actors),
        ("target_critic", plain.target_critics),
    ):
        for n, module in enumerate(modules):
            for key, theirs in zip(part(state, name), module.parameters(), strict=True):
                ours = part(state, name)[key][s, n]
                assert (ours - theirs).abs().max() <= 1e-12 * theirs.abs().max().clamp(min=1e-3), (name, key, n)


SECOND = 1  # of two seeds; that the first is as if it were alone, test_lanes.py holds to the last bit


def play_both(run, plain: PlainMADDPG, alpha: float | None = None) -> None:
    """60 episodes make the run's budget, half of them to anneal in; a ring of 16 episodes wraps on the way.

    alpha: where it is constant.
    """
    updates = 0
    while updates < UPDATES:
        run.play(1)
        episodes = 2 * len(run.rollouts)
        plain.store(run.rollouts[-1], SECOND)
        if run.losses[-1]:
            plain.update(0.5 - 0.48 * min(episodes / 30, 1) if alpha is None else alpha)
        updates += bool(run.losses[-1])
    assert_agree(run, plain, SECOND)


@pytest.mark.parametrize(("method", "lanes_per_call"), [(MADDPG, 2), (maddpg_initialized, 1)])
def test_maddpg_agrees(start, method, lanes_per_call):
    """test_lanes.py checks to the last bit that lanes change nothing."""
    run = start(method, seeds=(0, 1), dtype=torch.float64, lanes_per_call=lanes_per_call)
    play_both(run, PlainMADDPG(run, SECOND))


@pytest.mark.parametrize(
    ("loss", "scale"),
    [("mse", "none"), ("mse", "order_of_magnitude"), ("ce", "order_of_magnitude"), ("kl", "none")],
)
def test_knowru_agrees(start, loss, scale):
    """The scale depends on a loss's value, not on its kind: each of both is here, not each pair."""
    run = start(knowru, seeds=(0, 1), dtype=torch.float64, reuse_loss=loss, reuse_scale=scale)
    play_both(run, PlainKnowRU(run, SECOND, loss, scale))


def test_adversaries_alone_reuse(start, toy):
    """Two adversaries behind a good agent, each agent with a layout of its own; one teacher of each kind."""
    layout = Layout(6, ((5, 0, 1, 2), (0, 1, 2, 3), (4, 3, 1, 0)))
    task = replace(toy(), layout=layout, kinds=("agent", "adversary", "adversary"))
    run = start(knowru_adversaries, seeds=(0, 1), task=task, teacher_kinds=("agent", "adversary"), dtype=torch.float64)
    play_both(run, PlainAdversaries(run, SECOND, "mse", "order_of_magnitude"))


def test_all_at_once_on_own_batches_is_in_turn(start, toy, released):
    """MADDPG as KnowRU's code has it, for agents that do not read the last of five entries."""
    run = start(MADDPG, seeds=(0, 1), task=unread_last(toy), lanes_per_call=2, dtype=torch.float64, **released)
    play_both(run, InTurn(run, SECOND))


def test_and_knowrus_actors_at_a_constant_alpha(start, toy, released):
    h = released | {"alpha_end": 0.5, "reuse_scale": "none"}
    run = start(knowru, seeds=(0, 1), task=unread_last(toy), dtype=torch.float64, **h)
    play_both(run, KnowRUInTurn(run, SECOND, "mse", "none"), alpha=0.5)


def unread_last(toy):
    """A fifth entry after the four of the layout."""
    return replace(toy(), obs_size=5)
