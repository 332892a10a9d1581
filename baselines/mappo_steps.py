"""MAPPO (Yu et al. 2022) in rollouts of a fixed number of steps that go on over episode ends, as on-policy plays SMAC.

Axes: S seed, E environment copy, B batch of chunks, T time step, N agent, O observation entry, A action, X state entry,
K stacked frame, H hidden unit.

The losses are `mappo`'s. Unlike with whole episodes, environments stay open, every rollout has the same number of
steps, and the value after its last step replaces the later rewards. A recurrent network learns from chunks of a
rollout. Each chunk begins with the hidden state from when the rollout was played (on-policy 6326fec,
`recurrent_generator`). Networks read the last K observations, and the last K states; before an episode's start they
read zeros.
An update uses a whole rollout as one minibatch. An actor may read z (`networks.team.Information`), which is made from
the state of the step alone; an update sees the z from play.
Departs from on-policy, besides what `mappo` says: the dead count in means like others; a recurrent network's state at a
rollout's start is the one that the previous rollout left, computed before its update, as it was played.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.layers import named, part
from baselines.kernels.nn import Parameters
from baselines.kernels.optim import TeamAdam
from baselines.learner import Acting, Replay, Seen, Steps, Task
from baselines.losses.masks import reduced
from baselines.losses.returns import RewardMoments, ValueMoments, open_advantages
from baselines.mappo import entropy, gumbel, log_policy, policy_loss, standardised, taken_log_policy
from baselines.networks.acting import Inform
from baselines.networks.agents import agent_inputs, mlp_q, recurrent_states, state_size
from baselines.networks.informing import drawn_noise, evaluation_noise, informing, of_round
from baselines.networks.team import Information, SharedNetwork, TeamNetwork
from baselines.replay.episodes import team_rewards
from baselines.streams import Streams
from baselines.training_state import restored, restored_moments, saved, saved_moments


def stacked(x: Tensor, first: Tensor, before: Tensor) -> Tensor:
    """The last K frames at each step, the newest last: x [S, E, T, ..., F] -> [S, E, T, ..., K F].

    first [S, E, T] bool: an episode begins with the step; frames before it are zeros. before [S, E, K - 1, ..., F]: the
    frames before the first step, zeros if its episode has none.
    """
    steps, back = x.shape[2], before.shape[2]
    row, found = torch.cat([before, x], 2), [x]
    hidden = torch.zeros_like(first)  # whether an episode began after the frame
    for k in range(1, back + 1):
        began = torch.cat([torch.zeros_like(first[:, :, : k - 1]), first[:, :, : steps - k + 1]], 2)
        hidden = hidden | began
        own = row[:, :, back - k : back - k + steps]
        found.append(own.masked_fill(hidden.view(*hidden.shape, *[1] * (x.dim() - 3)), 0))
    return torch.cat(found[::-1], -1)


def value_loss(values: Tensor, old_values: Tensor, targets: Tensor, mask: Tensor, h: specs.StepsMAPPO) -> Tensor:
    """As `mappo.value_loss`: [S, B, T, N] x3 -> [S].

    Huber's function is written out: the rounding of torch's own depends on an entry's place, so a seed's numbers would
    depend on the other seeds.
    """

    def error(x: Tensor) -> Tensor:
        if (delta := h.huber_delta) is None:
            return x * x
        size = x.abs()
        return torch.where(size <= delta, 0.5 * size * size, delta * (size - 0.5 * delta))

    losses = error(targets - values)
    if h.clip_values:
        losses = torch.maximum(losses, error(targets - (old_values + (values - old_values).clamp(-h.clip, h.clip))))
    return reduced(losses, mask, "mean")


@dataclass(frozen=True)
class Carried:
    """The state between rollouts: frames [S, E, K - 1, ...] and the networks' hidden states [S, E, N, H]."""

    obs: Tensor
    states: Tensor
    actor: Tensor
    critic: Tensor


