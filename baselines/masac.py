"""Multiagent soft actor-critic (Wadhwania et al. 2019, Sec. III-C): centralised Q and V, continuous actions.

Axes: S seed, N agent, K Q network of an agent, E environment copy, B batch, O observation entry, A action entry;
D = N*O + N*A, a joint input's entries: the observations of all agents, then their actions.

| paper | here |
|---|---|
| eq. 10: J_V of agent i, only its own action drawn anew | `value_targets`, `squared_error` |
| eq. 11: J_Q | `sac.critic_loss` |
| eq. 12: the target of Q, r + gamma V(o'), V by its target network | `q_targets` |
| Algorithm 1, line 11: the policy, as SAC (Haarnoja et al. 2018, arXiv 1801.01290, eq. 12) | `policy_loss` |
| Sec. III-C.2: a Gaussian policy; tanh squashes it, as SAC's does | `gaussian.squashed` |
| Algorithm 1, lines 9 to 15: an update | `MASAC.learn`, `optim.soft_update` |

Each loss has its gradient by the networks' outputs beside it; `Perceptrons` continues the gradient (tests compare both
with autograd). alpha weighs log pi in eq. 10, where the paper prints no weight. The whole update reads policy, Q and V
from before it, and each agent's action is drawn once for V and the policy, as in its authors' code
(SamirW/pytorch-soft-actor-critic 7810569, 6f2f7ee). Also from that code: a batch of its own for each agent, rewards
standardised over everything that is stored, a small penalty on means and log standard deviations.
Departs from that code: one Q instead of the smaller of two (`q_networks`); the target's V is that of the next
observations instead of the current ones (`target_observations`); a batch is drawn with replacement. Critics read all
agents in one fixed order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.capture import Captured
from baselines.kernels.layers import columns, mlp, rows
from baselines.kernels.nn import Parameters, initial
from baselines.kernels.optim import FusedAdam, soft_update
from baselines.kernels.perceptrons import Perceptrons
from baselines.learner import Acting, Rollout, Task, alike
from baselines.losses.gaussian import gaussian, squashed, squashed_gradient
from baselines.replay.transitions import Batch, EpisodeReplay
from baselines.sac import critic_gradient, critic_loss
from baselines.streams import Streams
from baselines.training_state import Optimiser, restored, saved


def q_targets(v_next: Tensor, rewards: Tensor, terminated: Tensor, gamma: float) -> Tensor:
    """Eq. 12: r + gamma V(o'), [S, N, B] x3 -> [S, N, B]; nothing counts after a terminal step."""
    return rewards + gamma * v_next.masked_fill(terminated, 0)


def value_targets(q: Tensor, log_prob: Tensor, alpha: float) -> Tensor:
    """Eq. 10: Q of a newly drawn action minus alpha log pi: [S, N, K, B], [S, N, B] -> [S, N, B]."""
    return q.amin(2) - alpha * log_prob


def squared_error(v: Tensor, targets: Tensor) -> Tensor:
    """Eq. 10: half the mean squared error, [S, N, B] x2 -> [S, N]. Its gradient by v is (v - targets) / B."""
    return 0.5 * (v - targets).square().mean(-1)


def policy_loss(q: Tensor, log_prob: Tensor, mean: Tensor, log_std: Tensor, alpha: float, penalty: float) -> Tensor:
    """Mean of alpha log pi(a | o) - Q(o, a), plus a penalty: [S, N, K, B], [S, N, B], [S, N, A, B] x2 -> [S, N]."""
    own = mean.square().flatten(2).mean(-1) + log_std.square().flatten(2).mean(-1)
    return (alpha * log_prob - q.amin(2)).mean(-1) + penalty * own


def policy_gradient_by_q(q: Tensor) -> Tensor:
    """Gradient of `policy_loss` by q [S, N, K, B]: the smaller value counts; of two equal ones, the first."""
    if q.shape[2] == 1:
        return torch.full_like(q, -1 / q.shape[-1])
    first = q[:, :, :1] <= q[:, :, 1:]
    return torch.cat([first, ~first], 2).to(q.dtype) / -q.shape[-1]


def penalty_gradient(heads: Tensor, mean: Tensor, log_std: Tensor, penalty: float) -> Tensor:
    """Gradient of `policy_loss`'s penalty by the policies' outputs [S, N, 2 A, B]; values cut off get none."""
    each = 2 * penalty / (mean.shape[-2] * mean.shape[-1])
    return each * torch.cat([mean, log_std * (heads.chunk(2, -2)[1] == log_std)], -2)


def own_of(joint: Tensor, agents: int) -> Tensor:
    """A view of agent i's observation or action in batch i: [S, N, N X, B], X entries per agent -> [S, N, X, B]."""
    return joint.unflatten(2, (agents, -1)).diagonal(dim1=1, dim2=2).movedim(-1, 1)


class MASAC:
    """A `Learner`. One update after each round of `update_episodes` episodes, once batch and warm-up are stored.

    tasks: one, or several of the same sizes that are learned one after the other. dtype: of parameters, replay and
    noise. Reports [S], means over agents: "critic" (eq. 11, two Qs together), "value" (eq. 10), "actor" (the whole
    loss), "q" at the newly drawn actions, "entropy" of the policy on the batch.
    """

    steps = None

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.MASAC,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        h, task = hyperparameters, alike(tasks)
        self.task, self.hyperparameters, self.copies = task, h, h.update_episodes
        self.streams, self._device, self._dtype = streams, torch.device(device), dtype
        self.replay = EpisodeReplay(task, h.replay_size, streams, device, dtype)
        self.replays = (self.replay,)

        n, hidden, drawn = task.agents, [h.hidden_width] * h.hidden_layers, (streams, device, dtype)
        self.actor_sizes = [task.obs_size, *hidden, 2 * task.action_size]
        self.q_sizes, self.v_sizes = (
            [n * (task.obs_size + task.action_size), *hidden, 1],
            [n * task.obs_size, *hidden, 1],
        )
        self.actor = initial(self.actor_sizes, n, *drawn)
        self.q = initial(self.q_sizes, n * h.q_networks, *drawn)  # [S, N K, ...]
        self.v = initial(self.v_sizes, n, *drawn)
        self.target_v = {name: p.clone() for name, p in self.v.items()}
        self._actor_passes, self._q_passes = Perceptrons(self.actor), Perceptrons(self.q, h.q_networks)
        self._v_passes, self._target_passes = Perceptrons(self.v), Perceptrons(self.target_v, learns=False)
        self._actor_adam, self._v_adam = FusedAdam(self.actor, 1, h.lr), FusedAdam(self.v, 1, h.lr)
        self._q_adam = FusedAdam(self.q, h.q_networks, h.lr)
        self._captured = Captured(lambda *arguments: self._update(*arguments), device)

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """Samples of the policy; uniform actions in the first episodes. Noise is drawn for the whole round."""
        own, options = self.task, {"dtype": self._dtype, "device": self._device}
        shape = (own.episode_limit, self.copies, own.agents, own.action_size)
        rows_ = iter(torch.stack([torch.randn(shape, generator=s["exploration"], **options) for s in self.streams], 1))
        first = self.hyperparameters.random_episodes - episodes_done  # how many copies belong to the first episodes
        if first <= 0:
            return lambda seen: self._act(seen.obs, next(rows_))
        uniform = [2 * torch.rand(shape, generator=s["exploration"], **options) - 1 for s in self.streams]
        others = iter(torch.stack(uniform, 1))
        random = (torch.arange(self.copies, device=self._device) < first).view(-1, 1, 1)
        return lambda seen: torch.where(random, next(others), self._act(seen.obs, next(rows_)))

    def greedy(self, task: int) -> Acting:
        return lambda seen: self._act(seen.obs, None)

    @torch.no_grad()
    def values(self, task: int, obs: Tensor) -> Tensor:
        """`Valued`: each agent's Q for observations [S, E, N, O] and the means of all policies: [S, E, N]."""
        joint = torch.cat([obs.to(self._dtype).flatten(2), self._act(obs, None).flatten(2)], -1)
        k, networks = self.hyperparameters.q_networks, self.q["weight_0"].shape[1]
        repeated = columns(joint).unsqueeze(1).expand(-1, networks, -1, -1).flatten(0, 1)
        found = mlp({name: p.flatten(0, 1) for name, p in self.q.items()}, repeated)[..., : obs.shape[1]]
        return found.view(len(obs), -1, k, obs.shape[1]).amin(2).mT

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        """Store a round. Make an update once enough is stored."""
        h = self.hyperparameters
        if h.time_limit_terminal:
            rollout = rollout.ending_at_the_limit()
        self.replay.append(rollout)
        if self.replay.stored < max(h.warmup_transitions, h.batch_size):
            return {}
        return self._captured(*self._drawn(), {})

    def changed(self) -> None:
        """Nothing to do: only the policies' parameters are kept."""

    def policy(self) -> dict[str, Tensor]:
        """The policies' weights."""
        return {name: p.clone() for name, p in self.actor.items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, target, Adam's moments and steps, by dotted name; copies."""
        return saved(self._networks(), self._adams())

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave. Raises ValueError: see the optimisers."""
        restored(state, self._networks(), self._adams())

    def cut(self, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log standard deviations, [..., A, B] each, of policies' outputs [..., 2 A, B]."""
        return gaussian(heads, self.hyperparameters.log_std_min, self.hyperparameters.log_std_max)

    # ------------------------------------------------------------------------------------------- one update

    def _drawn(self) -> tuple[Batch, Tensor]:
        """The inputs of an update: a batch for each agent, with standardised rewards; noise [S, N, A, B]."""
        h, own = self.hyperparameters, {"dtype": self._dtype, "device": self._device}
        batch = self.replay.sample(self.task.agents * h.batch_size, slice(None)).by_agent()
        shape = (self.task.agents, self.task.action_size, h.batch_size)
        noise = torch.stack([torch.randn(shape, generator=s["update"], **own) for s in self.streams])
        if h.reward_standardisation:
            mean, sd = self.replay.reward_moments(slice(None))
            batch = replace(batch, rewards=(batch.rewards - mean.unsqueeze(-1)) / sd.unsqueeze(-1))
        return batch, noise

    @torch.no_grad()
    def _update(self, batch: Batch, noise: Tensor, coefficients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Steps of Q, V and policy, all with networks from before them; then the target. coefficients: not used."""
        h, n = self.hyperparameters, self.task.agents
        seen = n * self.task.obs_size
        joint = batch.joint.mT.contiguous()  # [S, N, D, B]: columns, so no last bit depends on how rows lie
        heads = self._actor_passes.outputs(own_of(joint[:, :, :seen], n).contiguous())
        mean, log_std = self.cut(heads)
        chosen, log_prob = squashed(mean, log_std, noise)
        anew = joint.clone()
        own_of(anew[:, :, seen:], n).copy_(chosen)
        q_new = self._q_passes.outputs(anew)
        of_actions = own_of(self._q_passes.of_inputs(policy_gradient_by_q(q_new), seen), n)
        asked = batch.next_joint if h.target_observations == "next" else batch.joint
        v_next = self._target_passes.outputs(asked[..., :seen].mT).squeeze(2)

        y = q_targets(v_next, batch.rewards, batch.terminated, h.gamma)
        q = self._q_passes.outputs(joint)
        self._q_passes.descend(critic_gradient(q, y), self._q_adam)
        v, v_target = self._v_passes.outputs(joint[:, :, :seen]).squeeze(2), value_targets(q_new, log_prob, h.alpha)
        self._v_passes.descend(((v - v_target) / v.shape[-1]).unsqueeze(2), self._v_adam)
        of_log_prob = log_prob.new_full((1,), h.alpha / log_prob.shape[-1])
        of_heads = squashed_gradient(heads, log_std, noise, chosen, of_actions, of_log_prob)
        of_heads += penalty_gradient(heads, mean, log_std, h.policy_penalty)
        self._actor_passes.descend(of_heads, self._actor_adam)
        soft_update(self.target_v, self.v, h.tau)
        losses = {
            "critic": critic_loss(q, y).sum(-1),
            "value": squared_error(v, v_target),
            "actor": policy_loss(q_new, log_prob, mean, log_std, h.alpha, h.policy_penalty),
            "q": q_new.amin(2).mean(-1),
            "entropy": -log_prob.mean(-1),
        }
        return {name: loss.mean(-1) for name, loss in losses.items()}

    @torch.no_grad()
    def _act(self, obs: Tensor, noise: Tensor | None) -> Tensor:
        """tanh(mean + std noise) [S, E, N, A] of observations [S, E, N, O]; without noise tanh(mean)."""

        def by_agent(x: Tensor) -> Tensor:
            """[S, E, N, entry] -> [S N, entry, columns]."""
            return columns(x.to(self._dtype).transpose(1, 2).flatten(0, 1))

        mean, log_std = self.cut(mlp({name: p.flatten(0, 1) for name, p in self.actor.items()}, by_agent(obs)))
        u = mean if noise is None else mean + log_std.exp() * by_agent(noise)
        return rows(u.tanh(), obs.shape[1:2]).unflatten(0, (len(obs), -1)).transpose(1, 2)

    def _networks(self) -> dict[str, Parameters]:
        return {"actor": self.actor, "q": self.q, "v": self.v, "target_v": self.target_v}

    def _adams(self) -> dict[str, Optimiser]:
        return {"adam_actor": self._actor_adam, "adam_q": self._q_adam, "adam_v": self._v_adam}
