"""MADDPG (Lowe et al. 2017) for discrete actions, with the settings of openai/maddpg (3ceefa0).

Axes: S seed, E environment copy, T time step, N agent, B batch, O observation entry, A action entry; D = N*O + N*A.

Departs from openai/maddpg: all agents are updated at once on one batch, where it goes agent by agent, with a batch
each and with targets that the agents before have already moved. Mean squared error and Adam's epsilon as there.
A time limit is no terminal state: the next observation at T is the real last one, and its value counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from baselines import specs
from baselines.distill import paired
from baselines.learner import Acting, Rollout, Task
from baselines.nn import (
    Parameters,
    actor_logits,
    detached,
    entry_slots,
    initial,
    joint_values,
    own_action_values,
    per_agent,
    unpadded,
)
from baselines.optim import LaneAdam, soft_update
from baselines.replay import Batch, EpisodeReplay
from baselines.streams import Streams

# Batches of 1,024 on a CPU: two seeds together took 3-10% less time each than one alone, more than two gained nothing
# certain (4 and 8 agents, 1 MiB of second-level cache). At a batch of 32 five together took less than half the time.
LARGE_BATCH, LARGE_BATCH_LANES = 512, 2


def evenly(seeds: int, lanes: int) -> list[slice]:
    """Groups of at least `lanes` seeds where there are so many, their sizes as equal as can be: 5 seeds by 2 are 3 + 2.

    A seed left over would cost more alone than as a third.
    """
    groups = max(1, seeds // lanes)
    return [slice(*ends) for ends in pairwise(seeds * i // groups for i in range(groups + 1))]


def only(tasks: Sequence[Task]) -> Task:
    """The one task of a method that learns no more than one. Raises ValueError for several."""
    if len(tasks) != 1:
        raise ValueError(f"tasks: got {len(tasks)}; allowed: one, for a method that learns a single task")
    return tasks[0]


def gumbel(uniform: Tensor) -> Tensor:
    """Gumbel(0, 1) noise of uniform draws from [0, 1): -log(-log u), u = 0 read as the smallest normal number."""
    return -torch.log(-torch.log(uniform.clamp(min=torch.finfo(uniform.dtype).tiny)))


def soft_sample(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """Gumbel-softmax sample, left soft as in openai/maddpg: [S, N, A, B] for logits and Gumbel noise of that shape."""
    return ((logits + noise) / temperature).softmax(-2)


@torch.no_grad()
def td_targets(
    actor: Parameters,
    critic: Parameters,
    batch: Batch,
    noise: Tensor,
    slots: Tensor | None,
    gamma: float,
    temperature: float,
) -> Tensor:
    """Eq. 6's y = r_i + gamma Q'_i(x', a'), [S, N, B], with a' sampled from the target actors under noise [S, N, A, B].

    Writes a' into the batch's next_joint.
    """
    next_obs, next_actions = per_agent(batch.next_joint, *noise.shape[1:3])
    next_actions.copy_(soft_sample(actor_logits(actor, next_obs, slots), noise, temperature))
    return batch.rewards + gamma * joint_values(critic, batch.next_joint).masked_fill(batch.terminated, 0)


def critic_loss(q: Tensor, targets: Tensor) -> Tensor:
    """Eq. 6: mean squared error, [S, N, B] x2 -> [S, N]."""
    return (q - targets).square().mean(-1)


def actor_loss(q_own: Tensor, logits: Tensor, logit_penalty: float) -> Tensor:
    """Descends where eq. 5 ascends Q; openai/maddpg adds the mean squared logit. [S, N, B], [S, N, A, B] -> [S, N]."""
    return logit_penalty * logits.square().mean((-2, -1)) - q_own.mean(-1)


class MADDPG:
    """A `Learner`. One update after each round of `update_episodes` episodes, once batch and warm-up are stored.

    lanes_per_call: how many seeds, at least, go through an update together; by default all on a GPU and for small
    batches, `LARGE_BATCH_LANES` for large batches on a CPU. A seed's numbers do not depend on it (on a CPU, to the last
    bit).
    dtype: of parameters, replay and noise.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.MADDPG,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        lanes_per_call: int | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        task = only(tasks)
        self.task, self.hyperparameters = task, hyperparameters
        self._streams, self._device, self._dtype = streams, torch.device(device), dtype
        self.copies = hyperparameters.update_episodes
        self.replay = EpisodeReplay(task, hyperparameters.replay_size, streams, device, dtype)
        self.replays = (self.replay,)
        self._slots = entry_slots(task.layout, device)
        self._playing: Parameters | None = None  # the actors as a rollout needs them, until they change

        hidden = [hyperparameters.hidden_width] * hyperparameters.hidden_layers
        joint_size = task.agents * (task.obs_size + task.action_size)
        self._actor = self._starting_actor([task.layout.width, *hidden, task.action_size])
        self._critic = initial([joint_size, *hidden, 1], task.agents, streams, device, dtype)
        self._target_actor = {name: p.clone() for name, p in self._actor.items()}
        self._target_critic = {name: p.clone() for name, p in self._critic.items()}

        self.lanes_per_call = lanes_per_call or self._default_lanes()
        self._groups = evenly(len(streams), self.lanes_per_call)
        self._actor_adam, self._critic_adam = (
            LaneAdam(network, self._groups, hyperparameters.lr, hyperparameters.grad_clip)
            for network in (self._actor, self._critic)
        )

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """Soft samples under noise that is drawn for the whole round."""
        noise = self.exploration_noise()
        return lambda obs, _, t: self.explore(obs, noise[t])

    def greedy(self, task: int) -> Acting:
        return lambda obs, *_: self.likeliest(obs)

    def exploration_noise(self) -> Tensor:
        """Gumbel noise of one round, [T, S, E, N, A]."""
        task = self.task
        return self._noise(
            "exploration", slice(None), (task.episode_limit, self.copies, task.agents, task.action_size)
        ).transpose(0, 1)

    @torch.no_grad()
    def explore(self, obs: Tensor, noise: Tensor) -> Tensor:
        """Soft samples [S, E, N, A] of the policy: what openai/maddpg's environment receives."""
        sample = soft_sample(self._logits(obs), noise.permute(0, 2, 3, 1), self.hyperparameters.temperature)
        return sample.permute(0, 3, 1, 2)

    @torch.no_grad()
    def likeliest(self, obs: Tensor) -> Tensor:
        """The likeliest action as a one-hot vector, [S, E, N, A]."""
        logits = self._logits(obs)
        return torch.zeros_like(logits).scatter_(2, logits.argmax(2, keepdim=True), 1).permute(0, 3, 1, 2)

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        """Losses [S], means over agents: "critic", "actor" (all that is minimised), "q" (in the actor's pass)."""
        self.replay.append(rollout)
        needed = max(self.hyperparameters.warmup_transitions, self.hyperparameters.batch_size)
        if self.replay.transitions < needed:
            return {}
        self._playing = None
        groups = [self._update(group, episodes_done) for group in range(len(self._groups))]
        return {name: torch.cat([losses[name] for losses in groups]) for name in groups[0]}

    def policy(self) -> dict[str, Tensor]:
        """The actors' weights, as `Teacher.weights` expects them."""
        return {name: p.clone() for name, p in self._actor.items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, targets, Adam's moments and steps, by dotted name; copies."""
        parts = self._networks() | {part: adam.state() for part, adam in self._adams().items()}
        return {f"{part}.{name}": p.clone() for part, tensors in parts.items() for name, p in tensors.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave, by this or another grouping of the same seeds."""
        self._playing = None
        for part, network in self._networks().items():
            for name, p in network.items():
                p.copy_(state[f"{part}.{name}"])
        for part, adam in self._adams().items():
            adam.load_state({n.removeprefix(f"{part}."): p for n, p in state.items() if n.startswith(f"{part}.")})

    def _update(self, group: int, episodes_done: int) -> dict[str, Tensor]:
        """One critic step, one actor step with the new critic, then the targets; losses [S of the group]."""
        h, lanes = self.hyperparameters, self._groups[group]
        batch = self.replay.sample(h.batch_size, lanes)
        shape = (2, self.task.agents, self.task.action_size, h.batch_size)
        target_noise, own_noise = self._noise("update", lanes, shape).unbind(1)
        actor, critic = self._actor_adam.leaves[group], self._critic_adam.leaves[group]
        target_actor, target_critic = (
            {name: p[lanes] for name, p in target.items()} for target in (self._target_actor, self._target_critic)
        )

        y = td_targets(target_actor, target_critic, batch, target_noise, self._slots, h.gamma, h.temperature)
        loss_critic = critic_loss(joint_values(critic, batch.joint), y)
        self._critic_adam.step(group, loss_critic)

        obs, _ = per_agent(batch.joint, self.task.agents, self.task.action_size)
        logits = actor_logits(actor, obs, self._slots)
        q = own_action_values(critic, batch.joint, soft_sample(logits, own_noise, h.temperature))
        loss_actor, terms = self._actor_objective(
            actor_loss(q, logits, h.logit_penalty), obs.permute(0, 3, 1, 2), logits, lanes, episodes_done
        )
        self._actor_adam.step(group, loss_actor)

        soft_update(target_critic, detached(critic), h.tau)
        soft_update(target_actor, detached(actor), h.tau)
        losses = {"critic": loss_critic, "actor": loss_actor, "q": q.mean(-1), **terms}
        return {name: loss.detach().mean(-1) for name, loss in losses.items()}

    def _actor_objective(
        self, loss: Tensor, obs: Tensor, logits: Tensor, lanes: slice, episodes_done: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What the actors minimise, and further terms to report, all [S, N]. A method built on MADDPG changes this.

        loss [S, N]: MADDPG's own. obs [S, B, N, O] and logits [S, N, A, B] of the batch. lanes: which seeds they are.
        """
        return loss, {}

    def _starting_actor(self, sizes: Sequence[int]) -> Parameters:
        return initial(sizes, self.task.agents, self._streams, self._device, self._dtype)

    def _default_lanes(self) -> int:
        large = self._device.type == "cpu" and self.hyperparameters.batch_size >= LARGE_BATCH
        return LARGE_BATCH_LANES if large else len(self._streams)

    def _logits(self, obs: Tensor) -> Tensor:
        """[S, E, N, O] -> [S, N, A, E]."""
        if self._playing is None:
            self._playing = unpadded(detached(self._actor), self._slots)
        return actor_logits(self._playing, obs.to(self._dtype).permute(0, 2, 3, 1))

    def _noise(self, purpose: str, lanes: slice, shape: tuple[int, ...]) -> Tensor:
        """Gumbel noise [S, *shape], drawn and transformed seed by seed."""
        return torch.stack(
            [
                gumbel(torch.rand(shape, generator=s[purpose], dtype=self._dtype, device=self._device))
                for s in self._streams[lanes]
            ]
        )

    def _networks(self) -> dict[str, Parameters]:
        return {
            "actor": self._actor,
            "critic": self._critic,
            "target_actor": self._target_actor,
            "target_critic": self._target_critic,
        }

    def _adams(self) -> dict[str, LaneAdam]:
        return {"adam_actor": self._actor_adam, "adam_critic": self._critic_adam}


class InitializedMADDPG(MADDPG):
    """KnowRU's control group "MADDPG with initialization" (Gao et al. 2021, Sec. 4.2).

    Actor i and its target start as copies of the teacher's actor i mod N_teacher (assumed: the paper names neither
    the networks nor the pairing); critics start fresh, the same as MADDPG's of that seed, and so does Adam.
    Raises ValueError without a teacher, or where its actors have other shapes.
    """

    def _starting_actor(self, sizes: Sequence[int]) -> Parameters:
        fresh = super()._starting_actor(sizes)  # draws what MADDPG draws, so that the critics agree
        teacher = self.task.teacher
        if teacher is None:
            raise ValueError("MADDPG with initialization needs a teacher: task.teacher is None")
        if teacher.layout.width != self.task.layout.width:
            raise ValueError(
                f"initialization copies weights: the teacher's input has {teacher.layout.width} entries, the student's "
                f"{self.task.layout.width}; train both in one layout (hyperparameter layout_agents)"
            )
        copies = paired(teacher.weights, self.task.agents, like=fresh["weight_0"])
        shapes, wanted = ({n: tuple(p.shape) for n, p in actor.items()} for actor in (copies, fresh))
        if shapes != wanted:
            raise ValueError(
                f"initialization copies weights: the teacher's shapes are {shapes}, the student's {wanted}"
            )
        return copies