class OpenPlay:
    """`Acting` of one network in environments that stay open. noise [T, S, E, N, A]: `gumbel`; None: the likeliest.

    frames [S, E, K - 1, N, O], hidden [S, E, N, H]: from before the first call; None: nothing.
    """

    def __init__(
        self,
        actor: Mapping[str, Tensor],
        hyperparameters: specs.StepsMAPPO,
        frames: Tensor | None = None,
        hidden: Tensor | None = None,
        noise: Tensor | None = None,
        inform: Inform | None = None,
    ):
        """inform: makes z once per step, for an actor that reads it."""
        self._actor, self._h, self._noise, self._calls, self._inform = actor, hyperparameters, noise, 0, inform
        self._frames, self._hidden = frames, hidden
        self._dtype = next(iter(actor.values())).dtype

    @torch.no_grad()
    def __call__(self, seen: Seen) -> Tensor:
        obs, first = seen.obs.to(self._dtype).unsqueeze(2), seen.first.to(seen.obs.device).unsqueeze(2)
        back = self._h.stacked_frames - 1
        if self._frames is None:
            self._frames = obs.new_zeros(*obs.shape[:2], back, *obs.shape[3:])
        frames = self._frames.masked_fill(first[..., None, None], 0)
        inputs = agent_inputs(torch.cat([*frames.unsqueeze(3).unbind(2), obs], -1), agent_id=self._h.obs_agent_id)
        self._frames = torch.cat([frames, obs], 2)[:, :, 1:] if back else frames
        state = obs.flatten(-2) if seen.state is None else seen.state.to(self._dtype).unsqueeze(2)
        z = None if self._inform is None else self._inform(inputs, state)
        if self._h.use_rnn:
            logits, hidden = recurrent_states(self._actor, inputs, self._hidden, first, z)
            self._hidden = hidden[:, :, -1]
        else:
            logits = mlp_q(self._actor, inputs, z)
        logits = logits.squeeze(2)
        scores = logits if self._noise is None else logits + self._noise[self._calls]
        self._calls += 1
        chosen = scores.masked_fill(~seen.avail_actions, -torch.inf).argmax(-1, keepdim=True)
        return torch.zeros_like(logits).scatter_(-1, chosen, 1)


