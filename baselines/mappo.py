"""MAPPO (Yu et al. 2022): a team's shared actor and a central critic, as EPyMARL and the authors' on-policy have it.

Axes: S seed, E environment copy, B batch of episodes, T time step, N agent, O observation entry, A action, X state
entry; K task. The batch of an update is a round: B = E.

Hyperparameters select one of two codes. EPyMARL (uoe-agents/epymarl 23379c2, `ppo_learner`): n-step returns of a slow
target critic; each pass compares them with the online critic. on-policy (marlbenchmark/on-policy 6326fec, `r_mappo`):
tau = 1, GAE, standardised advantages that are the same in all passes, normalised and clipped values.
Departs from EPyMARL: reward moments leave out steps that were not played; greedy evaluations take the likeliest action,
while its `soft_policies` samples in them, too (4bcbb1c); log-probabilities come from the logits, without adding 1e-10.
Departs from on-policy: torch.nn's default initialisation and no layer norm (EPyMARL's networks), Adam's epsilon 1e-8
instead of 1e-5, rounds of whole episodes without chunks, the squared loss without a half (as in EPyMARL), and Huber's
loss on both sides, while its `huber_loss` (88cbade) is 0 below -delta.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from baselines import specs
from baselines.kernels.layers import named, part
from baselines.kernels.nn import Parameters
from baselines.kernels.optim import TeamAdam, soft_update
from baselines.learner import Acting, Replay, Rollout, Task
from baselines.losses.masks import available_q, reduced
from baselines.losses.returns import RewardMoments, ValueMoments, generalised_advantages, n_step_returns
from baselines.networks.acting import Inform, Play
from baselines.networks.agents import agent_inputs, input_size, state_size, team_q
from baselines.networks.informing import drawn_noise, evaluation_noise, informing, of_round
from baselines.networks.team import Information, SharedNetwork, TeamNetwork
from baselines.replay.episodes import EpisodeBatch, ends, played, team_rewards
from baselines.streams import Streams
from baselines.training_state import restored, restored_moments, saved, saved_moments

ADVANTAGE_EPSILON = 1e-5  # on-policy 6326fec, `train`


def log_policy(logits: Tensor, avail_actions: Tensor) -> Tensor:
    """log pi over available actions: [S, B, T, N, A] x2 -> [S, A, B, T, N], the fastest order to reduce over A."""
    return available_q(logits, avail_actions).movedim(-1, 1).log_softmax(1)


def taken_log_policy(log_pi: Tensor, actions: Tensor) -> Tensor:
    """log pi [S, A, B, T, N] at actions [S, B, T, N]."""
    return log_pi.gather(1, actions.unsqueeze(1)).squeeze(1)


def policy_loss(taken: Tensor, old_taken: Tensor, advantages: Tensor, clip: float, mask: Tensor) -> Tensor:
    """-L^CLIP (Schulman et al. 2017, eq. 7), averaged over steps played and agents: [S, B, T, N] x3 -> [S].

    taken, old_taken: log pi of the taken actions, under the learning policy and under the one that played.
    """
    played_here = mask.unsqueeze(-1)
    ratio = (taken - old_taken).masked_fill(~played_here, 0).exp()  # after an episode's end it might overflow
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -reduced(gain, mask, "mean")


def entropy(log_pi: Tensor, mask: Tensor) -> Tensor:
    """The entropy of policies log_pi [S, A, B, T, N], averaged over steps played and agents: [S]."""
    return -reduced((log_pi.exp() * log_pi).sum(1), mask, "mean")


def value_loss(
    values: Tensor, old_values: Tensor, targets: Tensor, mask: Tensor, clip: float | None, huber_delta: float | None
) -> Tensor:
    """Mean of the error's square, or of Huber's function of it, over steps played and agents: [S, B, T, N] x3 -> [S].

    clip: values further than this from old_values do not lower the loss (Yu et al. 2022, appendix A); None: no limit.
    """
    losses = _error_loss(values, targets, huber_delta)
    if clip is not None:
        clipped = old_values + (values - old_values).clamp(-clip, clip)
        losses = torch.maximum(losses, _error_loss(clipped, targets, huber_delta))
    return reduced(losses, mask, "mean")


def standardised(advantages: Tensor, mask: Tensor) -> Tensor:
    """(A - mean) / (deviation + 1e-5) over each seed's steps played and agents; [S, B, T, N]."""
    centred = advantages - reduced(advantages, mask, "mean").view(-1, 1, 1, 1)
    deviation = reduced(centred.square(), mask, "mean").sqrt().view(-1, 1, 1, 1)
    return centred / (deviation + ADVANTAGE_EPSILON)


