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

Each loss has its gradient by the networks' outputs beside it; `Perceptrons` continues the gradient. Tests compare both
with autograd.

As in the paper's Algorithm 1 and CIKD's code (piekd ddd9cc5): the critics' step comes first, the actor's reads the new
critics, the temperature's step is last; all three read the temperature from before the update. A member has its own
policy, critics, temperature and batch. `SAC` is one member; an ensemble has several along the same axis.

Departs from the code: a batch is drawn with replacement. Departs from the paper: before the first update actions are
uniformly random (as in the code), and evaluations take tanh of the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.capture import Captured
from baselines.kernels.layers import columns, mlp, rows
from baselines.kernels.nn import Parameters, actor_logits, initial, joint_values
from baselines.kernels.optim import FusedAdam, soft_update
from baselines.kernels.perceptrons import Perceptrons
from baselines.kernels.scalars import LearnedScalars
from baselines.learner import Acting, Task
from baselines.learner import Steps as Played
from baselines.losses.gaussian import gaussian, squashed, squashed_gradient
from baselines.replay.steps import Shapes, StepBatch, StepReplay, Steps
from baselines.streams import Streams
from baselines.training_state import Optimiser, restored, saved


def soft_targets(
    q_next: Tensor, log_prob: Tensor, rewards: Tensor, terminated: Tensor, alpha: Tensor, gamma: float
) -> Tensor:
    """r + gamma (min Q'(s', a') - alpha log pi(a' | s')), eq. 3 and 5: [S, M, 2, B], [S, M, B] x3, [S, M] -> [S, M, B].

    After a terminal state nothing counts. If a time limit cut an episode short, the value of its last state counts.
    """
    soft = torch.minimum(*q_next.unbind(2)) - alpha.unsqueeze(-1) * log_prob
    return rewards + gamma * soft.masked_fill(terminated, 0)


def critic_loss(q: Tensor, targets: Tensor) -> Tensor:
    """Half the mean squared error of each critic, eq. 5: [S, M, 2, B], [S, M, B] -> [S, M, 2]."""
    return 0.5 * (q - targets.unsqueeze(2)).square().mean(-1)


def critic_gradient(q: Tensor, targets: Tensor) -> Tensor:
    """Gradient of `critic_loss` by q: [S, M, 2, B]."""
    return (q - targets.unsqueeze(2)) / q.shape[-1]


def actor_loss(q: Tensor, log_prob: Tensor, alpha: Tensor) -> Tensor:
    """Mean of alpha log pi(a | s) - min Q(s, a), eq. 9: [S, M, 2, B], [S, M, B], [S, M] -> [S, M]."""
    return (alpha.unsqueeze(-1) * log_prob - torch.minimum(*q.unbind(2))).mean(-1)


