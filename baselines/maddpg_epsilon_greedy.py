"""MADDPG (Lowe et al. 2017) as DVM uses it: discrete actions, epsilon-greedy exploration.

Axes: S seed, E environment copy, T time step, N agent, B batch, O observation entry, A action entry; D = N*O + N*A.

| paper | here |
|---|---|
| eq. 6, its target y, with what the target policies think best | `targets` |
| eq. 6, L(theta_i) | `maddpg.critic_loss` |
| eq. 5, with hard samples: one-hot actions, the gradient of soft ones | `hard_sample`, `maddpg.actor_loss` |
| Algorithm 1: targets theta' <- tau theta + (1 - tau) theta' | `optim.soft_update` |
| Algorithm 1: exploration | `EpsilonGreedyMADDPG.exploring` |

The settings are those of DVM's authors (SamirW/maddpg-pytorch e791f82, bf45000). Every agent has a batch of its own. In
its actor loss the other agents take their own policies' best actions, not those in the replay. Rewards are standardised
over everything that is stored. At an epsilon of `sampled_below` or less the policy is sampled (Gumbel).
Departs from that code: all agents are updated at once; the code goes agent by agent, so in an agent's actor loss
earlier agents have already moved. And a batch is drawn with replacement. Critics read all agents in one fixed order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.nn import Parameters, detached, initial, joint_values, own_action_values, per_agent
from baselines.kernels.optim import LaneAdam, soft_update
from baselines.learner import Acting, Rollout, Seen, Task, alike
from baselines.maddpg import LARGE_BATCH, LARGE_BATCH_LANES, actor_loss, critic_loss, evenly, gumbel
from baselines.networks.actors import Actors, Playing
from baselines.replay.transitions import EpisodeReplay
from baselines.schedules import linear
from baselines.streams import Streams
from baselines.training_state import restored, saved


def best(logits: Tensor) -> Tensor:
    """The likeliest action as a one-hot vector: [S, N, A, B] -> the same."""
    return torch.zeros_like(logits).scatter_(2, logits.argmax(2, keepdim=True), 1)


def hard_sample(logits: Tensor, noise: Tensor) -> Tensor:
    """One-hot Gumbel-softmax sample with the soft sample's gradient, [S, N, A, B] for logits and Gumbel noise."""
    soft = (logits + noise).softmax(2)
    return best(soft.detach()) + (soft - soft.detach())


def targets(rewards: Tensor, q_next: Tensor, terminated: Tensor, gamma: float) -> Tensor:
    """r + gamma Q'(x', a'), [S, N, B]; nothing counts after a terminal step."""
    return rewards + gamma * q_next.masked_fill(terminated, 0)


