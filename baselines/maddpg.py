"""MADDPG (Lowe et al. 2017) for discrete actions, with the settings of openai/maddpg (3ceefa0).

Axes: S seed, E environment copy, T time step, N agent, B batch, O observation entry, A action entry; D = N*O + N*A;
K batch of an update, one or N.

| paper | here |
|---|---|
| eq. 6, its target y | `td_targets` |
| eq. 6, L(theta_i) | `critic_loss` |
| eq. 5: Q_i with agent i's action alone replaced, and its gradient | `nn.own_action_values`, `actor_loss` |
| Algorithm 1: the order; targets theta' <- tau theta + (1 - tau) theta' | `MADDPG._update` |
| Algorithm 1: exploration | `MADDPG.exploring`: the policy's own samples, no noise N_t |
| KnowRU, Sec. 4.2: MADDPG with initialization | `maddpg_initialized` |

Departs from the paper, like openai/maddpg: actions are soft Gumbel-softmax samples (`soft_sample`), and updates come
once per round of episodes, not at every step. Also like it, gradients are clipped tensor by tensor, and a small penalty
keeps logits small (`actor_loss`). Inferred policies and ensembles (Sec. 4.2 and 4.3) are not here.
Departs from openai/maddpg: all agents are updated at once; openai/maddpg (like the paper) goes agent by agent, with
targets that earlier agents have already moved. And all agents use one batch, unless `batches` is "own";
openai/maddpg draws one for each. The mean squared error and Adam's epsilon are as there. A time limit is not a terminal
state: the next observation at T is the real last one, and its value counts. After a terminal state no value counts.

KnowRU's code (b0c9817) also goes agent by agent, but moves all targets after the last agent. Until then an agent's step
reads its own networks, its own batch and unchanged targets, so the order makes no difference to an update of all at
once: with `batches` = "own" this is that update. The same code has a leaky ReLU and its initial weights (`nn.initial`),
clips by the norm of all of a network's gradients, and has observations without communication entries: `MADDPG.learn`
does not store these, so the critics do not read them either. That code's environments pad observations, so the critics
of its smaller teams also read zeros. Ours do not, so their first layer's weights have wider bounds (task I: by 10%).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.nn import (
    ACTIVATIONS,
    Activation,
    Parameters,
    detached,
    initial,
    joint_values,
    own_action_values,
    per_agent,
)
from baselines.kernels.optim import LaneAdam, soft_update
from baselines.learner import Acting, Rollout, Task
from baselines.losses.pairing import paired
from baselines.networks.actors import Actors, Playing
from baselines.replay.transitions import Batch, EpisodeReplay
from baselines.schedules import as_coefficients
from baselines.streams import Streams
from baselines.teachers import alike, teacher_of, teacher_pairs
from baselines.training_state import restored, saved


def gumbel(uniform: Tensor) -> Tensor:
    """Gumbel(0, 1) noise from uniform draws in [0, 1): -log(-log u); u = 0 counts as the smallest normal number."""
    return -torch.log(-torch.log(uniform.clamp(min=torch.finfo(uniform.dtype).tiny)))


def soft_sample(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """Gumbel-softmax sample, left soft as in openai/maddpg: [S, N, A, B] for logits and Gumbel noise of that shape."""
    return ((logits + noise) / temperature).softmax(-2)


@torch.no_grad()
def td_targets(
    actors: Actors,
    actor: Parameters,
    critic: Parameters,
    batch: Batch,
    noise: Tensor,
    gamma: float,
    temperature: float,
    activation: Activation = ACTIVATIONS["relu"],
) -> Tensor:
    """Eq. 6's y = r_i + gamma Q'_i(x', a'), [S, N, B], with a' sampled from the target actors under noise [S, N, A, B].

    If each agent has its own batch, all target actors act in all of them, under noise [S, N, A, N*B].
    Writes a' into the batch's next_joint.
    """
    next_obs, next_actions = per_agent(batch.next_joint.flatten(1, -2), *noise.shape[1:3])
    next_actions.copy_(soft_sample(actors.logits(actor, next_obs), noise, temperature))
    q = joint_values(critic, batch.next_joint, activation)
    return batch.rewards + gamma * q.masked_fill(batch.terminated, 0)


def critic_loss(q: Tensor, targets: Tensor) -> Tensor:
    """Eq. 6: mean squared error, [S, N, B] x2 -> [S, N]."""
    return (q - targets).square().mean(-1)


def actor_loss(q_own: Tensor, logits: Tensor, logit_penalty: float) -> Tensor:
    """-Q, since eq. 5 ascends Q, plus openai/maddpg's mean squared logit. [S, N, B], [S, N, A, B] -> [S, N]."""
    return logit_penalty * logits.square().mean((-2, -1)) - q_own.mean(-1)


