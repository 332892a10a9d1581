"""Soft actor-critic with a learned temperature (Haarnoja et al. 2018, arXiv 1812.05905), continuous actions.

Axes: S seed, M member (one), B batch, O observation entry, A action entry; D = O + A.

| paper | here |
|---|---|
| eq. 3 and 5: the critics' targets, r + gamma V(s') with V = min Q - alpha log pi | `soft_targets` |
| eq. 5: J_Q of both critics | `critic_loss` |
| eq. 9: J_pi, reparameterised | `actor_loss` |
| eq. 18: J(alpha) | `temperature_loss` |
| App. C: the squashed Gaussian and its likelihood | `gaussian.squashed` |
| Algorithm 1: two critics, their targets | `SAC.learn`, `optim.soft_update` |

As the paper's Algorithm 1 and CIKD's code (piekd ddd9cc5): the critics' step comes first, the actor's reads the new
critics, the temperature's step is last; all three read the temperature from before the update. A member has its own
policy, critics, temperature and batch; `SAC` is one of them, an ensemble is more along the same axis.

Departs from the code: a batch is drawn with replacement. Departs from the paper: before an update was made, actions are
uniformly random (as in the code), and evaluations take tanh of the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.layers import columns
from baselines.kernels.nn import Parameters, actor_logits, detached, initial, joint_values, values
from baselines.kernels.optim import LaneAdam, soft_update
from baselines.kernels.products import affine
from baselines.kernels.scalars import LearnedScalars
from baselines.learner import Acting, Task
from baselines.learner import Steps as Played
from baselines.losses.gaussian import gaussian, squashed
from baselines.replay.steps import Shapes, StepBatch, StepReplay, Steps
from baselines.streams import Streams
from baselines.training_state import Optimiser, restored, saved


def soft_targets(
    q_next: Tensor, log_prob: Tensor, rewards: Tensor, terminated: Tensor, alpha: Tensor, gamma: float
) -> Tensor:
    """r + gamma (min Q'(s', a') - alpha log pi(a' | s')), eq. 3 and 5: [S, M, 2, B], [S, M, B] x3, [S, M] -> [S, M, B].

    After a terminal state nothing counts; where a time limit cut an episode short, the value of its last state does.
    """
    soft = torch.minimum(*q_next.unbind(2)) - alpha.unsqueeze(-1) * log_prob
    return rewards + gamma * soft.masked_fill(terminated, 0)


def critic_loss(q: Tensor, targets: Tensor) -> Tensor:
    """Half the mean squared error of each critic, eq. 5: [S, M, 2, B], [S, M, B] -> [S, M, 2]."""
    return 0.5 * (q - targets.unsqueeze(2)).square().mean(-1)


def actor_loss(q: Tensor, log_prob: Tensor, alpha: Tensor) -> Tensor:
    """Mean of alpha log pi(a | s) - min Q(s, a), eq. 9: [S, M, 2, B], [S, M, B], [S, M] -> [S, M]."""
    return (alpha.unsqueeze(-1) * log_prob - torch.minimum(*q.unbind(2))).mean(-1)


def temperature_loss(alpha: Tensor, log_prob: Tensor, target_entropy: float) -> Tensor:
    """Mean of -alpha (log pi + target entropy), eq. 18: [S, M], [S, M, B] -> [S, M].

    alpha is learned as its logarithm, and alpha times a constant is its own derivative by that: J is its gradient.
    """
    return -alpha * (log_prob + target_entropy).mean(-1)


class SAC:
    """A `Learner`: an update after every `update_steps` steps of one environment, once the warm-up is stored.

    members: M. dtype: of parameters, replay and noise. Reports [S], means over members: "critic" (both), "actor",
    "temperature" (their losses), "entropy" of the policy on the batch, and "alpha", the temperature. Raises ValueError
    for several tasks or agents.
    """

    copies = 1

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.SAC,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        members: int = 1,
        dtype: torch.dtype = torch.float32,
    ):
        if len(tasks) != 1 or tasks[0].agents != 1:
            got = ", ".join(str(task.agents) for task in tasks)
            raise ValueError(f"SAC: got {len(tasks)} tasks, of {got} agents; allowed: one task, of one agent")
        h, (task,) = hyperparameters, tasks
        self.task, self.hyperparameters, self.steps = task, h, h.update_steps
        self._members, self._streams, self._device, self._dtype = members, streams, torch.device(device), dtype
        self._target_entropy = -float(task.action_size)
        shapes = Shapes(obs=(task.obs_size,), actions=(task.action_size,))
        self.replay = StepReplay(shapes, h.replay_size, streams, device, dtype)
        self.replays = (self.replay,)

        hidden, drawn = [h.hidden_width] * h.hidden_layers, (streams, device, dtype)
        self._actor = initial([task.obs_size, *hidden, 2 * task.action_size], members, *drawn)
        self._critics = initial([task.obs_size + task.action_size, *hidden, 1], 2 * members, *drawn)  # [S, 2 M, ...]
        self._targets = {name: p.clone() for name, p in self._critics.items()}
        everybody = [slice(None)]
        self._actor_adam, self._critic_adam = (
            LaneAdam(network, everybody, h.lr, grad_clip=None) for network in (self._actor, self._critics)
        )
        self._alpha = LearnedScalars(h.temperature_start, (len(streams), members), h.lr, device, dtype)

    def exploring(self, task: int, steps_done: int) -> Acting:
        """Samples of the policy; uniform actions until the first update."""
        shape, own = (self.steps, self.task.action_size), {"device": self._device, "dtype": self._dtype}
        warming = steps_done < self.hyperparameters.warmup_transitions
        draw = torch.rand if warming else torch.randn
        drawn = [draw(shape, generator=s["exploration"], **own) for s in self._streams]
        rows = iter(torch.stack(drawn, 1)[:, :, None, None])  # [S, E, N, A] for each step; E = N = 1
        if warming:
            return lambda seen: 2 * next(rows) - 1
        return lambda seen: self.act(seen.obs, next(rows))

    def greedy(self, task: int) -> Acting:
        return lambda seen: self.act(seen.obs, torch.zeros_like(seen.obs[..., :1]))

    @torch.no_grad()
    def act(self, obs: Tensor, noise: Tensor, actor: Parameters | None = None) -> Tensor:
        """tanh(mean + std noise) [S, E, 1, A] of what a policy makes of obs [S, E, 1, O].

        actor: one of each seed [S, 1, ...]; nothing: the first member's.
        """
        one = actor or {name: p[:, :1] for name, p in self._actor.items()}
        mean, log_std = self._gaussian(one, columns(obs.to(self._dtype)).unsqueeze(1))
        spread = noise.to(self._dtype).expand(*obs.shape[:3], mean.shape[2])
        actions, _ = squashed(mean, log_std, columns(spread).unsqueeze(1))
        return actions.squeeze(1).mT[:, : obs.shape[1], None]

    def learn(self, task: int, played: Played, steps_done: int) -> dict[str, Tensor]:
        """Store a round's steps; an update, once the warm-up is stored."""
        self.replay.append(
            Steps(
                obs=played.obs[:, 0, :, 0],
                actions=played.actions[:, 0, :, 0],
                rewards=played.rewards[:, 0, :, 0],
                next_obs=played.after[:, 0, :, 0],
                terminated=played.terminated[:, 0],
                truncated=played.truncated[:, 0],
            )
        )
        if self.replay.entries < self.hyperparameters.warmup_transitions:
            return {}
        return self._update(*self._drawn(), {})

    def policy(self) -> dict[str, Tensor]:
        """The policies' weights, [S, M, ...] each."""
        return {name: p.clone() for name, p in self._actor.items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, targets, temperature, Adam's moments and steps, by dotted name; copies."""
        return saved(self._networks(), self._learned())

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave. Raises ValueError: see the optimisers."""
        restored(state, self._networks(), self._learned())

    # ------------------------------------------------------------------------------------------- one update

    def _drawn(self) -> tuple[StepBatch, Tensor]:
        """What an update takes: M batches of each seed in a row [S, M B, ...]; noise [S, 2, M, A, B].

        The noise of actions in the next states, then in the states.
        """
        batch_size, own = self.hyperparameters.batch_size, {"device": self._device, "dtype": self._dtype}
        shape = (2, self._members, self.task.action_size, batch_size)
        noise = [torch.randn(shape, generator=s["update"], **own) for s in self._streams]
        return self.replay.sample(self._members * batch_size), torch.stack(noise)

    def _update(self, batch: StepBatch, noise: Tensor, coefficients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Critics, actor, temperature, targets; losses [S]. coefficients: SAC has none that change."""
        alpha = self._alpha.value
        losses = {"critic": self._critic_step(batch, noise[:, 0], alpha)}
        losses |= self._actor_step(batch, noise[:, 1], alpha)
        soft_update(self._targets, self._critics, self.hyperparameters.tau)
        return losses

    def _critic_step(self, batch: StepBatch, noise: Tensor, alpha: Tensor) -> Tensor:
        """One step of the critics; their losses, both in one [S]. noise [S, M, A, B], alpha [S, M]."""
        obs, actions, rewards, after, terminated = (
            x.unflatten(1, (self._members, -1))
            for x in (batch.obs, batch.actions, batch.rewards, batch.next_obs, batch.terminated)
        )
        with torch.no_grad():
            next_actions, next_log_prob = squashed(*self._gaussian(self._actor, after.mT), noise)
            q_next = self._values(self._targets, after, next_actions.mT)
            targets = soft_targets(q_next, next_log_prob, rewards, terminated, alpha, self.hyperparameters.gamma)
        loss = critic_loss(self._values(self._critic_adam.leaves[0], obs, actions), targets)
        self._critic_adam.step(0, loss)
        return loss.detach().sum(-1).mean(-1)

    def _actor_step(self, batch: StepBatch, noise: Tensor, alpha: Tensor) -> dict[str, Tensor]:
        """One step of actor and temperature, by critics as they are; losses [S]. noise [S, M, A, B], alpha [S, M]."""
        obs = batch.obs.unflatten(1, (self._members, -1))
        chosen, log_prob = squashed(*self._gaussian(self._actor_adam.leaves[0], obs.mT), noise)
        loss_actor = actor_loss(self._values_of_actions(obs, chosen), log_prob, alpha)
        self._actor_adam.step(0, loss_actor)
        loss_temperature = temperature_loss(alpha, log_prob.detach(), self._target_entropy)
        self._alpha.descend(loss_temperature)
        losses = {"actor": loss_actor, "temperature": loss_temperature, "entropy": -log_prob.mean(-1), "alpha": alpha}
        return {name: loss.detach().mean(-1) for name, loss in losses.items()}

    def _gaussian(self, actor: Parameters, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log standard deviations [S, M, A, B] of observations [S, M, O, B]."""
        return gaussian(actor_logits(actor, obs), self.hyperparameters.log_std_min, self.hyperparameters.log_std_max)

    def _values(self, critics: Parameters, obs: Tensor, actions: Tensor) -> Tensor:
        """Q [S, M, 2, B] of observations [S, M, B, O] and actions [S, M, B, A]."""
        joint = torch.cat([obs, actions], -1)
        return joint_values(self._pairs(critics), joint.flatten(0, 1)).unflatten(0, obs.shape[:2])

    def _values_of_actions(self, obs: Tensor, actions: Tensor) -> Tensor:
        """Q [S, M, 2, B] of observations [S, M, B, O] and actions [S, M, A, B]; the gradient reaches the actions alone.

        So the first layer's share of the observations needs none.
        """
        critics = self._pairs(detached(self._critics))
        weight, bias = critics["weight_0"].flatten(1, 2), critics["bias_0"].flatten(1).unsqueeze(-1)
        on_obs, on_actions = weight.split([obs.shape[-1], actions.shape[2]], -1)
        first = torch.baddbmm(affine(on_obs, bias, obs.flatten(0, 1).mT), on_actions, actions.flatten(0, 1))
        hidden = first.unflatten(1, (2, -1)).flatten(0, 1).relu_()
        return values(critics, hidden).unflatten(0, obs.shape[:2])

    def _pairs(self, critics: Parameters) -> Parameters:
        """Views [S M, 2, ...]: of two critics that read the same, the first layer is one product."""
        return {name: p.unflatten(1, (self._members, 2)).flatten(0, 1) for name, p in critics.items()}

    def _networks(self) -> dict[str, Parameters]:
        return {"actor": self._actor, "critic": self._critics, "target": self._targets}

    def _learned(self) -> dict[str, Optimiser]:
        return {"adam_actor": self._actor_adam, "adam_critic": self._critic_adam, "temperature": self._alpha}