class SampledPlay(Play):
    """`Acting` that draws from the softmax of the logits over available actions, by Gumbel's trick.

    noise [T, S, E, N, A]: `gumbel`.
    """

    def __init__(
        self,
        actor: Mapping[str, Tensor],
        use_rnn: bool,
        agent_id: bool,
        noise: Tensor,
        inform: Inform | None = None,
    ):
        super().__init__(actor, use_rnn, agent_id, last_action=False, inform=inform)
        self._gumbel = noise

    def _chosen(self, q: Tensor, avail_actions: Tensor, call: int) -> Tensor:
        return (q + self._gumbel[call]).masked_fill(~avail_actions, -torch.inf).argmax(-1)


def gumbel(shape: Sequence[int], generator: torch.Generator, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Standard Gumbel noise, all of it finite."""
    uniform = torch.rand(shape, generator=generator, device=device, dtype=dtype)
    return -(-uniform.clamp(min=torch.finfo(dtype).tiny).log()).log()


class MAPPO:
    """A `Learner`: `update_passes` Adam steps of actor and critic on each round, which is then forgotten.

    actor, critic: the networks; a critic reads the state and the agent's number, and gives one value. information: for
    an actor that reads z; its parameters belong to the actor, as information.*. dtype: of parameters, returns and
    noise. Otherwise see `Learner`. Reports "policy", "value" and "entropy", means over the passes.
    """

    replays: Sequence[Replay] = ()

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.MAPPO,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        actor: TeamNetwork,
        critic: TeamNetwork,
        information: Information | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        h = hyperparameters
        self.tasks, self.hyperparameters = tuple(tasks), h
        self.copies, self.steps = h.update_episodes, None
        self._streams, self._device, self._dtype = streams, torch.device(device), dtype
        self._actor_network, self._critic_network, self._information = actor, critic, information
        parameters = actor.initial(streams, device, dtype)
        if information is not None:
            parameters |= named("information", information.initial(streams, device, dtype))
        self._actor_adam = TeamAdam(parameters, h.lr, h.grad_clip)
        self._critic_adam = TeamAdam(critic.initial(streams, device, dtype), h.lr, h.grad_clip)
        self._actor = {name: leaf.detach() for name, leaf in self._actor_adam.leaves.items()}
        self._critic = {name: leaf.detach() for name, leaf in self._critic_adam.leaves.items()}
        self._target = {name: p.clone() for name, p in self._critic.items()}
        self._rewards = [RewardMoments.initial(len(streams), device) for _ in tasks]
        self._values = [ValueMoments.initial(len(streams), device) for _ in tasks]
        self._z_noise: Tensor | None = (
            None  # [S, E, T, N, Z]; a round is learnt from with the z that it was played with
        )

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """Samples the policy."""
        h, own = self.hyperparameters, self.tasks[task]
        shape = (own.episode_limit, self.copies, own.agents, own.action_size)
        drawn = [gumbel(shape, s["exploration"], self._device, self._dtype) for s in self._streams]
        inform = None
        if self._information is not None:
            self._z_noise = drawn_noise(self._information, own, self.copies, self._streams, self._like())
            inform = informing(self._information, part(self._actor, "information"), of_round(self._z_noise))
        actor = self._actor_network.of_task(self._actor, task)
        return SampledPlay(actor, h.use_rnn, h.obs_agent_id, torch.stack(drawn, 1), inform)

    def greedy(self, task: int) -> Acting:
        h, actor = self.hyperparameters, self._actor_network.of_task(self._actor, task)
        inform = informing(
            self._information, part(self._actor, "information"), evaluation_noise(self._streams, self._like())
        )
        return Play(actor, h.use_rnn, h.obs_agent_id, last_action=False, inform=inform)

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        losses = self._update(task, self._batch(task, rollout))
        soft_update(self._target, self._critic, self.hyperparameters.tau)
        return losses

    def policy(self) -> dict[str, Tensor]:
        """The actor, in the form of `Teacher.weights`: its logits take the place of a Q-network's values."""
        return {name: p.clone() for name, p in self._actor.items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, target critic, both Adams and moments, by dotted name; copies."""
        state = saved(self._networks(), self._adams())
        return state | saved_moments("rewards", self._rewards) | saved_moments("values", self._values)

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave for these seeds, in any group. Raises ValueError: see TeamAdam."""
        restored(state, self._networks(), self._adams())
        self._rewards = restored_moments(state, "rewards", self._rewards)
        self._values = restored_moments(state, "values", self._values)

    def _networks(self) -> dict[str, Parameters]:
        return {"actor": self._actor, "critic": self._critic, "target": self._target}

    def _adams(self) -> dict[str, TeamAdam]:
        return {"adam_actor": self._actor_adam, "adam_critic": self._critic_adam}

    # ------------------------------------------------------------------------------------------- one update

    def _batch(self, task: int, rollout: Rollout) -> EpisodeBatch:
        """A round as a batch; copies, since tensors made in inference mode cannot be used for learning."""
        obs = rollout.obs.to(self._dtype, copy=True)
        terminated = rollout.terminated.clone()
        batch = EpisodeBatch(
            obs=obs,
            state=obs.flatten(-2) if rollout.state is None else rollout.state.to(self._dtype, copy=True),
            actions=rollout.actions.argmax(-1),
            avail_actions=rollout.avail_actions.clone(),
            rewards=team_rewards(rollout.rewards, self.tasks[task].common_reward).to(self._dtype, copy=True),
            terminated=terminated,
            mask=played(terminated) if rollout.mask is None else rollout.mask.clone(),
        )
        return batch.trimmed() if self.tasks[task].alone else batch

    def _update(self, task: int, batch: EpisodeBatch) -> dict[str, Tensor]:
        """All passes over a round; losses [S]."""
        h, mask = self.hyperparameters, batch.mask
        inputs = agent_inputs(batch.obs[:, :, :-1], agent_id=h.obs_agent_id)
        avail_actions = batch.avail_actions[:, :, :-1]
        with torch.no_grad():
            old_log_pi = log_policy(self._logits(self._actor, task, inputs, batch.state), avail_actions)
            old_taken = taken_log_policy(old_log_pi, batch.actions)
        states = self._states(task, batch)
        target_values, returns, advantages = self._returns(task, batch, states)
        losses = []
        for _ in range(h.update_passes):
            values, targets, loss_value = self._value_loss(task, batch, states, target_values, returns)
            if h.advantage_critic == "online":
                advantages = self._scaled(targets - values.detach(), mask)
            self._critic_adam.step(loss_value)
            log_pi = log_policy(self._logits(self._actor_adam.leaves, task, inputs, batch.state), avail_actions)
            loss_policy = policy_loss(taken_log_policy(log_pi, batch.actions), old_taken, advantages, h.clip, mask)
            bonus = entropy(log_pi, mask)
            self._actor_adam.step(loss_policy - h.entropy_weight * bonus)
            losses.append({"policy": loss_policy.detach(), "value": loss_value.detach(), "entropy": bonus.detach()})
        return {name: sum((x[name] for x in losses), torch.zeros(())) / h.update_passes for name in losses[0]}

    def _value_loss(
        self, task: int, batch: EpisodeBatch, states: Tensor, target_values: Tensor, returns: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The critic's values and their targets, [S, B, T, N], and its loss [S].

        With normalised values, the moments first take in the returns, again in each pass, as in on-policy.
        """
        h = self.hyperparameters
        if h.value_normalisation:
            self._values[task] = self._values[task].updated(returns, batch.mask)
            returns = self._values[task].normalised(returns)
        values = self._state_values(self._critic_adam.leaves, task, states)[:, :, :-1]
        clip = h.clip if h.clip_values else None
        loss = value_loss(values, target_values[:, :, :-1], returns, batch.mask, clip, h.huber_delta)
        return values, returns, loss

    @torch.no_grad()
    def _returns(self, task: int, batch: EpisodeBatch, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The target critic's values [S, B, T+1, N] in its own units; their returns and advantages [S, B, T, N]."""
        h = self.hyperparameters
        target_values = self._state_values(self._target, task, states)
        values = self._values[task].denormalised(target_values) if h.value_normalisation else target_values
        terminated = batch.terminated
        if h.time_limit_terminal:
            terminated = terminated | ends(batch.mask)
        given = self._team_rewards(task, batch), terminated, batch.mask
        rewards, terminated, mask = (x.unsqueeze(-1).expand_as(values[:, :, 1:]) for x in given)
        if h.gae_lambda is not None:
            advantages = generalised_advantages(rewards, terminated, mask, values, h.gamma, h.gae_lambda)
            returns = advantages + values[:, :, :-1]
        else:
            assert h.td_steps is not None  # specs.MAPPO: one of the two is given
            returns = n_step_returns(rewards, terminated, mask, values, h.gamma, h.td_steps)
            advantages = returns - values[:, :, :-1]
        return target_values, returns, self._scaled(advantages, batch.mask)

    def _team_rewards(self, task: int, batch: EpisodeBatch) -> Tensor:
        """The round's team rewards [S, B, T], standardised by the task's running moments, which include this round."""
        if not self.hyperparameters.standardise_rewards:
            return batch.rewards
        self._rewards[task] = self._rewards[task].updated(batch.rewards, batch.mask)
        return self._rewards[task].standardised(batch.rewards)

    def _scaled(self, advantages: Tensor, mask: Tensor) -> Tensor:
        return standardised(advantages, mask) if self.hyperparameters.standardise_advantages else advantages

    # --------------------------------------------------------------------------------------------- networks

    def _states(self, task: int, batch: EpisodeBatch) -> Tensor:
        """The critic's inputs: the state and the agent's number, [S, B, T+1, N, X + N]."""
        state = batch.state.unsqueeze(-2)
        return agent_inputs(state.expand(*state.shape[:3], self.tasks[task].agents, -1))

    def _logits(self, network: Mapping[str, Tensor], task: int, inputs: Tensor, state: Tensor) -> Tensor:
        """Logits [S, B, T, N, A] of inputs [S, B, T, N, I] and state [S, B, T+1, X], with the z from play."""
        z, steps = None, inputs.shape[2]
        if self._information is not None and self._z_noise is not None:
            own = part(network, "information")
            z = self._information.z(own, inputs, state[:, :, :steps], self._z_noise[:, :, :steps])
        return team_q(self._actor_network.of_task(network, task), inputs, self.hyperparameters.use_rnn, z)

    def _like(self) -> Tensor:
        """A tensor with the device and dtype of its computations."""
        return next(iter(self._actor.values()))

    def _state_values(self, network: Mapping[str, Tensor], task: int, states: Tensor) -> Tensor:
        """[S, B, T+1, N], in the critic's own units."""
        return team_q(self._critic_network.of_task(network, task), states, self.hyperparameters.critic_use_rnn).squeeze(
            -1
        )


def mappo(
    tasks: Sequence[Task],
    hyperparameters: specs.MAPPO,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> MAPPO:
    """The `Learner` MAPPO on one task. Raises ValueError for more: the networks' sizes are one task's."""
    if len(tasks) != 1:
        raise ValueError(f"MAPPO of one task got {len(tasks)} tasks; allowed: 1 (several: mappo_multi)")
    h, (task,) = hyperparameters, tasks
    widths = h.hidden_width, h.hidden_layers
    actor = SharedNetwork(input_size(task, h.obs_agent_id, False), *widths, task.action_size, h.use_rnn)
    critic = SharedNetwork(state_size(task) + task.agents, *widths, 1, h.critic_use_rnn)
    return MAPPO(tasks, h, streams, device, actor=actor, critic=critic, dtype=dtype)


def _error_loss(values: Tensor, targets: Tensor, huber_delta: float | None) -> Tensor:
    """The error's square, or Huber's function of it, for each entry."""
    if huber_delta is None:
        return (targets - values).square()
    return huber_loss(values, targets, reduction="none", delta=huber_delta)
