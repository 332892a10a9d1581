"""MAAC, the multi-actor-attention-critic (Iqbal and Sha 2019), discrete actions, as in its code (MAAC 6174a01).

Axes: S seed, E environment copy, N agent, B batch, O observation entry, A action entry. Logits are [S, N, A, B],
samples as columns (see kernels/nn.py).

| paper | here | its code |
|---|---|---|
| the critic, with attention over other agents | `attention.action_values` | utils/critics.py |
| the critics' targets and joint loss | `soft_targets`, `critic_loss` | algorithms/attention_sac.py, `update_critic` |
| the policies' gradient, and the counterfactual baseline in it | `policy_loss`, `expected` | `update_policies` |
| parameters that agents share | `attention.initial_critic` | utils/critics.py, `scale_shared_grads` |

As in the code: the entropy in a target is that of the sampled action and is not discounted. A policy's loss has a
penalty on logits; the critic's has one on attention logits, summed over heads. Gradients of parameters that all agents
share are divided by N before clipping. Inputs of all networks are batch normalised, without scale and shift: in an
update by the batch, also for targets; in play by running means, which the policies' own batches move. Each agent's
rewards are standardised over the whole replay. Nothing is terminal. An update is due when the steps of all environments
together pass a multiple of an episode's length, so updates come inside episodes, `updates_per_episode` at once.

Departs from the code: an action is the best after Gumbel noise, not torch's multinomial draw from the same
probabilities. Observations are padded to the longest, so a bank's first layers are drawn as wide as a collector's.
The replay forgets the oldest transition first; the code moves a whole block.
KnowRU's code (b0c9817) has all this except both clippings ("none").
The paper was not available: its parts are named here as in its code. Gao et al. 2021 print its critic as eq. 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from baselines import specs
from baselines.kernels.capture import Captured
from baselines.kernels.nn import Parameters
from baselines.kernels.optim import LaneAdam, TeamAdam, soft_update
from baselines.learner import Acting, Task
from baselines.learner import Steps as Played
from baselines.maddpg import gumbel, only
from baselines.networks.actors import Actors
from baselines.networks.attention import NORM_EPSILON, SHARED, action_values, initial_critic, moments, normalised
from baselines.replay.steps import Shapes, StepBatch, StepReplay, Steps
from baselines.schedules import as_coefficients
from baselines.streams import Streams
from baselines.training_state import Optimiser, restored, saved

MOMENTUM = 0.1  # torch.nn.BatchNorm1d's: how far a batch moves the running means
LEAST_DEVIATION = 1e-8  # for rewards that are all the same, where the code divides by zero


def soft_targets(q_next: Tensor, log_pi: Tensor, rewards: Tensor, gamma: float, reward_scale: float) -> Tensor:
    """y = r + gamma Q'(o', a') - log pi(a' | o') / reward_scale, all [S, N, B]; as the code, entropy undiscounted."""
    return rewards + gamma * q_next - log_pi / reward_scale


def critic_loss(q: Tensor, targets: Tensor, attention: Tensor, penalty: float) -> Tensor:
    """The joint loss: squared errors, averaged over the batch and summed over agents, [S, N, B] x2 -> [S].

    attention [S, K, B, N, N]: logits. Like the code, it adds their mean square over other agents and batch, summed over
    heads and agents.
    """
    agents, batch = q.shape[1:]
    error = (q - targets).square().mean(-1).sum(-1)
    return error + penalty * attention.square().flatten(1).sum(-1) / (batch * (agents - 1))


def policy_loss(log_pi: Tensor, advantage: Tensor, logits: Tensor, reward_scale: float, penalty: float) -> Tensor:
    """Mean of log pi (log pi / reward_scale - advantage), with a constant bracket, plus the penalty: [S, N].

    Its gradient is the policies' gradient. log_pi, advantage [S, N, B], logits [S, N, A, B].
    """
    weight = (log_pi / reward_scale - advantage).detach()
    return (log_pi * weight).mean(-1) + penalty * logits.square().mean((-2, -1))


