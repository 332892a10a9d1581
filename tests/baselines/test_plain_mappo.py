"""The stacked learners of MAPPO against a plain loop: torch.nn modules, two Adams, one seed, step by step in float64.

Axes: T time step, N agent, I input entry, A action.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from baselines.learner import Rollout
from baselines.mappo import mappo
from baselines.mappo_multi import mappo_multi
from tests.baselines.test_plain_team import Agent, numbers, own, stack
from tests.teams import TeamRun, ppo, several_ppo, started, toy_task

Episode = dict[str, Tensor]


def starting(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}


class Networks(nn.Module):
    """A critic's or an actor's layers: one network, or each task's own ones around the shared ones."""

    def __init__(self, weights: dict[str, Tensor], parts: Callable[[int], list[str]]):
        super().__init__()
        self.parts = parts
        self.whole = Agent(weights) if not parts(0) else None
        letters = {name.split(".")[0] for name in weights} if parts(0) else set()
        self.letters = nn.ModuleDict({letter: stack(starting(weights, f"{letter}.")) for letter in letters})

    def forward(self, inputs: Tensor, k: int) -> Tensor:
        """[T, I] -> [T, A]."""
        if self.whole is not None:
            return self.whole(inputs)
        x = inputs
        for i, name in enumerate(self.parts(k)):
            x = self.letters[name](torch.relu(x) if i else x)
        return x


class Running:
    """Mean and variance of all numbers seen, weighted by their counts; Bessel's correction within each batch."""

    def __init__(self) -> None:
        self.mean, self.variance, self.count = 0.0, 1.0, 1e-4

    def take(self, new: list[float]) -> None:
        x = torch.tensor(new, dtype=torch.float64)
        total, delta = self.count + len(new), x.mean().item() - self.mean
        spread = self.variance * self.count + x.var().item() * len(new) + delta**2 * self.count * len(new) / total
        self.mean, self.variance, self.count = self.mean + delta * len(new) / total, spread / total, total


class Decaying:
    """on-policy's moments of returns."""

    def __init__(self) -> None:
        self.mean = self.square = self.weight = 0.0

    def take(self, new: list[float]) -> None:
        self.mean += 1e-5 * (sum(new) / len(new) - self.mean)
        self.square += 1e-5 * (sum(x * x for x in new) / len(new) - self.square)
        self.weight += 1e-5 * (1 - self.weight)

    def both(self) -> tuple[float, float]:
        """Mean and deviation."""
        weight = max(self.weight, 1e-5)
        mean = self.mean / weight
        return mean, max(self.square / weight - mean**2, 0.01) ** 0.5