class StepsMAPPO:
    """A `Learner` of one task: `update_passes` Adam steps of actor and critic on each rollout, which is then forgotten.

    information: for an actor that reads z; its parameters belong to the actor, as information.*. dtype: of parameters,
    returns and noise. Reports "policy", "value" and "entropy", means over the passes.
    """

    replays: Sequence[Replay] = ()

    def __init__(
        self,
        task: Task,
        hyperparameters: specs.StepsMAPPO,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        actor: TeamNetwork,
        critic: TeamNetwork,
        information: Information | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        h = hyperparameters
        self.task, self.hyperparameters, self.copies, self.steps = task, h, h.update_episodes, h.rollout_steps
        self._streams, self._device, self._dtype, self._information = streams, torch.device(device), dtype, information
        self._z_noise: Tensor | None = None  # [S, E, T, N, Z], of the rollout that is played
        parameters = actor.initial(streams, device, dtype)
        if information is not None:
            parameters |= named("information", information.initial(streams, device, dtype))
        self._actor_adam = TeamAdam(parameters, h.lr, h.grad_clip)
        self._critic_adam = TeamAdam(critic.initial(streams, device, dtype), h.lr, h.grad_clip)
        self._actor = {name: leaf.detach() for name, leaf in self._actor_adam.leaves.items()}
        self._critic = {name: leaf.detach() for name, leaf in self._critic_adam.leaves.items()}
        self._rewards = [RewardMoments.initial(len(streams), device)]
        self._values = [ValueMoments.initial(len(streams), device)]
        where, back = (len(streams), self.copies), h.stacked_frames - 1
        sizes = {
            "obs": (back, task.agents, task.obs_size),
            "states": (back, state_size(task)),
            "actor": (task.agents, h.hidden_width * h.use_rnn),
            "critic": (task.agents, h.hidden_width * h.critic_use_rnn),
        }
        self._carried = Carried(
            **{name: torch.zeros(*where, *size, dtype=dtype, device=device) for name, size in sizes.items()}
        )

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """Samples of the policy. It goes on where the last rollout ended."""
        h, own = self.hyperparameters, self.task
        shape = (h.rollout_steps, self.copies, own.agents, own.action_size)
        drawn = [gumbel(shape, s["exploration"], self._device, self._dtype) for s in self._streams]
        hidden, inform = self._carried.actor if h.use_rnn else None, None
        if self._information is not None:
            size = self.copies, self._streams, self._like(), h.rollout_steps
            self._z_noise = drawn_noise(self._information, own, *size)
            inform = informing(self._information, part(self._actor, "information"), of_round(self._z_noise))
        return OpenPlay(self._actor, h, self._carried.obs, hidden, torch.stack(drawn, 1), inform)

    def greedy(self, task: int) -> Acting:
        inform = informing(
            self._information, part(self._actor, "information"), evaluation_noise(self._streams, self._like())
        )
        return OpenPlay(self._actor, self.hyperparameters, inform=inform)

    def learn(self, task: int, rollout: Steps, episodes_done: int) -> dict[str, Tensor]:
        with torch.inference_mode(False):
            return self._update({name: x.clone() for name, x in vars(rollout).items() if x is not None})

    def policy(self) -> dict[str, Tensor]:
        """The actor."""
        return {name: p.clone() for name, p in self._actor.items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, both Adams, moments, and the state between rollouts, by dotted name; copies."""
        state = saved(self._networks(), self._adams())
        state |= saved_moments("rewards", self._rewards) | saved_moments("values", self._values)
        return state | {f"carried.{name}": x.clone() for name, x in vars(self._carried).items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave for these seeds, in any group. Raises ValueError: see TeamAdam."""
        restored(state, self._networks(), self._adams())
        self._rewards = restored_moments(state, "rewards", self._rewards)
        self._values = restored_moments(state, "values", self._values)
        self._carried = Carried(**{name: state[f"carried.{name}"].clone() for name in vars(self._carried)})

    def _networks(self) -> dict[str, Parameters]:
        return {"actor": self._actor, "critic": self._critic}

    def _adams(self) -> dict[str, TeamAdam]:
        return {"adam_actor": self._actor_adam, "adam_critic": self._critic_adam}

    # ------------------------------------------------------------------------------------------- one update

    def _update(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All passes over a rollout; losses [S]."""
        h, first = self.hyperparameters, given["first"].to(self._device)
        obs, avail_actions = given["obs"].to(self._dtype), given["avail_actions"]
        states, after = self._states(given)
        inputs = agent_inputs(stacked(obs, first, self._carried.obs), agent_id=h.obs_agent_id)
        read = self._critic_inputs(stacked(states, first, self._carried.states))
        actions, mask = given["actions"].argmax(-1), torch.ones_like(first)
        with torch.no_grad():
            z = self._z(self._actor, inputs, states, self._z_noise)
            logits, actor_hidden = self._forward(self._actor, inputs, first, self._carried.actor, h.use_rnn, z)
            old_taken = taken_log_policy(log_policy(logits, avail_actions), actions)
            values, critic_hidden = self._forward(self._critic, read, first, self._carried.critic, h.critic_use_rnn)
            old_values = values.squeeze(-1)
            following = self._following(read, after, critic_hidden)
            returns, advantages = self._returns(given, old_values, following)
        own = {
            "inputs": inputs,
            "read": read,
            "avail": avail_actions,
            "actions": actions,
            "first": first,
            "old_taken": old_taken,
            "old_values": old_values,
            "returns": returns,
            "advantages": advantages,
            "mask": mask,
        }
        own |= {} if self._z_noise is None else {"states": states, "z_noise": self._z_noise}
        chunks = {name: self._chunks(x) for name, x in own.items()}
        starts = [self._starts(now, then) for now, then in self._remembered(actor_hidden, critic_hidden)]
        losses = [self._pass(chunks, *starts) for _ in range(h.update_passes)]
        self._carry(obs, states, first, actor_hidden, critic_hidden)
        return {name: sum((x[name] for x in losses), torch.zeros(())) / h.update_passes for name in losses[0]}

    def _pass(self, c: Mapping[str, Tensor], actor_start: Tensor, critic_start: Tensor) -> dict[str, Tensor]:
        """One step of the critic, then one of the actor, on all chunks [S, B, T, ...]."""
        h, returns = self.hyperparameters, c["returns"]
        if h.value_normalisation:
            self._values[0] = self._values[0].updated(returns, c["mask"])
            returns = self._values[0].normalised(returns)
        values, _ = self._forward(self._critic_adam.leaves, c["read"], c["first"], critic_start, h.critic_use_rnn)
        loss_value = value_loss(values.squeeze(-1), c["old_values"], returns, c["mask"], h)
        self._critic_adam.step(loss_value)
        actor = self._actor_adam.leaves
        z = self._z(actor, c["inputs"], c.get("states"), c.get("z_noise"))
        logits, _ = self._forward(actor, c["inputs"], c["first"], actor_start, h.use_rnn, z)
        log_pi = log_policy(logits, c["avail"])
        taken = taken_log_policy(log_pi, c["actions"])
        loss_policy = policy_loss(taken, c["old_taken"], c["advantages"], h.clip, c["mask"])
        bonus = entropy(log_pi, c["mask"])
        self._actor_adam.step(loss_policy - h.entropy_weight * bonus)
        return {"policy": loss_policy.detach(), "value": loss_value.detach(), "entropy": bonus.detach()}

    def _returns(self, given: Mapping[str, Tensor], values: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Returns and advantages [S, E, T, N], in the rewards' units; values: the critic's, in its own."""
        h, moments = self.hyperparameters, self._values[0]
        if h.value_normalisation:
            values, following = moments.denormalised(values), moments.denormalised(following)
        terminated, truncated = (given[name].to(self._device) for name in ("terminated", "truncated"))
        rewards = team_rewards(given["rewards"], self.task.common_reward).to(self._dtype)
        if h.standardise_rewards:
            self._rewards[0] = self._rewards[0].updated(rewards, torch.ones_like(terminated))
            rewards = self._rewards[0].standardised(rewards)
        over = terminated | truncated if h.time_limit_terminal else terminated
        ends = over, terminated | truncated
        advantages = open_advantages(rewards, values, following, *ends, h.gamma, h.gae_lambda or 0.0)
        returns = advantages + values
        if h.standardise_advantages:
            advantages = standardised(advantages, torch.ones_like(terminated))
        return returns, advantages

    def _following(self, read: Tensor, after: Tensor, hidden: Tensor | None) -> Tensor:
        """The critic's value after each step, before another episode begins, [S, E, T, N]."""
        h, entries = self.hyperparameters, after.shape[-1]
        frames = read[..., : h.stacked_frames * entries]
        own = torch.cat([frames[..., entries:], after.unsqueeze(-2).expand(*frames.shape[:-1], entries)], -1)
        inputs = torch.cat([own, read[..., h.stacked_frames * entries :]], -1)
        if hidden is None:
            return mlp_q(self._critic, inputs).squeeze(-1)
        each = inputs.flatten(1, 2).unsqueeze(2)  # every step a sequence of its own
        values, _ = recurrent_states(self._critic, each, hidden.flatten(1, 2))
        return values.squeeze(2).unflatten(1, inputs.shape[1:3]).squeeze(-1)

    # ---------------------------------------------------------------------------------- what is read, carried

    def _states(self, given: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """States before and after each step, [S, E, T, X]."""
        if "state" in given:
            return given["state"].to(self._dtype), given["state_after"].to(self._dtype)
        return given["obs"].to(self._dtype).flatten(-2), given["after"].to(self._dtype).flatten(-2)

    def _critic_inputs(self, states: Tensor) -> Tensor:
        """Stacked states [S, E, T, K X] and each agent's number: [S, E, T, N, K X + N]."""
        return agent_inputs(states.unsqueeze(-2).expand(*states.shape[:-1], self.task.agents, -1))

    def _forward(
        self,
        network: Mapping[str, Tensor],
        inputs: Tensor,
        first: Tensor,
        hidden: Tensor,
        use_rnn: bool,
        z: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Logits [S, B, T, N, A] of inputs [S, B, T, N, I], and the hidden state after each step."""
        return recurrent_states(network, inputs, hidden, first, z) if use_rnn else (mlp_q(network, inputs, z), None)

    def _z(
        self, actor: Mapping[str, Tensor], inputs: Tensor, states: Tensor | None, noise: Tensor | None
    ) -> Tensor | None:
        """z [S, B, T, N, Z] from states [S, B, T, X] and the noise of play; None without information."""
        if self._information is None or states is None or noise is None:
            return None
        return self._information.z(part(actor, "information"), inputs, states, noise)

    def _like(self) -> Tensor:
        """A tensor with the device and dtype of its computations."""
        return next(iter(self._actor.values()))

    def _remembered(self, actor: Tensor | None, critic: Tensor | None) -> list[tuple[Tensor | None, Tensor]]:
        return [(actor, self._carried.actor), (critic, self._carried.critic)]

    def _starts(self, hidden: Tensor | None, before: Tensor) -> Tensor:
        """A network's hidden state at the start of each chunk, [S, B, N, H], from hidden [S, E, T, N, H]."""
        size = self.hyperparameters.chunk_steps or self.hyperparameters.rollout_steps
        if hidden is None:
            return before
        return torch.cat([before.unsqueeze(2), hidden], 2)[:, :, :-1:size].flatten(1, 2)

    def _chunks(self, x: Tensor) -> Tensor:
        """[S, E, T, ...] -> [S, B, T of a chunk, ...]."""
        size = self.hyperparameters.chunk_steps or self.hyperparameters.rollout_steps
        return x.unflatten(2, (-1, size)).flatten(1, 2)

    def _carry(self, obs: Tensor, states: Tensor, first: Tensor, actor: Tensor | None, critic: Tensor | None) -> None:
        """Keep the state that the next rollout begins with."""
        before = self._carried
        self._carried = Carried(
            obs=_last_frames(obs, first, before.obs),
            states=_last_frames(states, first, before.states),
            actor=before.actor if actor is None else actor[:, :, -1].clone(),
            critic=before.critic if critic is None else critic[:, :, -1].clone(),
        )


def _last_frames(x: Tensor, first: Tensor, before: Tensor) -> Tensor:
    """The last K - 1 frames [S, E, K - 1, ..., F], zeros if they belong to an earlier episode."""
    back = before.shape[2]
    if not back:
        return before
    newest = stacked(x, first, before)[:, :, -1]
    return torch.stack(newest.chunk(back + 1, -1)[1:], 2)


def actor_inputs(task: Task, h: specs.StepsMAPPO) -> int:
    """Entries that an actor reads: the last observations, and the agent's number."""
    return h.stacked_frames * task.obs_size + task.agents * h.obs_agent_id


def critic_of(task: Task, h: specs.StepsMAPPO) -> SharedNetwork:
    """The critic reads the last states and the agent's number, and gives one value."""
    inputs = h.stacked_frames * state_size(task) + task.agents
    return SharedNetwork(inputs, h.hidden_width, h.hidden_layers, 1, h.critic_use_rnn)


def mappo_steps(
    tasks: Sequence[Task],
    hyperparameters: specs.StepsMAPPO,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> StepsMAPPO:
    """The `Learner` on one task. Raises ValueError for more: the networks' sizes are one task's."""
    if len(tasks) != 1:
        raise ValueError(f"MAPPO of one task got {len(tasks)} tasks; allowed: 1 (several: mappo_multi)")
    h, (task,) = hyperparameters, tasks
    actor = SharedNetwork(actor_inputs(task, h), h.hidden_width, h.hidden_layers, task.action_size, h.use_rnn)
    return StepsMAPPO(task, h, streams, device, actor=actor, critic=critic_of(task, h), dtype=dtype)
