"""MAAC as a plain loop: torch.nn modules, one Adam per network, agent after agent and head after head.

An oracle, written from the paper and the description of its code; it shares nothing with the stacked learner.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import BatchNorm1d, LeakyReLU, Linear, Module, ModuleList, Sequential
from torch.nn.functional import mse_loss, one_hot


@dataclass(frozen=True)
class Settings:
    gamma: float = 0.99
    tau: float = 0.001
    lr: float = 0.001
    scale: float = 100.0
    decay: float = 1e-3
    attention: float = 1e-3
    logits: float = 1e-3
    critic_clip: float | None = None  # times N
    actor_clip: float | None = None


def policy(obs: int, width: int, actions: int, layers: int = 2) -> Sequential:
    parts: list[Module] = [BatchNorm1d(obs, affine=False)]
    for n in range(layers):
        parts += [Linear(width if n else obs, width), LeakyReLU()]
    return Sequential(*parts, Linear(width, actions))


class Critic(Module):
    def __init__(self, agents: int, obs: int, actions: int, width: int, heads: int):
        super().__init__()
        self.encoders: Any = ModuleList(
            Sequential(BatchNorm1d(obs + actions, affine=False), Linear(obs + actions, width), LeakyReLU())
            for _ in range(agents)
        )
        self.state_encoders: Any = ModuleList(
            Sequential(BatchNorm1d(obs, affine=False), Linear(obs, width), LeakyReLU()) for _ in range(agents)
        )
        self.heads: Any = ModuleList(
            Sequential(Linear(2 * width, width), LeakyReLU(), Linear(width, actions)) for _ in range(agents)
        )
        size = width // heads
        self.keys: Any = ModuleList(Linear(width, size, bias=False) for _ in range(heads))
        self.selectors: Any = ModuleList(Linear(width, size, bias=False) for _ in range(heads))
        self.values: Any = ModuleList(Sequential(Linear(width, size), LeakyReLU()) for _ in range(heads))

    def shared(self) -> list[Tensor]:
        modules = (self.keys, self.selectors, self.values, self.encoders)
        return [p for module in modules for p in module.parameters()]

    def forward(self, obs: list[Tensor], actions: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Each agent's values of all actions [B, A], and its attention logits' mean squares, summed over heads."""
        both = [torch.cat(pair, 1) for pair in zip(obs, actions, strict=True)]
        encoded = [encoder(x) for encoder, x in zip(self.encoders, both, strict=True)]
        states = [encoder(x) for encoder, x in zip(self.state_encoders, obs, strict=True)]
        found, penalties = [], []
        for i, state in enumerate(states):
            others = [e for j, e in enumerate(encoded) if j != i]
            attended, penalty = [], torch.zeros(())
            for key, selector, value in zip(self.keys, self.selectors, self.values, strict=True):
                keys = torch.stack([key(e) for e in others])  # [J, B, D]
                values = torch.stack([value(e) for e in others])
                logits = (selector(state) * keys).sum(-1)  # [J, B]
                weights = (logits / math.sqrt(keys.shape[-1])).softmax(0)
                attended.append((weights.unsqueeze(-1) * values).sum(0))
                penalty = penalty + logits.square().mean()
            found.append(self.heads[i](torch.cat([state, *attended], 1)))
            penalties.append(penalty)
        return found, penalties


class PlainMAAC:
    """policies, critic and targets in training mode; `update` takes a batch [B, N, ...] and actions drawn elsewhere."""

    def __init__(self, policies: list[Any], critic: Any, settings: Settings):
        self.policies, self.critic, self.s = policies, critic, settings
        self.target_policies, self.target_critic = deepcopy(policies), deepcopy(critic)
        self.adams = [torch.optim.Adam(p.parameters(), lr=settings.lr) for p in policies]
        self.critic_adam = torch.optim.Adam(critic.parameters(), lr=settings.lr, weight_decay=settings.decay)

    def update(
        self, obs: Tensor, actions: Tensor, rewards: Tensor, after: Tensor, next_noise: Tensor, noise: Tensor
    ) -> None:
        """noise [N, B, A]: an action is the best of logits and noise."""
        s, agents = self.s, range(obs.shape[1])
        seen, then = ([x[:, i] for i in agents] for x in (obs, after))
        next_logits = [self.target_policies[i](then[i]).detach() for i in agents]
        index = [(logits + own).argmax(1) for logits, own in zip(next_logits, next_noise, strict=True)]
        size = actions.shape[-1]
        q_next, _ = self.target_critic(then, [one_hot(i, size).to(obs) for i in index])
        q, penalties = self.critic(seen, [actions[:, i] for i in agents])
        loss = torch.zeros((), dtype=obs.dtype)
        for i in agents:
            log_pi = next_logits[i].log_softmax(1).gather(1, index[i][:, None])[:, 0]
            target = rewards[:, i] + s.gamma * q_next[i].gather(1, index[i][:, None])[:, 0].detach() - log_pi / s.scale
            taken = (q[i] * actions[:, i]).sum(1)
            loss = loss + mse_loss(taken, target) + s.attention * penalties[i]
        self.critic_adam.zero_grad()
        loss.backward()
        for p in self.critic.shared():
            assert p.grad is not None
            p.grad /= len(agents)
        if s.critic_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.critic.parameters(), s.critic_clip * len(agents))
        self.critic_adam.step()

        logits = [self.policies[i](seen[i]) for i in agents]
        index = [(x.detach() + own).argmax(1) for x, own in zip(logits, noise, strict=True)]
        values, _ = self.critic(seen, [one_hot(i, size).to(obs) for i in index])
        for i in agents:
            log_all, mine = logits[i].log_softmax(1), index[i][:, None]
            log_pi, all_q = log_all.gather(1, mine)[:, 0], values[i].detach()
            advantage = all_q.gather(1, mine)[:, 0] - (all_q * log_all.exp()).sum(1)
            own = (log_pi * (log_pi / s.scale - advantage).detach()).mean() + s.logits * logits[i].square().mean()
            self.adams[i].zero_grad()
            self.objective(own, i, seen[i], logits[i], then[i], next_logits[i]).backward()
            if s.actor_clip is not None:
                torch.nn.utils.clip_grad_norm_(self.policies[i].parameters(), s.actor_clip)
            self.adams[i].step()
        self.move()

    def objective(self, loss: Tensor, agent: int, obs: Tensor, logits: Tensor, after: Tensor, target: Tensor) -> Tensor:
        return loss

    def move(self) -> None:
        pairs = [*zip(self.target_policies, self.policies, strict=True), (self.target_critic, self.critic)]
        for target, online in pairs:
            for old, new in zip(target.parameters(), online.parameters(), strict=True):
                old.data = (1 - self.s.tau) * old.data + self.s.tau * new.data