def expected(values: Tensor, log_probabilities: Tensor) -> Tensor:
    """The counterfactual baseline: the mean of values over the policy's actions, [S, N, A, B] x2 -> [S, N, B].

    Summed action by action, so the order does not depend on a seed's place.
    """
    first, *others = (values * log_probabilities.exp()).unbind(2)
    for own in others:
        first = first + own
    return first


def sampled(logits: Tensor, noise: Tensor) -> Tensor:
    """Actions by index [S, N, 1, B] of a policy's probabilities: the best after Gumbel noise [S, N, A, B]."""
    return (logits.detach() + noise).argmax(2, keepdim=True)


def chosen(index: Tensor, actions: int) -> Tensor:
    """One-hot actions [S, N, A, B] of indices [S, N, 1, B]."""
    return torch.zeros(*index.shape[:2], actions, index.shape[-1], device=index.device).scatter_(2, index, 1)


@dataclass(frozen=True)
class PolicyBatch:
    """The policies' inputs and outputs. obs, next_obs [S, N, O, B], normalised; logits [S, N, A, B].

    target_logits: the target policies' on next_obs, before the targets moved; without gradient.
    """

    obs: Tensor
    logits: Tensor
    next_obs: Tensor
    target_logits: Tensor


class PolicyObjective(Protocol):
    """A method's change of the policies' loss."""

    def coefficients(self, episodes_done: float) -> dict[str, float]:
        """Its weights after this many episodes, by name."""
        ...

    def __call__(
        self, loss: Tensor, batch: PolicyBatch, coefficients: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss that the policies minimise, and further terms to report, all [S, N].

        loss [S, N]: MAAC's own. coefficients: 0-d tensors.
        """
        ...


class MAAC:
    """A `Learner`. Rounds are one step of `rollout_threads` environments.

    objective: the policies' loss, if it is more than their own. dtype: of parameters, replay and noise.
    Reports [S], means over agents: "critic" (summed over them), "actor" (the whole loss), "q" and "entropy" of sampled
    actions, "attention" (the mean square of its logits).
    """

    steps = 1

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.MAAC,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        objective: PolicyObjective | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        task, h = only(tasks), hyperparameters
        if task.agents < 2:
            raise ValueError("MAAC: got 1 agent; allowed: 2 or more, which attend to each other")
        self.task, self.hyperparameters, self.copies = task, h, h.rollout_threads
        self._streams, self._device, self._dtype, self._objective = streams, torch.device(device), dtype, objective
        obs, actions = (task.agents, task.obs_size), (task.agents, task.action_size)
        shapes = Shapes(obs=obs, actions=actions, rewards=(task.agents,))
        self.replay = StepReplay(shapes, h.replay_size, streams, device, dtype, copies=self.copies)
        self.replays = (self.replay,)

        hidden = [h.actor_hidden_width] * h.actor_hidden_layers
        self._actors = Actors(task.layout, task.agents, hidden, task.action_size, device, activation=h.activation)
        self._actor = self._actors.initial(streams, device, dtype, "linear")
        sizes = (task.obs_size, task.action_size, task.agents, h.critic_hidden_width)
        self._critic = initial_critic(*sizes, streams, device, dtype)
        self._targets = [{name: p.clone() for name, p in own.items()} for own in (self._actor, self._critic)]
        lead = (len(streams), *obs)
        own = {"device": device, "dtype": dtype}
        self._running = {"mean": torch.zeros(lead, **own), "variance": torch.ones(lead, **own)}

        clip = None if h.actor_grad_clip == "none" else h.actor_grad_clip
        self._actor_adam = LaneAdam(self._actor, [slice(None)], h.actor_lr, clip, clipping="network")
        per_agent = h.critic_grad_clip_per_agent
        self._critic_adam = TeamAdam(
            self._critic,
            h.critic_lr,
            None if per_agent == "none" else per_agent * task.agents,
            weight_decay=h.critic_weight_decay,
            shares={n: 1 / task.agents for n in self._critic if n.partition(".")[0] in SHARED},
        )
        self._captured = Captured(lambda *arguments: self._update(*arguments), device)

    def exploring(self, task: int, steps_done: int) -> Acting:
        """Samples of the policies."""
        own = self.task
        noise = iter(self._noise("exploration", (self.steps, own.agents, own.action_size, self.copies)).unbind(1))
        return lambda seen: self.act(seen.obs, next(noise))

    def greedy(self, task: int) -> Acting:
        return lambda seen: self.act(seen.obs, torch.zeros((), device=self._device))

    @torch.no_grad()
    def act(self, obs: Tensor, noise: Tensor) -> Tensor:
        """The best actions [S, E, N, A] after noise [S, N, A, E], with running means, for obs [S, E, N, O]."""
        mean, variance = (x.unsqueeze(1) for x in self._running.values())
        own = (obs.to(self._dtype) - mean) / (variance + NORM_EPSILON).sqrt()
        index = sampled(self._actors.logits(self._actor, own.permute(0, 2, 3, 1)), noise)
        return one_hot(index.squeeze(2), self.task.action_size).to(self._dtype).transpose(1, 2)

    def learn(self, task: int, played: Played, steps_done: int) -> dict[str, Tensor]:
        """Store a step of every environment. Update when another episode's length of steps is complete."""
        h, limit = self.hyperparameters, self.task.episode_limit
        self.replay.append(
            Steps(
                obs=played.obs[:, :, 0],
                actions=played.actions[:, :, 0],
                rewards=played.rewards[:, :, 0],
                next_obs=played.after[:, :, 0],
                terminated=torch.zeros_like(played.terminated[:, :, 0]),
                truncated=(played.terminated | played.truncated)[:, :, 0],
            )
        )
        if self.replay.entries < h.batch_size or steps_done % limit >= self.copies:
            return {}
        weights = self._objective.coefficients(steps_done / limit) if self._objective else {}
        coefficients, scale = as_coefficients(weights, self._device), self._reward_scale()
        found = [self._captured(*self._drawn(*scale), coefficients) for _ in range(h.updates_per_episode)]
        return {name: torch.stack([losses[name] for losses in found], -1).mean(-1) for name in found[0]}

    def policy(self) -> dict[str, Tensor]:
        """The policies' weights, and the running "mean" and "variance" of their inputs, [S, N, ...] each."""
        slots, width = self.task.layout.slots, self._actors.sizes[0]
        rows = slots if not isinstance(slots[0], int) else (slots,) * self.task.agents
        index = torch.tensor(rows, device=self._device).expand(len(self._streams), -1, -1)
        read = {name: x[..., : index.shape[-1]] for name, x in self._running.items()}
        empty = self._running["mean"].new_zeros(*index.shape[:2], width)
        stats = {
            "mean": empty.scatter(2, index, read["mean"]),
            "variance": (empty + 1).scatter(2, index, read["variance"]),
        }
        return {name: p.clone() for name, p in self._actor.items()} | stats

    def state(self) -> dict[str, Tensor]:
        """Networks, targets, running means, Adam's moments and steps, by dotted name; copies."""
        return saved(self._networks(), self._adams())

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave."""
        restored(state, self._networks(), self._adams())

    # ------------------------------------------------------------------------------------------- one update

    def _reward_scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each agent's rewards in the replay, [S, 1, N] each; without standardisation 0 and 1."""
        kept = [self.replay.kept("rewards", lane).double() for lane in range(len(self._streams))]
        if not self.hyperparameters.reward_standardisation:
            zero = torch.zeros(len(kept), 1, self.task.agents, dtype=self._dtype, device=self._device)
            return zero, zero + 1
        means = [own.mT.contiguous().mean(-1) for own in kept]
        deviations = [
            (own - mean).mT.contiguous().square().mean(-1).sqrt() for own, mean in zip(kept, means, strict=True)
        ]
        mean, deviation = (torch.stack(x).unsqueeze(1).to(self._dtype) for x in (means, deviations))
        return mean, deviation.clamp(min=LEAST_DEVIATION)

    def _drawn(self, mean: Tensor, deviation: Tensor) -> tuple[StepBatch, Tensor]:
        """A batch with standardised rewards, and Gumbel noise [S, 2, N, A, B]: for next actions, then for actions."""
        batch = self.replay.sample(self.hyperparameters.batch_size)
        batch = replace(batch, rewards=(batch.rewards - mean) / deviation)
        task = self.task
        return batch, self._noise("update", (2, task.agents, task.action_size, self.hyperparameters.batch_size))

    def _update(self, batch: StepBatch, noise: Tensor, coefficients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Steps of the critic, of the policies with the new critic, then of the targets; losses [S]."""
        h = self.hyperparameters
        raw, after, taken = (x.permute(0, 2, 3, 1).contiguous() for x in (batch.obs, batch.next_obs, batch.actions))
        mean, variance = moments(raw)
        obs, after = (raw - mean) / (variance + NORM_EPSILON).sqrt(), normalised(after)
        rewards = batch.rewards.mT.contiguous()
        target_actor, target_critic = self._targets

        with torch.no_grad():
            target_logits = self._actors.logits(target_actor, after)
            index = sampled(target_logits, noise[:, 0])
            q_next, _ = self._values(target_critic, after, chosen(index, taken.shape[2]))
            log_pi = target_logits.log_softmax(2).gather(2, index).squeeze(2)
            y = soft_targets(q_next.gather(2, index).squeeze(2), log_pi, rewards, h.gamma, h.reward_scale)
        q_all, attention = self._values(self._critic_adam.leaves, obs, taken)
        q = q_all.gather(2, taken.argmax(2, keepdim=True)).squeeze(2)
        loss_critic = critic_loss(q, y, attention, h.attention_penalty)
        self._critic_adam.step(loss_critic)

        losses = self._policy_step(obs, noise[:, 1], after, target_logits, coefficients)
        for target, online in zip(self._targets, (self._actor, self._critic), strict=True):
            soft_update(target, online, h.tau)
        size = raw.shape[-1]
        self._running["mean"].lerp_(mean.squeeze(-1), MOMENTUM)
        self._running["variance"].lerp_(variance.squeeze(-1) * size / (size - 1), MOMENTUM)
        agents = self.task.agents
        size_of = attention.detach().square().flatten(1).sum(-1) / (size * agents * (agents - 1) * h.attention_heads)
        return {"critic": loss_critic.detach(), **losses, "attention": size_of}

    def _policy_step(
        self, obs: Tensor, noise: Tensor, next_obs: Tensor, target_logits: Tensor, coefficients: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """One step of all policies; losses [S]. noise [S, N, A, B]; other arguments as in `PolicyBatch`."""
        h = self.hyperparameters
        logits = self._actors.logits(self._actor_adam.leaves[0], obs)
        log_all = logits.log_softmax(2)
        index = sampled(logits, noise)
        log_pi = log_all.gather(2, index).squeeze(2)
        with torch.no_grad():
            q_all, _ = self._values(self._critic, obs, chosen(index, logits.shape[2]))
            q = q_all.gather(2, index).squeeze(2)
            advantage = q - expected(q_all, log_all)
            entropy = -expected(log_all, log_all)
        loss, terms = policy_loss(log_pi, advantage, logits, h.reward_scale, h.logit_penalty), {}
        if self._objective is not None:
            loss, terms = self._objective(loss, PolicyBatch(obs, logits, next_obs, target_logits), coefficients)
        self._actor_adam.step(0, loss)
        losses = {"actor": loss, "q": q.mean(-1), "entropy": entropy.mean(-1), **terms}
        return {name: own.detach().mean(-1) for name, own in losses.items()}

    def _values(self, critic: Mapping[str, Tensor], obs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        return action_values(critic, obs, normalised(actions.to(obs)), self.hyperparameters.attention_heads)

    def _noise(self, purpose: str, shape: tuple[int, ...]) -> Tensor:
        """Gumbel noise [S, *shape], drawn seed by seed."""
        own = {"dtype": self._dtype, "device": self._device}
        return torch.stack([gumbel(torch.rand(shape, generator=s[purpose], **own)) for s in self._streams])

    def _networks(self) -> dict[str, Parameters]:
        target_actor, target_critic = self._targets
        own = {"actor": self._actor, "critic": self._critic, "running": self._running}
        return own | {"target_actor": target_actor, "target_critic": target_critic}

    def _adams(self) -> dict[str, Optimiser]:
        return {"adam_actor": self._actor_adam, "adam_critic": self._critic_adam}