class EpsilonGreedyMADDPG:
    """A `Learner`. One update after each round of `update_episodes` episodes, once batch and warm-up are stored.

    tasks: one, or several of the same sizes that are learned one after the other. lanes_per_call: the least number of
    seeds in an update. dtype: of parameters, replay and noise.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.EpsilonGreedyMADDPG,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        lanes_per_call: int | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        h, task = hyperparameters, alike(tasks)
        self.task, self.hyperparameters = task, h
        self.streams, self._device, self._dtype = streams, torch.device(device), dtype
        self.copies, self.steps = h.update_episodes, None
        self.replay = EpisodeReplay(task, h.replay_size, streams, device, dtype)
        self.replays = (self.replay,)
        self.epsilon_start, self.explored_from = h.epsilon_start, 0
        self._playing: Playing | None = None  # the actors in a rollout's form, until they change

        hidden = [h.hidden_width] * h.hidden_layers
        self.critic_sizes = [task.agents * (task.obs_size + task.action_size), *hidden, 1]
        self.actors = Actors(task.layout, task.agents, hidden, task.action_size, device)
        self.actor = self.actors.initial(streams, device, dtype, h.initial_weights)
        self.critic = initial(self.critic_sizes, task.agents, streams, device, dtype, h.initial_weights)
        self.target_actor = {name: p.clone() for name, p in self.actor.items()}
        self.target_critic = {name: p.clone() for name, p in self.critic.items()}
        large = self._device.type == "cpu" and h.batch_size >= LARGE_BATCH
        self.groups = evenly(len(streams), lanes_per_call or (LARGE_BATCH_LANES if large else len(streams)))
        self._actor_adam, self._critic_adam = (
            LaneAdam(network, self.groups, h.lr, h.grad_clip, clipping="network")
            for network in (self.actor, self.critic)
        )

    def epsilon(self, episodes_done: int) -> float:
        """The epsilon of an episode, from the number of episodes before it."""
        h = self.hyperparameters
        return linear(self.epsilon_start, h.epsilon_end, h.epsilon_episodes, episodes_done - self.explored_from)

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """Each copy has the epsilon of its own episode. Noise is drawn for the whole round: [T, S, E, N, 1 + A]."""
        own, limit = self.task, self.hyperparameters.sampled_below
        shape = (own.episode_limit, self.copies, own.agents, 1 + own.action_size)
        options = {"dtype": self._dtype, "device": self._device}
        drawn = [torch.rand(shape, generator=s["exploration"], **options) for s in self.streams]
        rows = iter(torch.stack(drawn, 1).unbind())
        epsilons = [self.epsilon(episodes_done + copy) for copy in range(self.copies)]
        sampled = torch.tensor([e <= limit for e in epsilons], device=self._device).view(-1, 1, 1)  # [E, 1, 1]
        epsilon = torch.tensor(epsilons, **options).view(-1, 1, 1)

        def act(seen: Seen) -> Tensor:
            noise, logits = next(rows), self._logits(seen.obs).permute(0, 3, 1, 2)
            scores = torch.where(sampled, logits + gumbel(noise[..., 1:]), logits)
            scores = torch.where(~sampled & (noise[..., :1] < epsilon), noise[..., 1:], scores)
            return torch.zeros_like(scores).scatter_(-1, scores.argmax(-1, keepdim=True), 1)

        return act

    def greedy(self, task: int) -> Acting:
        return lambda seen: best(self._logits(seen.obs)).permute(0, 3, 1, 2)

    @torch.no_grad()
    def values(self, task: int, obs: Tensor) -> Tensor:
        """`Valued`: each agent's critic for observations [S, E, N, O] and the likeliest actions: [S, E, N]."""
        actions = best(self._logits(obs)).permute(0, 3, 1, 2)
        joint = torch.cat([obs.to(self._dtype).flatten(2), actions.flatten(2)], -1)
        return joint_values(self.critic, joint).mT

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        """Losses [S], means over agents: "critic", "actor" (the whole loss), "q" (in the actor's pass)."""
        if self.hyperparameters.time_limit_terminal:
            rollout = rollout.ending_at_the_limit()
        self.replay.append(rollout)
        if self.replay.stored < max(self.hyperparameters.warmup_transitions, self.hyperparameters.batch_size):
            return {}
        self.changed()
        groups = [self._update(group, lanes) for group, lanes in enumerate(self.groups)]
        return {name: torch.cat([losses[name] for losses in groups]) for name in groups[0]}

    def changed(self) -> None:
        """Note that the actors have changed."""
        self._playing = None

    def policy(self) -> dict[str, Tensor]:
        """The actors' weights."""
        return {name: p.clone() for name, p in self.actor.items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, targets, Adam's moments and steps, by dotted name; copies."""
        return saved(self._networks(), self._adams())

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave, under this or another grouping of the same seeds."""
        self.changed()
        restored(state, self._networks(), self._adams())

    def _update(self, group: int, lanes: slice) -> dict[str, Tensor]:
        """One critic step, one actor step with the new critic, then the targets; losses [S of the group]."""
        h, agents, actions = self.hyperparameters, self.task.agents, self.task.action_size
        batch = self.replay.sample(agents * h.batch_size, lanes).by_agent()
        noise = self._noise(lanes, (agents, actions, h.batch_size))
        actor, critic = self._actor_adam.leaves[group], self._critic_adam.leaves[group]
        target_actor, target_critic = (
            {name: p[lanes] for name, p in target.items()} for target in (self.target_actor, self.target_critic)
        )
        rewards = batch.rewards
        if h.reward_standardisation:
            mean, sd = self.replay.reward_moments(lanes)
            rewards = (rewards - mean.unsqueeze(-1)) / sd.unsqueeze(-1)

        with torch.no_grad():
            self._act_in(batch.next_joint, target_actor)
            y = targets(rewards, joint_values(target_critic, batch.next_joint), batch.terminated, h.gamma)
        loss_critic = critic_loss(joint_values(critic, batch.joint), y)
        self._critic_adam.step(group, loss_critic)

        with torch.no_grad():
            self._act_in(batch.joint, detached(actor))
        obs, _ = per_agent(batch.joint, agents, actions)
        logits = self.actors.logits(actor, obs)
        q = own_action_values(critic, batch.joint, hard_sample(logits, noise))
        loss_actor = actor_loss(q, logits, h.logit_penalty)
        self._actor_adam.step(group, loss_actor)

        soft_update(target_critic, detached(critic), h.tau)
        soft_update(target_actor, detached(actor), h.tau)
        losses = {"critic": loss_critic, "actor": loss_actor, "q": q.mean(-1)}
        return {name: loss.detach().mean(-1) for name, loss in losses.items()}

    def _act_in(self, joint: Tensor, actor: Parameters) -> None:
        """Write each agent's best action into the joint inputs [S, N, B, D] of all batches."""
        obs, actions = per_agent(joint.flatten(1, 2), self.task.agents, self.task.action_size)
        actions.copy_(best(self.actors.logits(actor, obs)))

    def _logits(self, obs: Tensor) -> Tensor:
        """[S, E, N, O] -> [S, N, A, E]."""
        if self._playing is None:
            self._playing = self.actors.playing(self.actor)
        return self._playing(obs)

    def _noise(self, lanes: slice, shape: tuple[int, ...]) -> Tensor:
        """Gumbel noise [S, *shape], drawn seed by seed."""
        own = {"dtype": self._dtype, "device": self._device}
        return torch.stack([gumbel(torch.rand(shape, generator=s["update"], **own)) for s in self.streams[lanes]])

    def _networks(self) -> dict[str, Parameters]:
        return {
            "actor": self.actor,
            "critic": self.critic,
            "target_actor": self.target_actor,
            "target_critic": self.target_critic,
        }

    def _adams(self) -> dict[str, LaneAdam]:
        return {"adam_actor": self._actor_adam, "adam_critic": self._critic_adam}