class PlainMAPPO:
    """One seed of a learner: a copy of its networks and its own moments."""

    def __init__(self, run: TeamRun[Any], s: int):
        self.h, self.tasks, self.s = run.learner.hyperparameters, run.learner.tasks, s
        state, several = run.learner.state(), len(run.learner.tasks) > 1
        self.actor = Networks(own(state, "actor", s), lambda k: [f"E_{k}", "F", f"EA_{k}"] if several else [])
        self.critic = Networks(own(state, "critic", s), lambda k: [f"SE_{k}", "V"] if several else [])
        self.target = deepcopy(self.critic)
        self.adams = {net: torch.optim.Adam(net.parameters(), lr=self.h.lr) for net in (self.actor, self.critic)}
        self.rewards, self.moments = [Running() for _ in self.tasks], [Decaying() for _ in self.tasks]

    def inputs(self, x: Tensor, n: int, k: int, numbered: bool) -> Tensor:
        number = torch.eye(self.tasks[k].agents, dtype=torch.float64)[n].expand(len(x), -1)
        return torch.cat([x.double(), number], -1) if numbered else x.double()

    def values(self, critic: Networks, episode: Episode, k: int) -> Tensor:
        """[T+1, N]."""
        state = episode["state"] if "state" in episode else episode["obs"].flatten(1)
        team = range(self.tasks[k].agents)
        return torch.stack([critic(self.inputs(state, n, k, True), k)[:, 0] for n in team], 1)

    def log_pi(self, episode: Episode, k: int) -> list[Tensor]:
        """For each agent's available actions, [T, A] with -inf elsewhere."""
        obs, found = episode["obs"][:-1], []
        for n in range(self.tasks[k].agents):
            logits = self.actor(self.inputs(obs[:, n], n, k, self.h.obs_agent_id), k)
            found.append(logits.masked_fill(~episode["avail_actions"][:-1, n], -torch.inf).log_softmax(-1))
        return found

    def returns(self, episode: Episode, rewards: list[float], values: Tensor) -> Tensor:
        """By their definitions, from values [T+1, N] in the rewards' units: [T played, N]."""
        h, last, found = self.h, len(rewards) - 1, []
        over = bool(episode["terminated"][last]) or (h.time_limit_terminal and last == len(episode["terminated"]) - 1)
        ahead = [values[t] * (0 if t == last + 1 and over else 1) for t in range(last + 2)]
        for t in range(last + 1):
            if h.td_steps is not None:
                stop = min(t + h.td_steps, last + 1)
                g = sum(h.gamma ** (i - t) * rewards[i] for i in range(t, stop)) + h.gamma ** (stop - t) * ahead[stop]
            else:
                errors = [rewards[i] + h.gamma * ahead[i + 1] - values[i] for i in range(t, last + 1)]
                g = values[t] + sum((h.gamma * h.gae_lambda) ** i * error for i, error in enumerate(errors))
            found.append(g)
        return torch.stack(found)

    def update(self, k: int, rollout: Rollout) -> dict[str, float]:
        """All passes over a round of task k; losses."""
        h, given = self.h, {n: x[self.s] for n, x in vars(rollout).items() if x is not None}
        episodes = [{n: x[e] for n, x in given.items()} for e in range(h.update_episodes)]
        rewards = []
        for episode in episodes:
            ends = episode["terminated"].tolist()
            length = ends.index(True) + 1 if True in ends else len(ends)
            rewards.append(episode["rewards"][:length].sum(-1).tolist())
        if h.standardise_rewards:
            self.rewards[k].take([r for own in rewards for r in own])
            mean, deviation = self.rewards[k].mean, self.rewards[k].variance ** 0.5
            rewards = [[(r - mean) / deviation for r in own] for own in rewards]
        with torch.no_grad():
            old_values = [self.values(self.target, e, k) for e in episodes]
            mean, deviation = self.moments[k].both() if h.value_normalisation else (0.0, 1.0)
            in_rewards = [v * deviation + mean for v in old_values]
            returns = [self.returns(e, r, v) for e, r, v in zip(episodes, rewards, in_rewards, strict=True)]
            fixed = [g - v[: len(g)] for g, v in zip(returns, in_rewards, strict=True)]
            old_log_pi = [self.log_pi(e, k) for e in episodes]
        losses: dict[str, float] = {"policy": 0.0, "value": 0.0, "entropy": 0.0}
        for _ in range(h.update_passes):
            if h.value_normalisation:
                self.moments[k].take(torch.cat(returns).flatten().tolist())
                mean, deviation = self.moments[k].both()
            targets = [(g - mean) / deviation for g in returns] if h.value_normalisation else returns
            values = [self.values(self.critic, e, k)[: len(g)] for e, g in zip(episodes, targets, strict=True)]
            advantages = fixed
            if h.advantage_critic == "online":
                advantages = [(g - v).detach() for g, v in zip(targets, values, strict=True)]
            if h.standardise_advantages:
                every = torch.cat(advantages)
                advantages = [(a - every.mean()) / (every.std(correction=0) + 1e-5) for a in advantages]
            loss_value = self.value_loss(values, old_values, targets)
            policy, bonus = self.policy_terms(episodes, advantages, old_log_pi, k)
            self.step(self.critic, loss_value)
            self.step(self.actor, policy - h.entropy_weight * bonus)
            for name, loss in (("policy", policy), ("value", loss_value), ("entropy", bonus)):
                losses[name] += loss.item() / h.update_passes
        with torch.no_grad():
            for old, new in zip(self.target.parameters(), self.critic.parameters(), strict=True):
                old.copy_((1 - h.tau) * old + h.tau * new)
        return losses

    def value_loss(self, values: list[Tensor], old_values: list[Tensor], targets: list[Tensor]) -> Tensor:
        terms = []
        for new, old, goal in zip(values, old_values, targets, strict=True):
            for v, o, g in zip(new.flatten(), old.flatten(), goal.flatten(), strict=False):  # old ones go on to T
                loss = self.error(g - v)
                if self.h.clip_values:
                    loss = torch.maximum(loss, self.error(g - (o + (v - o).clamp(-self.h.clip, self.h.clip))))
                terms.append(loss)
        return torch.stack(terms).mean()

    def error(self, x: Tensor) -> Tensor:
        delta = self.h.huber_delta
        if delta is None:
            return x**2
        return x**2 / 2 if abs(x) <= delta else delta * (abs(x) - delta / 2)

    def policy_terms(
        self, episodes: list[Episode], advantages: list[Tensor], old: list[list[Tensor]], k: int
    ) -> tuple[Tensor, Tensor]:
        """The clipped loss and the entropy."""
        gains, entropies = [], []
        for episode, advantage, before in zip(episodes, advantages, old, strict=True):
            for n, log_pi in enumerate(self.log_pi(episode, k)):
                for t in range(len(advantage)):
                    action, can = episode["actions"][t, n].argmax(), episode["avail_actions"][t, n]
                    ratio = (log_pi[t, action] - before[n][t, action]).exp()
                    held = ratio.clamp(1 - self.h.clip, 1 + self.h.clip)
                    gains.append(torch.minimum(ratio * advantage[t, n], held * advantage[t, n]))
                    entropies.append(-(log_pi[t, can].exp() * log_pi[t, can]).sum())
        return -torch.stack(gains).mean(), torch.stack(entropies).mean()

    def step(self, network: Networks, loss: Tensor) -> None:
        self.adams[network].zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), self.h.grad_clip)
        self.adams[network].step()