def actor_gradients(q: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of `actor_loss` by q [S, M, 2, B], and by log pi [S, M, 1], the same for every sample.

    The smaller of the two values counts; of two equal ones, the first.
    """
    first = q[:, :, :1] <= q[:, :, 1:]
    return torch.cat([first, ~first], 2).to(q.dtype) / -q.shape[-1], alpha.unsqueeze(-1) / q.shape[-1]


def temperature_loss(alpha: Tensor, log_prob: Tensor, target_entropy: float) -> Tensor:
    """Mean of -alpha (log pi + target entropy), eq. 18: [S, M], [S, M, B] -> [S, M].

    alpha is learned as its logarithm. alpha times a constant is its own derivative by the logarithm, so J is its own
    gradient.
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
        self._actor_passes, self._critic_passes = Perceptrons(self._actor), Perceptrons(self._critics, 2)
        self._target_passes = Perceptrons(self._targets, 2, learns=False)
        self._actor_adam, self._critic_adam = FusedAdam(self._actor, 1, h.lr), FusedAdam(self._critics, 2, h.lr)
        self._alpha = LearnedScalars(h.temperature_start, (len(streams), members), h.lr, device, dtype)
        self._captured = Captured(lambda *arguments: self._update(*arguments), device)

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
        """tanh(mean + std noise) [S, E, 1, A] of a policy for obs [S, E, 1, O].

        actor: one for each seed [S, 1, ...]; None: the first member's.
        """
        one = {name: p[:, 0] for name, p in (actor or self._actor).items()}
        mean, log_std = self._cut(mlp(one, columns(obs.to(self._dtype))))
        spread = columns(noise.to(self._dtype).expand(*obs.shape[:3], mean.shape[1]))
        return rows((mean + log_std.exp() * spread).tanh(), obs.shape[1:3])

    def learn(self, task: int, played: Played, steps_done: int) -> dict[str, Tensor]:
        """Store a round's steps. Make an update once the warm-up is stored."""
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
        return self._captured(*self._drawn(), {})

    def policy(self) -> dict[str, Tensor]:
        """The policies' weights, [S, M, ...] each."""
        return {name: p.clone() for name, p in self._actor.items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, targets, temperature, Adam's moments and steps, by dotted name; copies."""
        return saved(self._networks(), self._learned())

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave. Raises ValueError: see the optimisers."""
        restored(state, self._networks(), self._learned())

    # ------------------------------------------------------------------------------------------- one update

    def _drawn(self) -> tuple[StepBatch, Tensor]:
        """The inputs of an update: M batches of each seed, concatenated [S, M B, ...]; noise [S, 2, M, A, B].

        First comes the noise for actions in the next states, then for actions in the states.
        """
        batch_size = self.hyperparameters.batch_size
        return self.replay.sample(self._members * batch_size), self._noise(batch_size)

    def _noise(self, batch_size: int) -> Tensor:
        own = {"device": self._device, "dtype": self._dtype}
        shape = (2, self._members, self.task.action_size, batch_size)
        return torch.stack([torch.randn(shape, generator=s["update"], **own) for s in self._streams])

    @torch.no_grad()
    def _update(self, batch: StepBatch, noise: Tensor, coefficients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Steps of critics, actor, temperature and targets; losses [S]. coefficients: not used."""
        alpha = self._alpha.value
        losses = {"critic": self._critic_step(batch, noise[:, 0], alpha)}
        losses |= self._actor_step(batch, noise[:, 1], alpha)
        soft_update(self._targets, self._critics, self.hyperparameters.tau)
        return losses

    def _critic_step(self, batch: StepBatch, noise: Tensor, alpha: Tensor) -> Tensor:
        """One step of the critics; the sum of both losses [S]. noise [S, M, A, B], alpha [S, M]."""
        obs, actions, rewards, after, terminated = (
            x.unflatten(1, (self._members, -1))
            for x in (batch.obs, batch.actions, batch.rewards, batch.next_obs, batch.terminated)
        )
        next_actions, next_log_prob = squashed(*self._cut(self._actor_passes.outputs(after.mT)), noise)
        q_next = self._target_passes.outputs(torch.cat([after.mT, next_actions], 2))
        targets = soft_targets(q_next, next_log_prob, rewards, terminated, alpha, self.hyperparameters.gamma)
        q = self._critic_passes.outputs(torch.cat([obs, actions], -1).mT)
        self._critic_passes.descend(critic_gradient(q, targets), self._critic_adam)
        return critic_loss(q, targets).sum(-1).mean(-1)

    def _actor_step(self, batch: StepBatch, noise: Tensor, alpha: Tensor) -> dict[str, Tensor]:
        """One step of actor and temperature with the current critics; losses [S]. noise [S, M, A, B], alpha [S, M]."""
        obs = batch.obs.unflatten(1, (self._members, -1)).mT
        heads = self._actor_passes.outputs(obs)
        mean, log_std = self._cut(heads)
        chosen, log_prob = squashed(mean, log_std, noise)
        q = self._critic_passes.outputs(torch.cat([obs, chosen], 2))
        of_q, of_log_prob = actor_gradients(q, alpha)
        of_actions = self._critic_passes.of_inputs(of_q, obs.shape[2])
        of_heads = squashed_gradient(heads, log_std, noise, chosen, of_actions, of_log_prob)
        self._actor_passes.descend(of_heads, self._actor_adam)
        loss_temperature = temperature_loss(alpha, log_prob, self._target_entropy)
        self._alpha.descend(loss_temperature)
        losses = {
            "actor": actor_loss(q, log_prob, alpha),
            "temperature": loss_temperature,
            "entropy": -log_prob.mean(-1),
            "alpha": alpha,
        }
        return {name: loss.mean(-1) for name, loss in losses.items()}

    def _cut(self, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log standard deviations, [..., A, B] each, of policies' outputs [..., 2 A, B]."""
        return gaussian(heads, self.hyperparameters.log_std_min, self.hyperparameters.log_std_max)

    def _gaussian(self, actor: Parameters, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log standard deviations [S, M, A, B] of given policies for obs [S, M, O, B], for autograd."""
        return self._cut(actor_logits(actor, obs))

    def _values(self, critics: Parameters, obs: Tensor, actions: Tensor) -> Tensor:
        """Q [S, M, 2, B] of given critics for obs [S, M, B, O] and actions [S, M, B, A], for autograd."""
        joint, pairs = torch.cat([obs, actions], -1), (len(obs) * obs.shape[1], 2)
        paired = {name: p.reshape(*pairs, *p.shape[2:]) for name, p in critics.items()}  # both critics read the same
        return joint_values(paired, joint.flatten(0, 1)).unflatten(0, obs.shape[:2])

    def _networks(self) -> dict[str, Parameters]:
        return {"actor": self._actor, "critic": self._critics, "target": self._targets}

    def _learned(self) -> dict[str, Optimiser]:
        return {"adam_actor": self._actor_adam, "adam_critic": self._critic_adam, "temperature": self._alpha}