# Batches of 1,024 on a CPU: two seeds together took 3-10% less time each than one alone; more than two had no clear
# gain (4 and 8 agents, 1 MiB of second-level cache). At a batch of 32, five together took less than half the time.
LARGE_BATCH, LARGE_BATCH_LANES = 512, 2


def evenly(seeds: int, lanes: int) -> list[slice]:
    """Groups of at least `lanes` seeds, if there are that many, of sizes as equal as possible: 5 seeds by 2 are 3 + 2.

    A leftover seed alone would cost more than as a third in a group.
    """
    groups = max(1, seeds // lanes)
    return [slice(*ends) for ends in pairwise(seeds * i // groups for i in range(groups + 1))]


def only(tasks: Sequence[Task]) -> Task:
    """The only task of a method that learns a single task. Raises ValueError for several."""
    if len(tasks) != 1:
        raise ValueError(f"tasks: got {len(tasks)}; allowed: one, for a method that learns a single task")
    return tasks[0]


class ActorObjective(Protocol):
    """A method's change of the actors' loss."""

    def coefficients(self, episodes_done: int) -> dict[str, float]:
        """Its weights after this many episodes, by name."""
        ...

    def __call__(
        self, loss: Tensor, obs: Tensor, logits: Tensor, lanes: slice, coefficients: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The actors' loss [S, N], and further terms to report, [S, number of agents that have them].

        loss [S, N]: MADDPG's own. obs [S, B, N, O] and logits [S, N, A, B] of the batch. lanes: the seeds.
        coefficients: 0-d tensors.
        """
        ...


class MADDPG:
    """A `Learner`. One update after each round of `update_episodes` episodes, once batch and warm-up are stored.

    lanes_per_call: the least number of seeds in an update; by default all seeds on a GPU and for small batches,
    `LARGE_BATCH_LANES` for large batches on a CPU. A seed's numbers do not depend on it (on a CPU, to the last bit).
    objective: the actors' loss, if it is more than their own. start: fresh actors' parameters -> those that training
    starts from. dtype: of parameters, replay and noise.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.MADDPG,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        objective: ActorObjective | None = None,
        start: Callable[[Parameters], Parameters] | None = None,
        lanes_per_call: int | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        task = only(tasks)
        task = replace(task, obs_size=task.layout.read)  # entries that the layout leaves out are not stored
        self.task, self.hyperparameters = task, hyperparameters
        self._streams, self._device, self._dtype = streams, torch.device(device), dtype
        self.copies, self.steps = hyperparameters.update_episodes, None
        self.replay = EpisodeReplay(task, hyperparameters.replay_size, streams, device, dtype)
        self.replays = (self.replay,)
        self._objective = objective
        self._playing: Playing | None = None  # the actors in a rollout's form, until they change

        hidden = [hyperparameters.hidden_width] * hyperparameters.hidden_layers
        joint_size = task.agents * (task.obs_size + task.action_size)
        self._activation, weights = ACTIVATIONS[hyperparameters.activation], hyperparameters.initial_weights
        self._actors = Actors(
            task.layout, task.agents, hidden, task.action_size, device, activation=hyperparameters.activation
        )
        fresh = self._actors.initial(streams, device, dtype, weights)
        self._actor = start(fresh) if start else fresh
        self._critic = initial([joint_size, *hidden, 1], task.agents, streams, device, dtype, weights)
        self._target_actor = {name: p.clone() for name, p in self._actor.items()}
        self._target_critic = {name: p.clone() for name, p in self._critic.items()}

        self.lanes_per_call = lanes_per_call or self._default_lanes()
        self._groups = evenly(len(streams), self.lanes_per_call)
        self._actor_adam, self._critic_adam = (
            LaneAdam(
                network,
                self._groups,
                hyperparameters.lr,
                hyperparameters.grad_clip,
                clipping=hyperparameters.clipping,
            )
            for network in (self._actor, self._critic)
        )

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """Soft samples, with noise drawn for the whole round."""
        noise = iter(self.exploration_noise())
        return lambda seen: self.explore(seen.obs, next(noise))

    def greedy(self, task: int) -> Acting:
        return lambda seen: self.likeliest(seen.obs)

    def exploration_noise(self) -> Tensor:
        """Gumbel noise of one round, [T, S, E, N, A]."""
        task = self.task
        return self._noise(
            "exploration", slice(None), (task.episode_limit, self.copies, task.agents, task.action_size)
        ).transpose(0, 1)

    @torch.no_grad()
    def explore(self, obs: Tensor, noise: Tensor) -> Tensor:
        """Soft samples [S, E, N, A] of the policy, which openai/maddpg's environment receives."""
        sample = soft_sample(self._logits(obs), noise.permute(0, 2, 3, 1), self.hyperparameters.temperature)
        return sample.permute(0, 3, 1, 2)

    @torch.no_grad()
    def likeliest(self, obs: Tensor) -> Tensor:
        """The likeliest action as a one-hot vector, [S, E, N, A]."""
        logits = self._logits(obs)
        return torch.zeros_like(logits).scatter_(2, logits.argmax(2, keepdim=True), 1).permute(0, 3, 1, 2)

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        """Losses [S], means over agents: "critic", "actor" (the whole loss), "q" (in the actor's pass)."""
        self.replay.append(replace(rollout, obs=rollout.obs[..., : self.task.obs_size]))
        needed = max(self.hyperparameters.warmup_transitions, self.hyperparameters.batch_size)
        if self.replay.transitions < needed:
            return {}
        self._playing = None
        weights = self._objective.coefficients(episodes_done) if self._objective else {}
        coefficients = as_coefficients(weights, self._device)
        groups = [self._update(group, *self._drawn(lanes), coefficients) for group, lanes in enumerate(self._groups)]
        return {name: torch.cat([losses[name] for losses in groups]) for name in groups[0]}

    def policy(self) -> dict[str, Tensor]:
        """The actors' weights, in the form of `Teacher.weights`."""
        return {name: p.clone() for name, p in self._actor.items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, targets, Adam's moments and steps, by dotted name; copies."""
        return saved(self._networks(), self._adams())

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave, under this or another grouping of the same seeds."""
        self._playing = None
        restored(state, self._networks(), self._adams())

    def _drawn(self, lanes: slice) -> tuple[Batch, Tensor]:
        """The inputs of an update of these seeds: a batch, or one for each agent, and Gumbel noise [S, K + 1, N, A, B].

        First comes the noise for the target actors in each of the K batches, then that for the actors.
        """
        h, agents = self.hyperparameters, self.task.agents
        batches = agents if h.batches == "own" else 1
        batch = self.replay.sample(batches * h.batch_size, lanes)
        noise = self._noise("update", lanes, (batches + 1, agents, self.task.action_size, h.batch_size))
        return batch.by_agent() if h.batches == "own" else batch, noise

    def _update(self, group: int, batch: Batch, noise: Tensor, coefficients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One critic step, one actor step with the new critic, then the targets; losses [S of the group]."""
        h, lanes = self.hyperparameters, self._groups[group]
        target_noise, own_noise = noise[:, :-1].permute(0, 2, 3, 1, 4).flatten(3), noise[:, -1]
        actor, critic = self._actor_adam.leaves[group], self._critic_adam.leaves[group]
        target_actor, target_critic = (
            {name: p[lanes] for name, p in target.items()} for target in (self._target_actor, self._target_critic)
        )

        y = td_targets(
            self._actors, target_actor, target_critic, batch, target_noise, h.gamma, h.temperature, self._activation
        )
        loss_critic = critic_loss(joint_values(critic, batch.joint, self._activation), y)
        self._critic_adam.step(group, loss_critic)

        obs, _ = per_agent(batch.joint, self.task.agents, self.task.action_size)
        logits = self._actors.logits(actor, obs)
        q = own_action_values(critic, batch.joint, soft_sample(logits, own_noise, h.temperature), self._activation)
        loss_actor, terms = actor_loss(q, logits, h.logit_penalty), {}
        if self._objective is not None:
            seen = obs.permute(0, 3, 1, 2)
            loss_actor, terms = self._objective(loss_actor, seen, logits, lanes, coefficients)
        self._actor_adam.step(group, loss_actor)

        soft_update(target_critic, detached(critic), h.tau)
        soft_update(target_actor, detached(actor), h.tau)
        losses = {"critic": loss_critic, "actor": loss_actor, "q": q.mean(-1), **terms}
        return {name: loss.detach().mean(-1) for name, loss in losses.items()}

    def _default_lanes(self) -> int:
        large = self._device.type == "cpu" and self.hyperparameters.batch_size >= LARGE_BATCH
        return LARGE_BATCH_LANES if large else len(self._streams)

    def _logits(self, obs: Tensor) -> Tensor:
        """[S, E, N, O] -> [S, N, A, E]."""
        if self._playing is None:
            self._playing = self._actors.playing(self._actor)
        return self._playing(obs)

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


def maddpg_initialized(
    tasks: Sequence[Task],
    hyperparameters: specs.MADDPGInitialized,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    lanes_per_call: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> MADDPG:
    """The `Learner` of KnowRU's control group "MADDPG with initialization" (Gao et al. 2021, Sec. 4.2).

    Actor i and its target start as copies of the teacher's actor i mod N_teacher, among those of its kind if a team has
    several (assumed: the paper names neither the networks nor the pairing). Critics and Adam start fresh; the critics
    are the same as MADDPG's of that seed.
    Raises ValueError without a teacher, or if its actors have other shapes.
    """
    task = only(tasks)
    teacher = teacher_of(task, 0, "MADDPG with initialization")
    if (taught := teacher.hyperparameters.get("activation", "relu")) != hyperparameters.activation:
        raise ValueError(f"activation: got {hyperparameters.activation}; allowed: {taught}, the teacher's")

    def copied(fresh: Parameters) -> Parameters:
        """fresh: MADDPG's own draw, which keeps the critics' draw the same."""
        if teacher.layout.width != task.layout.width:
            raise ValueError(
                f"initialization copies weights: the teacher's input has {teacher.layout.width} entries, the student's "
                f"{task.layout.width}; train both in one layout (hyperparameter layout_agents)"
            )
        pairs = teacher_pairs(teacher, task.kinds or alike(task.agents))
        copies = paired(teacher.weights, pairs, like=fresh["weight_0"])
        shapes, wanted = ({n: tuple(p.shape) for n, p in actor.items()} for actor in (copies, fresh))
        if shapes != wanted:
            raise ValueError(
                f"initialization copies weights: the teacher's shapes are {shapes}, the student's {wanted}"
            )
        return copies

    return MADDPG(tasks, hyperparameters, streams, device, start=copied, lanes_per_call=lanes_per_call, dtype=dtype)