ON_POLICY = {
    "td_steps": None,
    "gae_lambda": 0.9,
    "tau": 1.0,
    "value_normalisation": True,
    "advantage_critic": "target",
    "standardise_advantages": True,
    "clip_values": True,
}
KINDS: dict[str, dict[str, Any]] = {
    "epymarl": {},
    "epymarl, terminal limit, plain rewards": {
        "time_limit_terminal": True,
        "standardise_rewards": False,
        "td_steps": 9,
    },
    "epymarl, normalised, Huber": {"value_normalisation": True, "huber_delta": 0.3, "obs_agent_id": False},
    "actor with a GRU": {"use_rnn": True, "td_steps": 1},
    "on-policy": ON_POLICY,
    "on-policy, GRUs, Huber": {**ON_POLICY, "use_rnn": True, "critic_use_rnn": True, "huber_delta": 0.3, "clip": 0.05},
    "GAE, the online critic": {**ON_POLICY, "advantage_critic": "online", "clip_values": False, "tau": 0.5},
}


TASKS = {"own state": toy_task(limit=4), "given": toy_task(3, 2, 3, 3, state_size=5)}
GIVEN = ("epymarl", "on-policy, GRUs, Huber")  # a critic without and with a GRU; nothing else reads the state
CASES = [(name, "own state") for name in KINDS] + [(name, "given") for name in GIVEN]


@pytest.mark.parametrize(("name", "task"), CASES)
def test_the_learner_agrees(name: str, task: str):
    """After 3 rounds of 3 passes."""
    agree(started(mappo, [TASKS[task]], ppo(**KINDS[name]), (0, 1), torch.float64), 3)


@pytest.mark.parametrize("name", ["epymarl", "on-policy"])
def test_the_multi_task_learner_agrees(name: str):
    """Teams of different sizes, in turn."""
    tasks = [toy_task(limit=3), toy_task(3, 2, 3, 4, state_size=5)]
    agree(started(mappo_multi, tasks, several_ppo(**KINDS[name]), (0, 1), torch.float64), 2)


def agree(run: TeamRun[Any], rounds: int) -> None:
    """The second of two seeds; test_mappo.py checks to the last bit that the first is as it would be alone."""
    s = 1
    plain = PlainMAPPO(run, s)
    for _ in range(rounds):
        run.play(1)
        latest = run.seen[-len(run.learner.tasks) :]
        for k, (seen, rollout) in enumerate(zip(latest, run.rollouts[-1], strict=True)):
            ours = {n: seen[n][s].item() for n in ("policy", "value", "entropy")}
            assert ours == pytest.approx(plain.update(k, rollout), rel=1e-8, abs=1e-11)
    state = run.learner.state()
    for name in ("actor", "critic", "target"):
        ours = [x for p in own(state, name, s).values() for x in (p.sum().item(), p.square().sum().item())]
        assert sorted(ours) == pytest.approx(numbers(getattr(plain, name)), rel=1e-8, abs=1e-10)
